"""No text makes the reading fail, hang, or point outside of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codeio.verifier.statements.evaluation import UnevaluableError, evaluate
from codeio.verifier.statements.gathering import Gatherer
from codeio.verifier.statements.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeio.verifier.statements import Statement

Read: TypeAlias = "Callable[..., list[Statement]]"

PIECES = st.lists(
    st.sampled_from(
        (
            *"{}[]()\"'`\\\n,:;.?!$*#|<>=+-/%≈→…",
            *("total", "x", "skipped", "limit", "nums", "4", "13", "[4, 9]", "five", "third"),
            *("is", "not", "becomes", "from", "to", "if", "would", "the loop", "times", "returns"),
            *("2 + 2", "**", "==", "| 1 | 2 |", "---", "```", "true", "holds", "\\frac{1}{2}"),
            *("that gives", "about", "isn't", "but", "divisible by", "prime", "half of", "in nums"),
            *("vowels", "elements", "appears", "all", "no", "the length of", "at the end", "% of"),
            *("iteration 2:", "x = 9:", "wait, no", "9" * 50, "1e999", "'a' * 99", "2 ** 9999"),
        )
    ),
    max_size=40,
).map(" ".join)
TEXT = PIECES | st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(text=TEXT)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_read_alike_each_time_within_its_bounds(read: Read, text: str) -> None:
    found = read("total", text)
    assert found == read("total", text)
    for one in found:
        assert 0 <= one.start < one.end <= len(text)
        assert one.text == text[one.start : one.end]


JUNK = [
    *('"', "'a", "`", "\\frac{", "a-", "1.", "([", "**a ", "total = ", "x is not ", "1+", "(1+"),
    *("[[1],", "| total | x |\n", "- x = 4: total = 4\n", "4 > 3 and ", "if ", "9", "\\", "_"),
    *(
        '{"nums": ',
        "total → ",
        "then ",
        "so it is 77. ",
        "gives [7, 7]. ",
        "3 is prime. ",
        "7 appears 3 times. ",
        "three vowels, ",
        "two skips are in nums, ",
        "the sum of 3 and ",
        "2**2**",
        "~not ",
        "≈about ",
        "```\n",
        "1e9 ",
        "total: 4, ",
    ),
]


@pytest.mark.parametrize("piece", JUNK)
def test_a_megabyte_of_junk_takes_seconds_at_most(read: Read, piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    begun = time.process_time()
    read("total", text)
    assert time.process_time() - begun < 30


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "2 << 9999999",
        "'a' * 10**9",
        "[0] * 999999",
        "range(10**12)",
        "list(range(10**9))",
    ],
)
def test_what_would_be_large_is_not_worked_out(text: str) -> None:
    gatherer = Gatherer(names=frozenset(), functions=frozenset(), caret_is_power=True)
    [item, *_] = gatherer.items(tokens(text, code=True))
    assert item.node is not None
    if text.startswith("range"):
        assert evaluate(item.node, {}) == range(10**12)
    else:
        with pytest.raises(UnevaluableError):
            evaluate(item.node, {})
