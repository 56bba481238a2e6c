"""What everybody relies on of JSON texts and of equality."""

from __future__ import annotations

import json
import math
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from codeio.runtime.values import (
    ABSOLUTE_TOLERANCE,
    MAX_DEPTH,
    RELATIVE_TOLERANCE,
    dumps,
    equal,
    loads,
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**4000, max_value=10**4010)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(JSON)
def test_a_value_survives_its_text(value: Any) -> None:
    assert equal(loads(dumps(value)), value, relative=0, absolute=0)
    assert dumps(loads(dumps(value))) == dumps(value)


@given(JSON)
def test_every_value_equals_itself_and_no_container_of_itself(value: Any) -> None:
    assert equal(value, value, relative=0, absolute=0)
    assert not equal(value, [value])
    assert not equal({"a": value}, {"b": value})


@given(JSON, JSON)
def test_equality_is_symmetric(left: Any, right: Any) -> None:
    assert equal(left, right) == equal(right, left)


@given(st.integers(), st.integers())
def test_integers_are_equal_only_if_they_are_the_same(left: int, right: int) -> None:
    assert equal(left, right) == (left == right)


@given(st.integers(min_value=-(2**53), max_value=2**53))
def test_an_integer_and_its_float_are_alike(number: int) -> None:
    assert equal(number, float(number))
    assert not equal(number + 1, float(number)) or number == 2**53


@given(st.floats(-1e15, 1e15).filter(lambda x: not x.is_integer()))
def test_the_tolerance_ends_where_it_says(number: float) -> None:
    allowed = max(abs(number) * RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE)
    assert equal(number, number + 0.9 * allowed)
    assert equal(number, number - 0.9 * allowed)
    assert not equal(number, number + 1.1 * allowed)
    assert not equal(number, number - 1.1 * allowed)
    assert not equal(number, number + 0.9 * allowed, relative=0, absolute=0)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1", "1.0"),
        ("0", "-0.0"),
        ("1e3", "1000"),
        ("100000000000000000000000", "1e23"),
        ("1", "1.00001"),
        ("0.30000000000000004", "0.3"),
        ("0", "1e-7"),
        ('{"a": 1, "b": [2]}', '{"b": [2.0], "a": 1}'),
        ('"\\u00e9"', '"é"'),
    ],
)
def test_alike(left: str, right: str) -> None:
    assert equal(loads(left), loads(right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("true", "1"),
        ("false", "0"),
        ("true", "1.0"),
        ("null", "0"),
        ("null", "false"),
        ('"1"', "1"),
        ('""', "null"),
        ("[]", "{}"),
        ("[1, 2]", "[2, 1]"),
        ("[1]", "[1, 1]"),
        ('{"a": 1}', '{"a": 1, "b": null}'),
        ("10000000000", "10000000001"),
        ("10000000000", "10000000001.0"),
        ("9007199254740993", "9007199254740992.0"),
        ("12345678901234567890", "12345678901234567000.0"),
        ("1e16", "1.0001e16"),
        ("0.1", "0"),
        ("1.7e308", "-1.7e308"),
        ('"é"', '"e\\u0301"'),
    ],
)
def test_different(left: str, right: str) -> None:
    assert not equal(loads(left), loads(right))


@pytest.mark.parametrize("digits", [4000, 4001, 10_000, 100_000])
def test_integers_of_any_length_are_exact(digits: int) -> None:
    text = "7" * digits
    assert dumps(loads(text)) == text
    assert dumps([loads(f"-{text}")]) == f"[-{text}]"
    assert equal(loads(text), loads(text))
    assert not equal(loads(text), loads(text[:-1] + "8"))
    assert not equal(loads(text), loads(f"-{text}"))
    assert not equal(loads(text), 0.5)
    assert not equal(loads(text), loads("1e300"))


def test_a_long_integer_is_equal_however_it_came() -> None:
    assert equal(10**5000, loads("1" + "0" * 5000))
    assert dumps({"n": 10**5000}) == '{"n": 1' + "0" * 5000 + "}"
    assert dumps({1: Decimal(2), None: [True]}) == '{"1": 2, "null": [true]}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        "-1e999",
        '{"a": 1, "a": 1}',
        r'"\ud800"',
        r'["\uDFFF"]',
        '"\ud800"',
        "01",
        "[1,]",
        "{'a': 1}",
        "1 2",
        "\ufeff1",
        "[" * 100_000,
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        '{"a":' * 100_000,
        '"\x00"',
    ],
)
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (whatever is wrong with it)
        loads(text)


@pytest.mark.parametrize(
    "value",
    [math.nan, [math.inf], "\ud800", {"\udfff": 1}, {1, 2}, b"", 1j, Decimal("0.5"), object()],
)
def test_what_json_cannot_hold_has_no_text(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (whatever is wrong with it)
        dumps(value)


def test_depth_is_bounded_both_ways_and_brackets_in_strings_do_not_count() -> None:
    deepest: Any = 0
    for _ in range(MAX_DEPTH):
        deepest = [deepest]
    assert equal(loads(dumps(deepest)), deepest)
    with pytest.raises(ValueError, match="nested deeper"):
        dumps([deepest])
    brackets = ["[{" * MAX_DEPTH, '\\"[']
    assert loads(dumps(brackets)) == brackets
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError):  # noqa: PT011  (whatever is wrong with it)
        dumps(circle)


def test_equality_does_not_recurse() -> None:
    left: Any = 0
    right: Any = 0
    for _ in range(100_000):
        left, right = [left], [right]
    assert equal(left, right)
    while left:  # else the interpreter's own clean-up would recurse
        left, right = left[0], right[0]


def test_surrogate_pairs_are_characters() -> None:
    assert loads(r'"\ud83d\ude00"') == "😀"


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        value = loads(text)
    except ValueError:
        return
    assert equal(loads(dumps(value)), value)


@given(JSON)
def test_texts_are_json_to_everybody(value: Any) -> None:
    text = dumps(value)
    assume(len(text) < 4000)
    assert equal(json.loads(text), value, relative=0, absolute=0)


def test_long_integers_cost_no_quadratic_time() -> None:
    text = "9" * 2_000_000
    start = time.process_time()
    assert equal(loads(text), loads(text))
    assert time.process_time() - start < 2
