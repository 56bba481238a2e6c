"""The form of a reply: what is read, what is refused, and in which words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeio.normalizer.teacher.reply import BadReply, Declined, Normalised, read_reply
from tests.normalizer.teacher.scripted import CODE, DESCRIPTION, GENERATOR, PROBLEM, reply_of

GOOD = Normalised(problem=PROBLEM, description=DESCRIPTION, code=CODE, generator=GENERATOR)


@pytest.mark.parametrize(
    "text",
    [
        reply_of(),
        reply_of().replace("\n", "\r\n"),
        f"Sure, here it is.\n\n{reply_of()}",
        reply_of().replace("## Problem", "### **Problem:**").replace("## Code", "# CODE"),
        reply_of().replace("```python", "~~~~py").replace("```", "~~~~"),
        reply_of() + "\nThe generator reaches every branch.\n",
    ],
    ids=["plain", "crlf", "preface", "headings", "fences", "closing words"],
)
def test_what_models_vary_is_read_all_the_same(text: str) -> None:
    assert read_reply(text) == GOOD


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the reply is empty"),
        ("I cannot see a file.", "`## Problem` is missing"),
        (reply_of().split("## Generator")[0], "`## Generator` is missing"),
        (reply_of(problem=""), "`## Problem` is empty"),
        (reply_of(code=" \n"), "block of `## Code` is empty"),
        (reply_of() + "## Code\n", "`## Code` comes twice"),
        (reply_of().removesuffix("```\n"), "`## Generator` is not closed"),
        (
            reply_of().split("```python\nimport")[0],
            "`## Generator` must hold one fenced Python block",
        ),
        (reply_of(code=CODE + "```\nand\n```\n"), "2 fenced blocks"),
        (reply_of(code="def main_solution(n:\n    return n\n"), "in line 1: `def main_solution(n:"),
        (reply_of(generator="x = '\n"), "`## Generator` is not valid Python"),
        (reply_of(code="x = '\0'\n"), "`## Code` is not valid Python"),
        (reply_of(code="import requests\n" + CODE), "imports `requests`"),
        (reply_of(code="from . import near\n" + CODE), "imports `.`"),
        (reply_of(generator="import faker\n" + GENERATOR), "`## Generator` imports `faker`"),
        (reply_of(code=CODE.replace("main_", "")), "no function `main_solution`"),
        (reply_of(code="async " + CODE), "must not be `async`"),
        (reply_of(code="def main_solution(*args):\n    return 1\n"), "no `*args`"),
        (reply_of(code="def main_solution(**k):\n    return 1\n"), "no `*args`"),
        (reply_of(code="def main_solution():\n    return 1\n"), "takes no arguments"),
        (reply_of(generator=GENERATOR.replace("_inputs", "")), "no function `generate_inputs`"),
        (reply_of(generator=GENERATOR.replace("rng: random.Random", "")), "has `def generate_i"),
        (reply_of(description="Values and a limit."), "does not mention `numbers`"),
        (reply_of(problem=f"Run this:\n```python\n{CODE}```"), "belongs into `## Code` alone"),
        (reply_of(problem="\ud800"), "half a surrogate pair"),
    ],
)
def test_each_defect_is_named(text: str, words: str) -> None:
    with pytest.raises(BadReply, match=re.escape(words)) as refusal:
        read_reply(text)
    assert refusal.value.reason.startswith("bad_reply:")


@pytest.mark.parametrize(
    "text",
    [
        "NOTHING: it only plots",
        "**NOTHING:** it only plots",
        "I looked.\nNOTHING: it only plots",
    ],
)
def test_a_teacher_may_decline(text: str) -> None:
    with pytest.raises(Declined) as refusal:
        read_reply(text)
    assert (refusal.value.reason, refusal.value.detail) == ("teacher_declined", "it only plots")


def test_the_word_inside_a_part_declines_nothing() -> None:
    assert read_reply(reply_of(problem=f"{PROBLEM}\n\nNOTHING: is lost.")).code == CODE


ANY_PIECE = st.sampled_from(
    [
        *("## Problem\n", "## Code\n", "## Generator\n", "## Input and output\n", "NOTHING: x\n"),
        *(
            "```python\n",
            "```\n",
            "~~~\n",
            CODE,
            GENERATOR,
            DESCRIPTION,
            "\0",
            "\ud800",
        ),
    ]
) | st.text(max_size=30)


@given(st.lists(ANY_PIECE, max_size=14).map("".join))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        read = read_reply(text)
    except (BadReply, Declined):
        return
    assert read.problem
    assert read.description


PROSE = st.text(st.characters(codec="utf-8", exclude_characters="`~#\r"), min_size=1).filter(
    lambda text: text.strip() and "def main_solution" not in text
)


@given(problem=PROSE, description=PROSE, number=st.integers())
def test_what_is_written_in_form_is_read_as_it_was(
    problem: str, description: str, number: int
) -> None:
    description = f"{description}\n{DESCRIPTION}"
    code = f"WEIGHT = {number}\n\n\n{CODE}"
    read = read_reply(reply_of(problem=problem, description=description, code=code))
    assert read == Normalised(problem.strip(), description.strip(), code, GENERATOR)
