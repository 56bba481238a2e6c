"""Turned-round operations give operands that really give the result."""

from __future__ import annotations

import ast
import math
import operator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeio.cot_generator.tracing.operations import (
    Impossible,
    demanded_argument,
    demanded_operand,
    demanded_receiver,
    demanded_side,
    range_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitXor: operator.xor,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
small = st.integers(-50, 50)


@given(st.sampled_from(sorted(OPERATORS, key=str)), small, small, small, st.booleans())
def test_an_integer_operand_gives_the_result(
    kind: type[ast.operator], operand: int, other: int, target: int, left: bool
) -> None:
    try:
        wanted = demanded_operand(kind(), operand, other, target, left=left)
    except Impossible:
        return
    assert type(wanted) is int
    try:
        got = OPERATORS[kind](*((wanted, other) if left else (other, wanted)))
    except ZeroDivisionError:
        pytest.skip("nothing can be divided by the operand that would be needed")
    if kind is ast.Pow and not left:
        assert math.isclose(got, target, rel_tol=1e-3)
    else:
        assert got == target


@given(
    st.text("ab", max_size=4), st.text("ab", max_size=4), st.text("ab", max_size=6), st.booleans()
)
def test_a_text_operand_gives_the_result(operand: str, other: str, target: str, left: bool) -> None:
    try:
        wanted = demanded_operand(ast.Add(), operand, other, target, left=left)
    except Impossible:
        assert not (target.endswith(other) if left else target.startswith(other))
        return
    assert (wanted + other if left else other + wanted) == target


@given(st.sampled_from(sorted(COMPARISONS, key=str)), small, small, st.booleans(), st.booleans())
def test_a_side_makes_a_comparison_come_out_as_wanted(
    kind: type[ast.cmpop], part: int, other: int, wanted: bool, swapped: bool
) -> None:
    for option in demanded_side(kind(), part, other, wanted=wanted, swapped=swapped):
        sides = (other, option) if swapped else (option, other)
        assert COMPARISONS[kind](*sides) is wanted


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "abs": abs, "sum": sum, "max": max, "min": min, "sorted": sorted, "len": len,
}  # fmt: skip


@given(
    st.sampled_from(["sum", "max", "min", "len"]),
    st.lists(small, min_size=1, max_size=6),
    st.integers(0, 30),
)
def test_a_list_argument_gives_the_result(name: str, items: list[int], target: int) -> None:
    wanted = demanded_argument(name, items, [], 0, target)
    assert FUNCTIONS[name](wanted) == target


@given(st.lists(small, max_size=6))
def test_only_sorted_results_come_out_of_sorting(items: list[int]) -> None:
    try:
        wanted = demanded_argument("sorted", [3, 1], [], 0, items)
    except Impossible:
        assert items != sorted(items)
    else:
        assert sorted(wanted) == items


@pytest.mark.parametrize(
    ("method", "receiver", "arguments", "target"),
    [
        ("lower", "AbC", [], "xyz"),
        ("upper", "abc", [], "XYZ"),
        ("replace", "a-b", ["-", "+"], "1+2"),
        ("zfill", "7", [4], "0042"),
        ("split", "a b", [], ["p", "q", "r"]),
        ("swapcase", "aB", [], "xY"),
    ],
)
def test_a_receiver_gives_the_result(
    method: str, receiver: str, arguments: list[Any], target: Any
) -> None:
    wanted = demanded_receiver(method, receiver, arguments, target)
    assert getattr(wanted, method)(*arguments) == target


def test_huge_numbers_are_left_alone() -> None:
    with pytest.raises(Impossible):
        demanded_operand(ast.RShift(), 1, 10**9, 1, left=True)
    with pytest.raises(Impossible):
        demanded_operand(ast.Pow(), 2, 10**30, 4, left=False)
    with pytest.raises(Impossible):
        demanded_argument("len", [1], [], 0, 10**9)
    assert range_of("range(0, 10, 3)") == range(0, 10, 3)
    assert range_of("range(0, 1" + "0" * 40 + ")") is None
