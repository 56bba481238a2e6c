"""Expressions of the program with values put in: `3 * 11 + 1` is `3 * n + 1` where n is 11."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.verifier.statements.evaluation import OPAQUE, literal_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def differences(pattern: ast.expr, instance: ast.expr) -> list[tuple[ast.expr, object]]:
    """Return which parts of an expression have which values in another; empty if not alike."""
    try:
        return list(_differences(pattern, instance))
    except _UnlikeError:
        return []


class _UnlikeError(Exception):
    pass


def _differences(pattern: ast.AST, instance: ast.AST) -> Iterator[tuple[ast.expr, object]]:
    if ast.dump(pattern) == ast.dump(instance):
        return
    literal = literal_of(instance) if isinstance(instance, ast.expr) else OPAQUE
    if literal is not OPAQUE and isinstance(pattern, ast.Attribute):
        return  # attributes are traced only where they are read
    if literal is not OPAQUE and isinstance(pattern, ast.expr):
        if literal_of(pattern) is not OPAQUE:
            raise _UnlikeError
        yield pattern, literal
        return
    if type(pattern) is not type(instance):
        raise _UnlikeError
    if isinstance(pattern, ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp):
        return  # its variables are its own
    for one, other in zip(_children(pattern), _children(instance), strict=False):
        yield from _differences(one, other)
    if len(_children(pattern)) != len(_children(instance)):
        raise _UnlikeError
    if _label(pattern) != _label(instance):
        raise _UnlikeError


def _children(node: ast.AST) -> list[ast.AST]:
    skipped = ast.expr_context
    return [child for child in ast.iter_child_nodes(node) if not isinstance(child, skipped)]


def _label(node: ast.AST) -> object:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Constant(value=value):
            return value
        case _:
            return None
