"""JSON values: their one text form, and when two of them are the same.

Texts are canonical so that ids derived from them are stable. Equality is the
verifier's rule, and "distinct outputs" means distinct by the same rule.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

RELATIVE_TOLERANCE = 1e-4
ABSOLUTE_TOLERANCE = 1e-6

MAX_DEPTH = 200
"""Values nested deeper are refused, so that whoever walks a value may recurse."""

# CPython refuses to convert longer decimal strings to int (its guard against
# quadratic work); Decimal is exact and linear at any length.
_MAX_INT_DIGITS = 4000

# From here on a float's neighbours are integers, and its shortest text denotes
# another integer than its bits do: 1e23 is not 10**23.
_SPARSE_FLOATS = 2.0**53

_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"|\\.|(?P<open>[\[{])|(?P<close>[\]}])', re.DOTALL)


def dumps(value: Any) -> str:
    """Return the canonical JSON text of a value.

    Raises:
        ValueError: JSON or UTF-8 cannot hold it (NaN, infinities, cycles, lone
            surrogates, too deep a nesting, other types).
    """
    try:
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError):
            text = _encode(value)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    text.encode()
    _refuse_depth(text)
    return text


def loads(text: str) -> Any:
    """Parse JSON text strictly, so that every value it gives has a text again.

    Refused beyond what `json` refuses: NaN, infinities and numbers out of a
    double's range, a repeated key in an object, lone surrogates, nesting
    deeper than `MAX_DEPTH`. Integers stay exact: one of more digits than
    CPython converts comes back as a `Decimal`.

    Raises:
        ValueError: the text is not JSON.
    """
    try:
        text.encode()
        _refuse_depth(text)
        value = _DECODER.decode(text)
        if r"\ud" in text or r"\uD" in text:
            dumps(value)  # refuses what is no character
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def equal(
    left: Any,
    right: Any,
    *,
    relative: float = RELATIVE_TOLERANCE,
    absolute: float = ABSOLUTE_TOLERANCE,
) -> bool:
    """Tell whether two parsed JSON values are the same answer.

    Integers compare exactly at any size; the tolerance holds only where either
    side is a float that is not integral. 1 and 1.0 are alike, true and 1 are
    not; lists compare in order, objects by key.
    """
    pairs = [(left, right)]
    while pairs:
        a, b = pairs.pop()
        if isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return False
            pairs.extend(zip(a, b, strict=True))
        elif isinstance(a, dict) and isinstance(b, dict):
            if a.keys() != b.keys():
                return False
            pairs.extend((a[key], b[key]) for key in a)
        elif not _scalars_equal(a, b, relative, absolute):
            return False
    return True


def _scalars_equal(left: Any, right: Any, relative: float, absolute: float) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float | Decimal) and isinstance(right, int | float | Decimal):
        return _numbers_equal(left, right, relative, absolute)
    return type(left) is type(right) and bool(left == right)


def _numbers_equal(
    left: int | float | Decimal, right: int | float | Decimal, relative: float, absolute: float
) -> bool:
    if left == right:
        return True
    if not (_is_fraction(left) or _is_fraction(right)):
        return isinstance(left, float) != isinstance(right, float) and (
            _as_written(left) == _as_written(right)
        )
    try:
        a, b = float(left), float(right)
    except OverflowError:
        return False
    if not (math.isfinite(a) and math.isfinite(b)):
        return False
    return abs(a - b) <= max(relative * max(abs(a), abs(b)), absolute)


def _is_fraction(number: int | float | Decimal) -> bool:
    return isinstance(number, float) and not number.is_integer()


def _as_written(number: int | float | Decimal) -> int | float | Decimal:
    """Return the integer that a large float's text denotes, other numbers as they are."""
    if isinstance(number, float) and _SPARSE_FLOATS <= abs(number) < math.inf:
        return Decimal(repr(number))
    return number


def _encode(value: Any) -> str:
    """Return the text of a value that holds integers too long for `json`."""
    match value:
        case bool():
            return json.dumps(value)
        case int():
            return str(Decimal(value))
        case Decimal() if value.is_finite() and value.as_tuple().exponent == 0:
            return str(value)
        case list() | tuple():
            return f"[{', '.join(map(_encode, value))}]"
        case dict():
            # json.dumps makes strings of the keys that JSON has no other form for.
            keys = (json.dumps({key: 0}, ensure_ascii=False)[1:-4] for key in value)
            items = (f"{key}: {_encode(x)}" for key, x in zip(keys, value.values(), strict=True))
            return f"{{{', '.join(items)}}}"
        case _:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _refuse_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _BRACKETS.finditer(text):
        if token.lastgroup == "open":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"nested deeper than {MAX_DEPTH}")
        elif token.lastgroup == "close":
            depth -= 1


def _parse_int(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _MAX_INT_DIGITS else Decimal(digits)


def _parse_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is out of range")
    return number


def _parse_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object repeats a key")
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


# `json.loads` would make one for every text.
_DECODER = json.JSONDecoder(
    parse_int=_parse_int,
    parse_float=_parse_float,
    parse_constant=_refuse_constant,
    object_pairs_hook=_parse_object,
)
