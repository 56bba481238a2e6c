"""Programs by a language model: executed before they count, repaired once, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codeio.runtime.errors import Rejected
from codeio.v1.records_pb2 import ExecutedProgram, Program, RawFile
from tests.normalizer.teacher.scripted import (
    CODE,
    DESCRIPTION,
    GENERATOR,
    PROBLEM,
    Scripted,
    raw,
    records,
    reply_of,
    said,
)

if TYPE_CHECKING:
    from codeio.language_model import Reply
    from codeio.runtime.stage import Stage
    from tests.normalizer.teacher.conftest import MakeTeacher

FILE = "import requests\nprint(sum(n * n for n in requests.get('http://x').json() if n < 10))\n"


async def test_a_good_reply_becomes_a_program_that_the_executor_takes(
    teacher: MakeTeacher, executor: Stage
) -> None:
    model = Scripted([reply_of()])
    [program] = await records(teacher(model), FILE)
    assert isinstance(program, Program)
    assert program.code == CODE
    assert program.input_generator == GENERATOR
    assert program.problem_statement == PROBLEM
    assert program.io_description == DESCRIPTION
    assert program.origin.file_id == raw(FILE).file_id
    assert program.origin.unit == "file"
    first, *_ = [record async for record in executor.handle(program)]
    assert isinstance(first, ExecutedProgram)
    [question] = model.asked
    assert (question.purpose, question.sample_index) == ("program", 0)
    assert FILE.strip() in question.messages[0].content
    assert "fewer than 20 items" in question.messages[0].content


DRAWN = GENERATOR.replace("rng.randint(5", "random.randint(5")
ENDLESS = CODE.replace("    return total", "    while True:\n        total += 1\n    return total")


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (reply_of(problem=""), "the part `## Problem` is empty."),
        (reply_of(code=CODE.replace(":", "", 1)), "is not valid Python: expected ':' in line 1"),
        (
            reply_of(code=CODE.replace("total = 0", "total = limit[0]")),
            "`main_solution` raises TypeError for inputs that `generate_inputs` makes: TypeError: "
            "'int' object is not subscriptable, for {\"numbers\": [",
        ),
        (
            reply_of(generator=GENERATOR.replace('"limit"', '"most"')),
            "got an unexpected keyword argument 'most'",
        ),
        (reply_of(code="import math\nX = math.tau.y\n" + CODE), "the code cannot be loaded"),
        (
            reply_of(generator=GENERATOR.replace("(5, 30)", "(30, 5)")),
            "`generate_inputs` fails (raised:ValueError): ValueError: empty range",
        ),
        (
            reply_of(generator=GENERATOR.replace("return {", "return [{").replace("}", "}]")),
            "`generate_inputs` gives no dict that JSON can hold",
        ),
        (
            reply_of(code=CODE.replace("return total", "return {total, limit}")),
            "`main_solution` returns what JSON cannot hold",
        ),
        (
            reply_of(code="import random\n" + CODE.replace("total = 0", "total = random.random()")),
            "alone, but uses randomness: line 3: random.random.",
        ),
        (reply_of(generator=DRAWN), "`generate_inputs` must depend on `rng` alone"),
        (
            reply_of(code=CODE.replace("return total", "return [str(x) for x in {'a', 'b', 'c'}]")),
            "the result of the same call differs between two processes",
        ),
        (
            reply_of(
                code="SEEN = []\n"
                + CODE.replace("return total", "SEEN.append(total)\n    return len(SEEN)")
            ),
            "`main_solution` remembers its former calls",
        ),
        (
            reply_of(code=CODE.replace("return total", "return 7")),
            "gives the same result for all inputs: ",
        ),
        (
            reply_of(code=CODE.replace("return total", "return numbers")),
            "mostly gives one of its arguments back",
        ),
        (
            reply_of(code="def main_solution(numbers, limit):\n    return numbers[0] + limit\n"),
            "the code makes no decision and repeats nothing",
        ),
        (
            reply_of(generator=GENERATOR.replace("range(6)", "range(60)")),
            "the inputs of `generate_inputs` are too large: every input holds a container of 60",
        ),
        (
            reply_of(code=CODE.replace("return total", "return [total] * 30")),
            "the results of `main_solution` are too large",
        ),
        (
            reply_of(generator=GENERATOR.replace("rng.randint", "max")),
            "too few different inputs that lead to a result: 1 distinct inputs",
        ),
        (reply_of(code=ENDLESS), "a call of `main_solution` takes too long"),
    ],
    ids=[
        *("part", "syntax", "raises", "arguments", "load", "generator", "no dict", "not json"),
        *("impure", "own chance", "hash order", "stateful", "constant", "identity", "trivial"),
        *("input size", "output size", "few", "endless"),
    ],
)
async def test_a_defect_is_told_and_repaired(teacher: MakeTeacher, bad: str, told: str) -> None:
    model = Scripted([bad, reply_of()])
    [program] = await records(teacher(model), FILE)
    assert isinstance(program, Program)
    assert program.code == CODE
    assert model.purposes == ["program", "repair"]
    opening, first, complaint = model.asked[1].messages
    assert opening == model.asked[0].messages[0]
    assert (first.role, first.content) == ("assistant", bad)
    assert told in complaint.content


async def test_a_program_is_repaired_once_only(teacher: MakeTeacher) -> None:
    worse = reply_of(code=CODE.replace("total = 0", "total = limit[0]"))
    model = Scripted([reply_of(problem=""), worse])
    with pytest.raises(Rejected) as refusal:
        await records(teacher(model), FILE)
    assert refusal.value.reason == "raised:TypeError"
    assert "repaired once; at first bad_reply:part" in refusal.value.detail
    assert len(model.asked) == 2


@pytest.mark.parametrize(
    ("reply", "reason", "detail"),
    [
        (said("NOTHING: it plots."), "teacher_declined", "it plots."),
        (said(reply_of(), finish_reason="length"), "teacher_reply_cut", "after 20 tokens"),
        (said("I cannot.", finish_reason="refusal"), "teacher_refused", "I cannot."),
        (said("", finish_reason="content_filter"), "teacher_refused", "content_filter"),
    ],
)
async def test_what_no_repair_would_mend_is_asked_once(
    teacher: MakeTeacher, reply: Reply, reason: str, detail: str
) -> None:
    model = Scripted([reply])
    with pytest.raises(Rejected) as refusal:
        await records(teacher(model), FILE)
    assert refusal.value.reason == reason
    assert detail in refusal.value.detail


async def test_a_teacher_may_decline_in_place_of_a_repair(teacher: MakeTeacher) -> None:
    with pytest.raises(Rejected, match="teacher_declined"):
        await records(teacher(Scripted([reply_of(problem=""), "NOTHING: no"])), FILE)


async def test_after_an_empty_reply_the_same_is_asked_anew(teacher: MakeTeacher) -> None:
    model = Scripted(["", reply_of()])
    assert len(await records(teacher(model), FILE)) == 1
    first, second = model.asked
    assert first.messages == second.messages
    assert (first.sample_index, second.sample_index) == (0, 1)
    with pytest.raises(Rejected, match="bad_reply:empty"):
        await records(teacher(Scripted(["", " \n"])), FILE)


async def test_a_program_that_somebody_made_already_is_not_asked_for(teacher: MakeTeacher) -> None:
    model = Scripted()
    given = RawFile(
        file_id="f", content=CODE, program=Program(code=CODE, input_generator=GENERATOR)
    )
    [program] = [record async for record in teacher(model).handle(given)]
    assert program.code == CODE
    assert not model.asked
