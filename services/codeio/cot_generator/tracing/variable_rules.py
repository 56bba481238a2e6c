"""Demands on variables: back to the statements that gave them their values."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codeio.cot_generator.tracing import expression_rules, loop_rules, operations
from codeio.cot_generator.tracing.derivation import (
    Derivation,
    Edit,
    Moment,
    Path,
    Wish,
    evaluated,
    identical,
)
from codeio.cot_generator.tracing.expressions import Said
from codeio.cot_generator.tracing.operations import Impossible
from codeio.cot_generator.tracing.story import heading, loops_around
from codeio.cot_generator.tracing.wording import code
from codeio.runtime.trace import ELISION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeio.cot_generator.tracing.inverter import Inverter
    from codeio.runtime.trace import Frame, Statement, Step


def name(
    inverter: Inverter, node: ast.Name, path: Path, target: Any, at: Moment
) -> Iterator[Derivation]:
    """Derive what would give a variable, or its part at a path, the target value."""
    for bound, iterable, place in at.bound:
        if bound == node.id:
            outside = replace(at, bound=(), occurrence=0)
            yield from inverter.demand(iterable, (*place, *path), target, outside)
            return
    changed = inverter.trace.changed(node.id, frame=at.step.frame, before=at.step.index)
    if changed is None:
        return
    wish = Wish(node.id, path, target, inverter.trace.steps[changed])
    frame = inverter.trace.frames[wish.step.frame]
    if not path:
        yield from loop_rules.kept(inverter, wish)
    if changed == frame.entry:
        yield from _argument(inverter, wish, frame)
        return
    statement = inverter.story.source.statements.get(wish.step.statement)
    if statement is None:
        return
    via = Said(f"{code(node.id)} got its value in {code(heading(statement))}")
    for derivation in _set(inverter, wish, statement):
        yield replace(derivation, reasons=(via, *derivation.reasons))


def _set(inverter: Inverter, wish: Wish, statement: Statement) -> Iterator[Derivation]:
    """Follow a wish to the statement that gave the variable its value."""
    at = Moment(wish.step)
    match statement:
        case ast.Assign(targets=[ast.Name()], value=ast.Constant()):
            yield from _otherwise(inverter, wish, statement)
        case (
            ast.Assign(targets=[ast.Name()], value=value)
            | ast.AnnAssign(target=ast.Name(), value=ast.expr() as value)
        ):
            yield from _pieces(inverter, wish)
            yield from inverter.demand(value, wish.path, wish.target, at)
        case ast.Assign(targets=[ast.Tuple() | ast.List() as names], value=value):
            place = _place(names, wish.name)
            if place is not None:
                yield from inverter.demand(value, (place, *wish.path), wish.target, at)
        case ast.AugAssign(target=ast.Name(), op=op, value=value) if not wish.path:
            yield from _pieces(inverter, wish)
            yield from _augmented(inverter, wish, op, value)
        case ast.For(target=variable, iter=iterable):
            yield from _iterated(inverter, wish, variable, iterable)
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append"), args=[_])):
            yield from _appended(inverter, wish)
        case ast.Assign(targets=[ast.Subscript()]):
            yield from _entries(inverter, wish)


def _place(names: ast.Tuple | ast.List, wanted: str) -> int | None:
    """Return which of several targets a name is."""
    places = [
        place
        for place, one in enumerate(names.elts)
        if isinstance(one, ast.Name) and one.id == wanted
    ]
    return places[0] if len(places) == 1 else None


def _otherwise(inverter: Inverter, wish: Wish, statement: Statement) -> Iterator[Derivation]:
    """Where the other branch would have set the wanted value, ask for the other branch."""
    branch = inverter.story.source.parents.get(statement)
    if not isinstance(branch, ast.If):
        return
    inside = statement in branch.body
    for node in branch.orelse if inside else branch.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=other)], value=ast.Constant(value=value)) if (
                other == wish.name and identical(value, wish.target)
            ):
                test = loop_rules.decided(inverter, branch, wish.step)
                if test is not None:
                    yield from expression_rules.truth(
                        inverter, branch.test, not inside, Moment(test)
                    )


def _augmented(
    inverter: Inverter, wish: Wish, op: ast.operator, value: ast.expr
) -> Iterator[Derivation]:
    at = Moment(wish.step)
    before = ast.Name(id=wish.name, ctx=ast.Load())
    old, added = inverter.known(before, at), inverter.known(value, at)
    try:
        wanted = operations.demanded_operand(op, added, old, wish.target, left=False)
        yield from inverter.then(value, (), wanted, at, [inverter.fact(before, at)])
    except Impossible:
        pass
    wanted = operations.demanded_operand(op, old, added, wish.target, left=True)
    yield from inverter.then(before, (), wanted, at, [inverter.fact(value, at)])


def _iterated(
    inverter: Inverter, wish: Wish, variable: ast.expr, iterable: ast.expr
) -> Iterator[Derivation]:
    """Demand it of the element that a loop's variable stood for."""
    runs = loops_around(inverter.story, wish.step, header=True)
    if not runs:
        return
    run, place = runs[-1]
    at = Moment(run.first)
    inside: Path = ()
    if isinstance(variable, ast.Tuple):
        part = _place(variable, wish.name)
        if part is None:
            return
        inside = (part,)
    match iterable:
        case ast.Call(func=ast.Name(id="range")):
            return
        case ast.Call(func=ast.Name(id="enumerate"), args=[items]) if inside == (1,):
            yield from inverter.demand(items, (place, *wish.path), wish.target, at)
        case ast.Call(func=ast.Name(id="zip"), args=several) if inside and inside[0] < len(several):
            items = several[inside[0]]
            yield from inverter.demand(items, (place, *wish.path), wish.target, at)
        case _:
            yield from inverter.demand(iterable, (place, *inside, *wish.path), wish.target, at)


