"""Goes over a file and collects what may become a program."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.normalizer.operations import operations_unit
from codeio.normalizer.scopes import Function
from codeio.normalizer.script import SCRIPT, parameterless_unit, script_unit
from codeio.normalizer.units import Refusal, Unit, function_unit, method_unit
from codeio.runtime.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codeio.normalizer.source import SourceFile
    from codeio.normalizer.usage import Inference


def find_units(file: SourceFile, inference: Inference) -> list[Unit | Refusal]:
    """Return functions, methods, classes as a whole and the script, in this order."""
    found = [*_functions(file, inference), *_methods(file, inference)]
    plain = any(isinstance(entry, Unit) for entry in found)
    found += _attempt(SCRIPT, lambda: script_unit(file, inference, constants=not plain))
    return found


def _functions(file: SourceFile, inference: Inference) -> Iterator[Unit | Refusal]:
    for node in file.functions():
        if _is_test(node.name):
            continue
        if node.args.args or node.args.vararg or node.args.kwonlyargs:
            yield from _attempt(node.name, lambda: function_unit(file, inference, node))  # noqa: B023  (called at once)
        else:
            yield from _attempt(node.name, lambda: parameterless_unit(file, inference, node))  # noqa: B023


def _methods(file: SourceFile, inference: Inference) -> Iterator[Unit | Refusal]:
    for owner in file.classes():
        if _is_test(owner.name) or any("Test" in ast.unparse(base) for base in owner.bases):
            continue
        yield from _attempt(owner.name, lambda: operations_unit(file, inference, owner))  # noqa: B023
        for member in owner.body:
            if isinstance(member, Function) and not member.name.startswith("__"):
                yield from _attempt(
                    f"{owner.name}.{member.name}",
                    lambda: method_unit(file, inference, owner, member),  # noqa: B023
                )


def _attempt(name: str, make: Callable[[], Unit | None]) -> Iterator[Unit | Refusal]:
    try:
        unit = make()
    except Rejected as refusal:
        yield Refusal(name, refusal.reason, refusal.detail)
        return
    if unit is not None:
        yield unit


def _is_test(name: str) -> bool:
    return name.lower().startswith(("test_", "_test")) or name == "test"
