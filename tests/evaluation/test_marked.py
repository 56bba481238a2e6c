"""Answers in boxes, as models write them."""

from __future__ import annotations

import pytest

from codeio.evaluation.tasks.marked import boxes


@pytest.mark.parametrize(
    ("text", "held"),
    [
        (r"\boxed{1}, no, \fboxed{ 2 }, then \boxed{3", ["1", "2"]),
        (r"} $\boxed{2\sqrt{11}}$", [r"2\sqrt{11}"]),
        (r"\boxed{\text{A_{1}}}", ["A_{1}"]),
        (r"\boxed{\text{yes, \{1\} no}}", [r"yes, \{1\} no"]),
        (r"\text{so \boxed{5}}", ["5"]),
        (r"\boxed{5\\}", [r"5\\"]),
        (r"\boxed{\begin{matrix}1\\{2}\end{matrix}}", [r"\begin{matrix}1\\{2}\end{matrix}"]),
        (r"\boxed{a \boxed{b}}", [r"a \boxed{b}", "b"]),
    ],
)
def test_a_box_ends_at_the_brace_that_closes_it(text: str, held: list[str]) -> None:
    assert boxes(text) == held
