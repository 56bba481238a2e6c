"""What a text says of a value: that it is, is not, is about, or is more or less than another."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from codeio.verifier.statements.evaluation import OPAQUE
from codeio.verifier.statements.numbers import close, decimals

if TYPE_CHECKING:
    from collections.abc import Callable

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip

EMPTY = object()
"""The stated value of `is empty`."""
NOTHING = object()
"""The stated value of `none`, as in `swaps: none`."""
EVEN, ODD = object(), object()
TRUE, FALSE = object(), object()
"""The stated outcome of a condition: anything that counts as true, or as false."""
_MARKS = (EMPTY, NOTHING, EVEN, ODD, TRUE, FALSE)


@dataclass(frozen=True)
class Stated:
    """A relation and the value on its right."""

    value: Any
    text: str
    relation: str = "="
    digits: int = 0
    """Decimals that the number was written with."""
    about: bool = False
    negated: bool = False

    def negation(self) -> Stated:
        return replace(self, negated=not self.negated)

    def holds(self, actual: Any) -> bool | None:
        """Tell whether it is so of an actual value; None when that cannot be told."""
        if actual is OPAQUE or self.value is OPAQUE:
            return None
        found = self._holds(actual)
        return None if found is None else found is not self.negated

    def _holds(self, actual: Any) -> bool | None:
        if self.value is EMPTY:
            return len(actual) == 0 if hasattr(actual, "__len__") else None
        if self.value is NOTHING:
            return actual is None or actual == 0 or (hasattr(actual, "__len__") and not len(actual))
        if self.relation in ("starts", "ends"):
            return _borders(self.relation, self.value, actual)
        if self.relation == "contains":
            return _contains(actual, self.value)
        if self.value is TRUE or self.value is FALSE:
            return bool(actual) is (self.value is TRUE)
        if self.value is EVEN or self.value is ODD:
            if not isinstance(actual, int):
                return None
            return (actual % 2 == 0) is (self.value is EVEN)
        if self.relation in _ORDER:
            try:
                return bool(_ORDER[self.relation](actual, self.value))
            except TypeError:
                return None
        same = alike(self.value, actual, digits=self.digits, about=self.about)
        return same is (self.relation != "!=")


def stated(value: Any, text: str, *, relation: str = "=", about: bool = False) -> Stated:
    """Return what is said with a literal, exact to the digits that it was written with."""
    if relation == "≈":
        relation, about = "=", True
    digits = decimals(text.strip()) if _is_number(value) else _most_decimals(value)
    return Stated(value, text, relation=relation, digits=digits, about=about)


def alike(one: Any, actual: Any, *, digits: int = 0, about: bool = False) -> bool:
    """Tell whether a stated value may stand for an actual one; lists and tuples are alike."""
    if isinstance(one, bool) or isinstance(actual, bool):
        return one is actual
    if _is_number(one) and _is_number(actual):
        return close(one, actual, digits=digits, about=about)
    if isinstance(one, list | tuple) and isinstance(actual, list | tuple | range):
        return len(one) == len(actual) and all(
            alike(a, b, digits=digits, about=about) for a, b in zip(one, actual, strict=True)
        )
    if isinstance(one, dict) and isinstance(actual, dict):
        named = {_key(key): value for key, value in actual.items()}
        return len(one) == len(actual) and all(
            _key(key) in named and alike(value, named[_key(key)], digits=digits, about=about)
            for key, value in one.items()
        )
    if isinstance(one, list | tuple | set | frozenset) and isinstance(actual, set | frozenset):
        try:
            return len(one) == len(actual) and set(one) == actual
        except TypeError:
            return False
    if isinstance(one, dict) and not one and isinstance(actual, set | frozenset):
        return not actual
    return type(one) is type(actual) and bool(one == actual)


def _borders(relation: str, value: Any, actual: Any) -> bool | None:
    """Tell whether a text or a list starts or ends with a value."""
    if isinstance(actual, str) and isinstance(value, str):
        return actual.startswith(value) if relation == "starts" else actual.endswith(value)
    if isinstance(actual, list | tuple) and actual:
        return alike(value, actual[0 if relation == "starts" else -1])
    return None


def _contains(actual: Any, value: Any) -> bool | None:
    """Tell whether a value, or each of several, is in a container or a text."""
    if alike(value, actual):
        return True
    if isinstance(actual, str):
        return value in actual if isinstance(value, str) else None
    if not isinstance(actual, dict | list | tuple | set | frozenset | range):
        return None
    several = isinstance(value, list | tuple | set) and bool(value)
    if any(one is OPAQUE or alike(value, one) for one in actual):
        return True
    if several and all(any(alike(one, other) for other in actual) for one in value):
        return True
    return isinstance(actual, dict) and any(alike(value, one) for one in actual.values())


def unlike_kinds(value: Any, actual: Any) -> bool:
    """Tell whether one is a container and the other is not: then something else was meant."""
    return isinstance(value, _CONTAINERS) is not isinstance(actual, _CONTAINERS)


def unlike(value: Any, actual: Any) -> bool:
    """Tell whether two values are so different in kind that one is not said of the other."""
    if actual is OPAQUE or value in _MARKS:
        return False
    return _sort(value) != _sort(actual) and None not in (value, actual)


def _sort(value: Any) -> str:
    if isinstance(value, int | float):  # a truth counts as a number
        return "number"
    return "text" if isinstance(value, str) else "container"


_CONTAINERS = (list, tuple, dict, set, frozenset)


def _key(key: Any) -> str:
    """Return a key as JSON has it, where keys are texts."""
    return key if isinstance(key, str) else str(key)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _most_decimals(value: Any) -> int:
    """Return the decimals of the least exact float in a container."""
    parts = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(parts, list | tuple):
        return decimals(repr(value)) if isinstance(value, float) else 15
    return min((_most_decimals(part) for part in parts), default=15)
