"""What a trace turned round gives: changes of the input, with the reasoning that led to them."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from codeio.cot_generator.tracing.operations import Impossible
from codeio.cot_generator.tracing.wording import code

if TYPE_CHECKING:
    from codeio.cot_generator.tracing.expressions import Said
    from codeio.runtime.trace import Step

Path: TypeAlias = tuple[Any, ...]
"""Indices and keys that lead into a value."""

_MAX_SHOWN = 120


@dataclass(frozen=True)
class Edit:
    """A change of the run's input: what stands at a path becomes a value."""

    path: Path
    """The argument's name, then indices and keys."""
    value: Any


@dataclass(frozen=True)
class Derivation:
    """Changes of the input, and the reasoning that led to them, step by step."""

    edits: tuple[Edit, ...]
    reasons: tuple[Said, ...]

    def applied(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments with the changes made.

        Raises:
            Impossible: two changes contradict one another, or one has no place.
        """
        changed = copy.deepcopy(arguments)
        done: dict[str, Any] = {}
        for edit in self.edits:
            place = repr(edit.path)
            if place in done and done[place] != edit.value:
                raise Impossible
            done[place] = edit.value
            changed = replaced(changed, edit.path, edit.value)
        return changed


@dataclass(frozen=True)
class Moment:
    """Where in the trace an expression is looked at."""

    step: Step
    occurrence: int = 0
    """Which evaluation of the step is meant, where a comprehension makes several."""
    bound: tuple[tuple[str, ast.expr, Path], ...] = ()
    """Variables of comprehensions: the name, what it iterates over, and where in it."""


@dataclass(frozen=True)
class Wish:
    """What a variable, or its part at a path, should have been after the step that set it."""

    name: str
    path: Path
    target: Any
    step: Step


def replaced(value: Any, path: Path, new: Any) -> Any:
    """Return a copy of a value with what stands at the path replaced.

    Raises:
        Impossible: there is no such place.
    """
    if not path:
        return new
    key, rest = path[0], path[1:]
    try:
        part = replaced(value[key], rest, new)
        if isinstance(value, str | tuple):
            key = range(len(value))[key]
            if isinstance(value, str):
                return value[:key] + part + value[key + 1 :]
            return (*value[:key], part, *value[key + 1 :])
        changed = copy.copy(value)
        changed[key] = part
    except (KeyError, IndexError, TypeError) as error:
        raise Impossible from error
    return changed


def evaluated(text: str) -> Any:
    """Return the value that a traced text stands for.

    Raises:
        Impossible: it stands for no plain value.
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise Impossible from error


def identical(left: Any, right: Any) -> bool:
    """Tell whether two plain values are equal and of one type."""
    return type(left) is type(right) and bool(left == right)


def shown(value: Any) -> str:
    text = repr(value)
    return code(text) if len(text) <= _MAX_SHOWN else "the wanted value"
