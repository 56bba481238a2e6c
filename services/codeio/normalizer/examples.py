"""Example inputs that a file gives: calls, asserts, doctests and comments."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, TypeAlias

from codeio.normalizer.docs import comment_text, doctest_calls, worded_examples
from codeio.normalizer.evidence import ANNOTATED
from codeio.normalizer.scopes import Function
from codeio.runtime import values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codeio.normalizer.evidence import Slot
    from codeio.normalizer.source import SourceFile
    from codeio.normalizer.units import Unit

_MOST = 12


def collect_examples(file: SourceFile, units: list[Unit]) -> None:
    """Give every unit the inputs that the file shows for it, and let them vote on its slots."""
    text = comment_text(file.text)
    calls = list(_calls(file.original))
    for unit in units:
        found: list[dict[str, Any]] = []
        for arguments in [] if unit.operations else _arguments_in(unit, calls):
            _keep(found, arguments, unit.slots)
        names = list(unit.slots)
        for name, value in _module_values(file.original).items():
            # People call a function with a variable that has its parameter's name.
            if name in unit.slots:
                unit.slots[name].show(value, ANNOTATED)
        for worded in worded_examples(text, names):
            _keep(found, worded, unit.slots)
        for example in found:
            for name, value in example.items():
                unit.slots[name].show(value)
        unit.examples.extend(_complete(found, unit.slots))


def _keep(found: list[dict[str, Any]], example: dict[str, Any], slots: Mapping[str, Slot]) -> None:
    if len(found) < _MOST and example and example not in found and example.keys() <= slots.keys():
        found.append(example)


def _complete(found: list[dict[str, Any]], slots: Mapping[str, Slot]) -> Iterator[dict[str, Any]]:
    for example in found:
        if example.keys() == slots.keys():
            try:
                yield values.loads(values.dumps({name: _plain(example[name]) for name in slots}))
            except ValueError:
                continue


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value


def _module_values(tree: ast.Module) -> dict[str, Any]:
    """Return the literals that variables of the module are bound to, in its main block too."""
    known: dict[str, Any] = {}
    for node in tree.body:
        for statement in node.body if isinstance(node, ast.If) else [node]:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                value = _evaluate(statement.value, known)
                if value is not _UNKNOWN:
                    known[statement.targets[0].id] = value
    return known


_Known: TypeAlias = dict[str, Any]


def _calls(tree: ast.Module) -> list[tuple[ast.Call, _Known]]:
    """Return every call of the file with the literals that are known where it stands."""
    found: list[tuple[ast.Call, _Known]] = []
    _visit(tree.body, {}, found)
    return found


def _visit(statements: list[ast.stmt], known: _Known, found: list[tuple[ast.Call, _Known]]) -> None:
    known = dict(known)
    for statement in statements:
        if isinstance(statement, Function | ast.ClassDef):
            for expression in doctest_calls(ast.get_docstring(statement)):
                found += _calls_below(expression, known)
            _visit(statement.body, {}, found)
            continue
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            value = _evaluate(statement.value, known)
            if value is not _UNKNOWN:
                known[statement.targets[0].id] = value
        found += _calls_below(statement, known)
        for field in ("body", "orelse", "finalbody"):
            inner = getattr(statement, field, None)
            if isinstance(inner, list) and inner and isinstance(inner[0], ast.stmt):
                _visit(inner, known, found)


def _calls_below(node: ast.AST, known: _Known) -> list[tuple[ast.Call, _Known]]:
    return [(child, known) for child in ast.walk(node) if isinstance(child, ast.Call)]


def _arguments_in(unit: Unit, calls: list[tuple[ast.Call, _Known]]) -> Iterator[dict[str, Any]]:
    method = unit.name.split(".")[-1]
    is_method = "." in unit.name
    parameters = [
        arg.arg for arg in (*unit.node.args.posonlyargs, *unit.node.args.args) if arg.arg != "self"
    ]
    for call, known in calls:
        function = call.func
        matches = (
            isinstance(function, ast.Attribute) and function.attr == method
            if is_method
            else isinstance(function, ast.Name) and function.id == method
        )
        if not matches or any(isinstance(argument, ast.Starred) for argument in call.args):
            continue
        example: dict[str, Any] = {}
        for name, argument in zip(parameters, call.args, strict=False):
            example[name] = _evaluate(argument, known)
        for keyword in call.keywords:
            if keyword.arg:
                example[keyword.arg] = _evaluate(keyword.value, known)
        yield {
            name: value
            for name, value in example.items()
            if value is not _UNKNOWN and name in unit.slots
        }


_UNKNOWN = object()


def _evaluate(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """Return the value of a literal, of a name bound to one, or of a simple call on one."""
    if isinstance(node, ast.Name):
        return known.get(node.id, _UNKNOWN)
    if isinstance(node, ast.Call):
        return _evaluate_call(node, known)
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left, known), _evaluate(node.right, known)
        if type(left) is int and type(right) is int:
            if isinstance(node.op, ast.Sub):
                return left - right
            if isinstance(node.op, ast.Add):
                return left + right
        return _UNKNOWN
    if isinstance(node, ast.List | ast.Tuple):
        items = [_evaluate(item, known) for item in node.elts]
        if any(item is _UNKNOWN for item in items):
            return _UNKNOWN
        return items if isinstance(node, ast.List) else tuple(items)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _UNKNOWN


def _evaluate_call(node: ast.Call, known: Mapping[str, Any]) -> Any:
    if not isinstance(node.func, ast.Name | ast.Attribute) or len(node.args) != 1 or node.keywords:
        return _UNKNOWN
    name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
    value = _evaluate(node.args[0], known)
    if value is _UNKNOWN:
        return _UNKNOWN
    if name == "len" and isinstance(value, list | tuple | str | dict):
        return len(value)
    if name in ("array", "list", "asarray", "deque") and isinstance(value, list | tuple):
        return list(value)
    if name == "tuple" and isinstance(value, list):
        return tuple(value)
    if name == "set" and isinstance(value, list):
        return value
    return _UNKNOWN
