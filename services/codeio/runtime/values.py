"""JSON values: their one text form, and when two of them are the same.

Texts are canonical so that ids derived from them are stable. Equality is the
verifier's rule, and "distinct outputs" means distinct by the same rule.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

# CPython refuses to convert longer decimal strings to int (its guard against
# quadratic work); Decimal is exact and linear at any length.
_MAX_INT_DIGITS = 4000

RELATIVE_TOLERANCE = 1e-4
ABSOLUTE_TOLERANCE = 1e-6


def dumps(value: Any) -> str:
    """Return the canonical JSON text of a value.

    Raises:
        ValueError: JSON or UTF-8 cannot hold it (NaN, infinities, cycles, lone
            surrogates, too deep a nesting, other types).
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return text


def loads(text: str) -> Any:
    """Parse JSON text strictly: NaN and infinities are refused, integers stay exact.

    An integer of more digits than CPython converts comes back as a `Decimal`.

    Raises:
        ValueError: the text is not JSON.
    """
    try:
        return json.loads(text, parse_int=_parse_int, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


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
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float | Decimal) and isinstance(right, int | float | Decimal):
        return _numbers_equal(left, right, relative, absolute)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            equal(a, b, relative=relative, absolute=absolute)
            for a, b in zip(left, right, strict=True)
        )
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            equal(left[key], right[key], relative=relative, absolute=absolute) for key in left
        )
    return type(left) is type(right) and bool(left == right)


def _numbers_equal(
    left: int | float | Decimal, right: int | float | Decimal, relative: float, absolute: float
) -> bool:
    if left == right:
        return True
    fractional = any(isinstance(x, float) and not x.is_integer() for x in (left, right))
    if not fractional:
        return False
    try:
        a, b = float(left), float(right)
    except OverflowError:
        return False
    if math.isinf(a) or math.isinf(b):
        return False
    return abs(a - b) <= max(relative * max(abs(a), abs(b)), absolute)


def _parse_int(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _MAX_INT_DIGITS else Decimal(digits)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
