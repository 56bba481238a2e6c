"""What is found in a rationale's text, and what the trace says to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest

from codeio.runtime.trace import Source
from codeio.verifier.statements import Statement, Support, find_statements

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeio.verifier.statements import Run

Read: TypeAlias = "Callable[..., list[Statement]]"

# The run of `total`: nums 4, 9, 3, 8, 2 with limit 15; total 0, 4, 13, 13, 13, 15; skipped 0, 1, 2.
TRUE = [
    ("total", "total is 13 after that."),
    ("total", "The total becomes 4, then 13, and finally stays at 15."),
    ("total", "- **total** = `4 + 9` = 13"),
    ("total", "total goes 0, 4, 13, 15."),
    ("total", "total: 0 → 4 → 13 → 15"),
    ("total", "Skipped rises to two, it isn't 3."),
    ("total", "limit equals fifteen"),
    ("total", "x = 3: 13 + 3 = 16 > 15, so skipped becomes 1."),
    ("total", "The loop runs five times."),
    ("total", "`total + x > limit` is false for x = 9, and true for x = 3."),
    ("total", "Since 16 > 15, the number is skipped."),
    (
        "total",
        "| x | total | skipped |\n|---|---|---|\n| 4 | 4 | 0 |\n| 9 | 13 | 0 |\n| 3 | 13 | 1 |",
    ),
    ("total", "The function returns [15, 2]."),
    ("digits", "divmod(83, 4) gives (20, 3), so n drops to 20 and r is 3."),
    ("digits", "After reversing, digits holds [1, 1, 0, 3]."),
    ("digits", "The mean is about 1.25, which is $\\frac{5}{4} = 1.25$."),
    ("digits", "At the end n is zero and `n > 0` no longer holds."),
    ("digits", "After four iterations the loop is left."),
    ("gcd", "gcd(24, 36) returns 12, so g becomes 12."),
    ("gcd", "`g == 1` is never true."),
]
FALSE = [
    ("total", "total is 14 after that.", "total is 14"),
    ("total", "total becomes 4, then x is 9 and 4 + 9 = 14.", "4 + 9 = 14"),
    ("total", "total goes 0, 4, 12, 15.", "12"),
    ("total", "total: 0 → 4 → 12 → 15", "12"),
    ("total", "So skipped ends at 3.", "skipped ends at 3"),
    ("total", "skipped never reaches 2.", "skipped never reaches 2"),
    ("total", "The limit is not 15.", "limit is not 15"),
    ("total", "x = 3: skipped becomes 2.", "skipped becomes 2"),
    ("total", "The loop runs six times.", "six times"),
    ("total", "Since 14 > 15, the number is skipped.", "14 > 15"),
    ("total", "15 > 15 holds.", "15 > 15 holds"),
    ("total", "Because 22 > 15 the 8 is skipped.", "22 > 15"),
    ("total", "`total + x > limit` never holds.", "`total + x > limit` never holds"),
    (
        "total",
        "| x | total |\n|---|---|\n| 4 | 4 |\n| 9 | 13 |\n| 3 | 13 |\n| 8 | 15 |\n| 2 | 15 |",
        "15",
    ),
    ("total", "The function returns [14, 2].", "[14, 2]"),
    ("digits", "digits ends up as [3, 0, 1].", "[3, 0, 1]"),
    ("digits", "The mean is roughly 1.5.", "mean is roughly 1.5"),
    ("digits", "The loop runs five times.", "five times"),
    ("digits", 'The function doesn\'t return {"digits": [1, 1, 0, 3], "mean": 1.25}.', "return"),
    ("gcd", "gcd(24, 36) returns 6.", "gcd(24, 36) returns 6"),
    ("gcd", "The break is triggered.", "break"),
    ("gcd", "g = 11. No, wait: g is 12.", "g = 11"),
]
NOTHING_SAID = [
    ("total", "If total were 14, the answer would be different."),
    ("total", "Suppose the limit is 20 and total is 14."),
    ("total", "Is total 14?"),
    ("total", "The sum of total and x is 16."),
    ("total", "A number of 14 elements, or 99 of them."),
    ("total", "total is 3 times as large."),
    ("digits", "If base had been 3, n would be 27."),
    ("digits", "digits: 3 7 9 1"),
    ("gcd", "Two numbers are coprime if their gcd is 1."),
]


def contradicted(statements: list[Statement]) -> list[Statement]:
    return [one for one in statements if one.support is Support.CONTRADICTED]


@pytest.mark.parametrize(("program", "text"), TRUE)
def test_what_is_so_is_supported(read: Read, program: str, text: str) -> None:
    found = read(program, text)
    assert contradicted(found) == []
    assert any(one.support is Support.SUPPORTED for one in found)


@pytest.mark.parametrize(("program", "text", "part"), FALSE)
def test_what_is_not_so_is_contradicted_where_it_stands(
    read: Read, program: str, text: str, part: str
) -> None:
    found = contradicted(read(program, text))
    assert found
    places = [at for at in range(len(text)) if text.startswith(part, at)]
    for one in found:
        assert any(one.start < at + len(part) and at < one.end for at in places), one


@pytest.mark.parametrize(("program", "text"), NOTHING_SAID)
def test_what_is_not_said_of_the_run_is_not_contradicted(
    read: Read, program: str, text: str
) -> None:
    assert contradicted(read(program, text)) == []


def test_a_statement_tells_its_place_subject_and_value(read: Read) -> None:
    text = "First, total becomes 4."
    [one] = read("total", text)
    assert text[one.start : one.end] == one.text == "total becomes 4"
    assert (one.kind, one.subject, one.stated) == ("value", "total", "4")
    assert one.support is Support.SUPPORTED


def test_what_the_text_takes_back_is_marked(read: Read) -> None:
    first, second = read("digits", "So r = 5. Hmm, no, r is 3.")
    assert (first.corrected, second.corrected) == (True, False)


def test_statements_come_in_order_of_the_text(read: Read) -> None:
    found = read("total", "skipped is 1, so total = 13 and 4 + 9 = 13. The limit is 15.")
    assert [one.start for one in found] == sorted(one.start for one in found)
    assert len(found) == 4


def test_the_answer_block_at_the_end_is_not_counted(read: Read) -> None:
    assert read("total", 'Done.\n\n```json\n{"output": [14, 9]}\n```') == []


def test_without_a_run_only_arithmetic_counts() -> None:
    source = Source("def main_solution(n):\n    total = n\n    return total\n")
    found = find_statements("total = 9, and 2 + 2 = 5.", source, [], output_prediction=False)
    assert {one.text: one.support for one in found} == {
        "total = 9": Support.UNKNOWN,
        "2 + 2 = 5": Support.CONTRADICTED,
    }


def test_a_moment_that_a_label_names_is_used(read: Read) -> None:
    text = "- x = 4: total = 4\n- x = 9: total = 4\n- x = 3: total = 13\n- x = 8: skipped = 1\n"
    wrong = [one.text for one in contradicted(read("total", text))]
    assert wrong == []
    text = "- x = 4: total = 4\n- x = 9: total = 13\n- x = 3: total = 15\n- x = 8: skipped = 2\n"
    wrong = [one.text for one in contradicted(read("total", text))]
    assert wrong == ["total = 15"]


def test_values_of_another_input_are_not_held_against_the_run(read: Read) -> None:
    text = (
        'Try {"nums": [1, 2], "limit": 9} first: total would be 3, so total = 3 there.\n'
        "That is too small.\n"
        'Now take {"nums": [4, 9, 3, 8, 2], "limit": 15}: total = 16 at the end.'
    )
    wrong = [one.text for one in contradicted(read("total", text, output_prediction=False))]
    assert wrong == ["total = 16"]


def test_where_a_trace_was_cut_nothing_is_contradicted_for_being_absent(
    runs: dict[str, Run],
) -> None:
    run = runs["total"]
    cut = type(run)(
        run.source,
        type(run.trace)(run.trace.steps[:6], run.trace.frames, run.trace.constants, cut=True),
        output=run.output,
    )
    [one] = find_statements("total is 77.", run.source, [cut], output_prediction=True)
    assert one.support is Support.UNKNOWN
