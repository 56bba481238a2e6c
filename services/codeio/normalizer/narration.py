"""Tells a short function in words, for where nobody has said what it does."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.normalizer.scopes import Function

_MOST_STATEMENTS = 10
_LONGEST = 600

_UPDATES: dict[type[ast.operator], str] = {
    ast.Add: "add {value} to {target}",
    ast.Sub: "subtract {value} from {target}",
    ast.Mult: "multiply {target} by {value}",
    ast.Div: "divide {target} by {value}",
    ast.FloorDiv: "divide {target} by {value}, rounding down",
    ast.Mod: "replace {target} by its remainder on division by {value}",
}


class _TooMuch(Exception):
    """The function is too long, or does what there are no words for."""


def narrate(node: Function) -> str:
    """Return the steps of a function as one sentence, or nothing where that would not help."""
    body = [part for part in node.body if not _is_docstring(part)]
    if sum(isinstance(child, ast.stmt) for part in body for child in ast.walk(part)) > (
        _MOST_STATEMENTS
    ):
        return ""
    try:
        told = _block(body)
    except _TooMuch:
        return ""
    return told if 0 < len(told) <= _LONGEST else ""


def _block(statements: Sequence[ast.stmt]) -> str:
    return "; ".join(_statement(statement) for statement in statements)


def _statement(node: ast.stmt) -> str:  # noqa: C901  (one case per kind)
    match node:
        case ast.Assign(targets=[target], value=value):
            return f"let {_code(target)} be {_code(value)}"
        case ast.AugAssign(target=target, op=operator, value=value) if type(operator) in _UPDATES:
            return _UPDATES[type(operator)].format(target=_code(target), value=_code(value))
        case ast.For(target=target, iter=iterable, body=body, orelse=[]):
            return f"for each {_code(target)} in {_code(iterable)} ({_block(body)})"
        case ast.While(test=test, body=body, orelse=[]):
            return f"as long as {_code(test)} ({_block(body)})"
        case ast.If(test=test, body=body, orelse=orelse):
            told = f"if {_code(test)}, {_block(body)}"
            return f"{told}; otherwise {_block(orelse)}" if orelse else told
        case ast.Return(value=None):
            return "stop"
        case ast.Return(value=value):
            return f"the answer is {_code(value)}"
        case ast.Break():
            return "leave the loop"
        case ast.Continue():
            return "go on with the next"
        case ast.Expr(value=ast.Call() as call):
            return _call(call)
        case _:
            raise _TooMuch


def _call(node: ast.Call) -> str:
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr="append" | "add"), args=[item]):
            return f"put {_code(item)} into {_code(owner)}"
        case ast.Call(func=ast.Name(id="print"), args=[item], keywords=[]):
            return f"print {_code(item)}"
        case _:
            return f"do {_code(node)}"


def _code(node: ast.expr | None) -> str:
    text = ast.unparse(node) if node is not None else "nothing"
    if len(text) > 100:
        raise _TooMuch
    return f"`{text}`"


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