def _changes(inverter: Inverter, wish: Wish) -> Iterator[tuple[Statement | None, Step]]:
    """Yield the statements of the frame that changed the variable, the wish's own the last."""
    for step in inverter.trace.frame_steps[wish.step.frame]:
        if step.index > wish.step.index:
            return
        if wish.name in step.changes:
            yield inverter.story.source.statements.get(step.statement), step


def _appended(inverter: Inverter, wish: Wish) -> Iterator[Derivation]:
    """Demand the items of a list of the calls that appended them."""
    appends: list[tuple[ast.expr, Moment]] = []
    for statement, step in _changes(inverter, wish):
        match statement:
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(attr="append", value=ast.Name()), args=[item])
            ):
                appends.append((item, Moment(step)))
            case _:
                appends.clear()
    if wish.path:
        if wish.path[0] in range(len(appends)):
            item, at = appends[wish.path[0]]
            yield from inverter.demand(item, wish.path[1:], wish.target, at)
    elif isinstance(wish.target, list) and len(wish.target) == len(appends):
        yield from inverter.all(
            [(item, (), value, at) for (item, at), value in zip(appends, wish.target, strict=True)]
        )


def _pieces(inverter: Inverter, wish: Wish) -> Iterator[Derivation]:
    """Demand the characters of a text of the statements that added them one by one."""
    if wish.path or not isinstance(wish.target, str):
        return
    pieces: list[tuple[ast.expr, Moment]] = []
    for statement, step in _changes(inverter, wish):
        match statement:
            case ast.AugAssign(op=ast.Add(), value=piece):
                pieces.append((piece, Moment(step)))
            case ast.Assign(value=ast.BinOp(left=ast.Name(id=before), op=ast.Add(), right=piece)):
                if before != wish.name:
                    return
                pieces.append((piece, Moment(step)))
            case ast.Assign(value=ast.Constant(value="")):
                pieces.clear()
            case _:
                return
    if not pieces or len(pieces) != len(wish.target):
        return
    if all(len(str(inverter.known(piece, at))) == 1 for piece, at in pieces):
        yield from inverter.all(
            [
                (piece, (), character, at)
                for (piece, at), character in zip(pieces, wish.target, strict=True)
            ]
        )


def _entries(inverter: Inverter, wish: Wish) -> Iterator[Derivation]:
    """Demand the entries of a table of the statements that stored them last."""
    wanted: dict[Any, Any] = {}
    rest: Path = ()
    if wish.path:
        wanted, rest = {wish.path[0]: wish.target}, wish.path[1:]
    else:
        text = wish.step.changes[wish.name]
        table: Any = evaluated(text) if text is not None and ELISION not in text else None
        for key, value in _paired(table, wish.target):
            if not identical(table[key], value):
                wanted[key] = value
    demands: list[tuple[ast.expr, Path, Any, Moment]] = []
    for key, value in wanted.items():
        stored = _stored(inverter, wish, key)
        if stored is None:
            return
        demands.append((stored[0], rest, value, stored[1]))
    if demands:
        yield from inverter.all(demands)


def _paired(table: Any, target: Any) -> list[tuple[Any, Any]]:
    """Return the target's entries by key, where a table has the same keys."""
    if isinstance(table, list) and isinstance(target, list) and len(table) == len(target):
        return list(enumerate(target))
    if isinstance(table, dict) and isinstance(target, dict) and table.keys() == target.keys():
        return list(target.items())
    return []


def _stored(inverter: Inverter, wish: Wish, key: Any) -> tuple[ast.expr, Moment] | None:
    """Return what was stored last under a key of a table, and when."""
    for statement, step in reversed(list(_changes(inverter, wish))):
        match statement:
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id=stored), slice=index)], value=value
            ) if stored == wish.name and not isinstance(index, ast.Slice):
                if inverter.has(index, (), key, Moment(step)):
                    return value, Moment(step)
    return None


def _argument(inverter: Inverter, wish: Wish, frame: Frame) -> Iterator[Derivation]:
    """Follow a parameter to the call that gave it, or to the input itself."""
    if frame.caller < 0:
        yield Derivation((Edit((wish.name, *wish.path), wish.target),), ())
        return
    step = inverter.trace.steps[frame.caller]
    argument = _given(inverter, wish.name, frame, step)
    if argument is None:
        return
    source = ast.unparse(argument)
    via = Said(f"{code(wish.name)} of {code(frame.function)} was given as {code(source)}")
    for derivation in inverter.demand(argument, wish.path, wish.target, Moment(step)):
        if source == wish.name:
            yield derivation
        else:
            yield replace(derivation, reasons=(via, *derivation.reasons))


def _given(inverter: Inverter, name: str, frame: Frame, step: Step) -> ast.expr | None:
    """Return the expression that a call passed for a parameter."""
    statement = inverter.story.source.statements.get(step.statement)
    definition = inverter.story.definition(frame)
    if statement is None or definition is None:
        return None
    owner = inverter.story.source.parents.get(definition)
    names = {frame.function, owner.name if isinstance(owner, ast.ClassDef) else ""}
    calls = [
        node
        for node in ast.walk(statement)
        if isinstance(node, ast.Call)
        and (node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", ""))
        in names
    ]
    if len(calls) != 1:
        return None
    parameters = [a.arg for a in (*definition.args.posonlyargs, *definition.args.args)]
    if parameters[:1] in (["self"], ["cls"]):
        parameters = parameters[1:]
    given = dict(zip(parameters, calls[0].args, strict=False))
    given.update({keyword.arg: keyword.value for keyword in calls[0].keywords if keyword.arg})
    argument = given.get(name)
    return None if isinstance(argument, ast.Starred) else argument
