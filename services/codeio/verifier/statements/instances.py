"""Expressions of the program with values put in: `3 * 11 + 1` is `3 * n + 1` where n is 11."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.verifier.statements.context import Context, combined
from codeio.verifier.statements.evaluation import OPAQUE, literal_of
from codeio.verifier.statements.judging import Support, judge
from codeio.verifier.statements.stated import stated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.run import Run


def put_in(name: Item, instance: Item, context: Context) -> None:
    """Judge what an assignment has put in: `total = sum([1, 2])` where it is `sum(digits)`."""
    if instance.node is None or not context.runs:
        return
    supports: list[list[Support]] = []
    for value in _sources(context.runs[0].source.tree, name.name):
        parts = differences(value, instance.node)
        if parts:
            supports.append([_part(run, part) for part in parts for run in context.runs])
    if supports and all(Support.CONTRADICTED in each for each in supports):
        text = ast.unparse(instance.node)
        context.add("value", (name, instance), name.name, text, Support.CONTRADICTED)


def _sources(tree: ast.Module, name: str) -> Iterator[ast.expr]:
    """Yield what the program assigns to a variable, or returns where there is no name."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                yield value
            case ast.Return(value=ast.expr() as value) if not name:
                yield value


def is_foreign(item: Item, runs: Sequence[Run]) -> bool:
    """Tell whether an expression is one of the program's with a value that it never had there.

    Something else in it has to fit, so that the program's expression must be meant.
    """
    if item.node is None or not runs:
        return False
    if not isinstance(item.node, ast.Compare | ast.BinOp) or (
        isinstance(item.node, ast.BinOp) and not isinstance(item.node.op, ast.Mod | ast.FloorDiv)
    ):
        return False
    foreign = False
    for pattern in runs[0].source.expressions.values():
        if type(pattern) is not type(item.node):
            continue
        parts = differences(pattern, item.node)
        if not parts:
            continue
        supports = [combined([_part(run, part) for run in runs]) for part in parts]
        if Support.CONTRADICTED not in supports:
            return False
        fits = Support.SUPPORTED in supports or _has_constant(pattern)
        named = all(isinstance(part, ast.Name) for part, _ in parts)
        foreign = foreign or (fits and named and supports.count(Support.CONTRADICTED) == 1)
    return foreign


def is_elsewhere(item: Item, context: Context) -> bool:
    """Tell whether a comparison of numbers is one of the program's, but not at this moment.

    All but one of its parts have to fit the moment, and no other comparison may fit it whole.
    """
    if context.window is None or not isinstance(item.node, ast.Compare) or not context.runs:
        return False
    found = False
    for pattern in context.runs[0].source.expressions.values():
        if not isinstance(pattern, ast.Compare):
            continue
        parts = differences(pattern, item.node)
        if not parts:
            continue
        supports = [
            combined([judge(run, node, said, window=context.window) for run in context.runs])
            for node, said in ((node, stated(value, repr(value))) for node, value in parts)
        ]
        if Support.CONTRADICTED not in supports:
            return False
        found = found or (
            supports.count(Support.CONTRADICTED) == 1 and Support.SUPPORTED in supports
        )
    return found


def is_untested(number: int, runs: Sequence[Run]) -> bool:
    """Tell whether the program tests a variable's parity, and no variable is ever this number."""
    tested = False
    for node in runs[0].source.expressions.values() if runs else ():
        match node:
            case ast.BinOp(left=ast.Name(), op=ast.Mod(), right=ast.Constant(value=2)):
                tested = True
            case _:
                pass
    return tested and all(
        run.complete and run.numbers is not None and number not in run.numbers for run in runs
    )


def _has_constant(pattern: ast.expr) -> bool:
    return isinstance(pattern, ast.Compare) and isinstance(pattern.left, ast.BinOp)


def _part(run: Run, part: tuple[ast.expr, object]) -> Support:
    node, value = part
    return judge(run, node, stated(value, repr(value)))


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
