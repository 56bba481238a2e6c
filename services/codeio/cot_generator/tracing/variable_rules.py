"""Demands on variables: back to the statement that set them, or to where a loop should end."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codeio.cot_generator.tracing import expression_rules, operations
from codeio.cot_generator.tracing.derivation import (
    Derivation,
    Edit,
    Moment,
    Path,
    evaluated,
    identical,
    shown,
)
from codeio.cot_generator.tracing.expressions import Fact, Said
from codeio.cot_generator.tracing.operations import Impossible
from codeio.cot_generator.tracing.story import heading, loops_around
from codeio.cot_generator.tracing.wording import code, counted
from codeio.runtime.trace import ELISION, position
from codeio.v1.records_pb2 import Claim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeio.cot_generator.tracing.inverter import Inverter
    from codeio.cot_generator.tracing.story import LoopRun
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
    step = inverter.trace.steps[changed]
    if not path:
        yield from _shorter_loop(inverter, node.id, target, step)
    if step.index == inverter.trace.frames[step.frame].entry:
        yield from _argument(inverter, node.id, path, target, inverter.trace.frames[step.frame])
        return
    statement = inverter.story.source.statements.get(step.statement)
    if statement is None:
        return
    via = Said(f"{code(node.id)} got its value in {code(heading(statement))}")
    for derivation in _set(inverter, node.id, path, target, step, statement):
        yield replace(derivation, reasons=(via, *derivation.reasons))


def _set(
    inverter: Inverter, name: str, path: Path, target: Any, step: Step, statement: Statement
) -> Iterator[Derivation]:
    """Follow a demand to the statement that gave the variable its value."""
    at = Moment(step)
    match statement:
        case ast.Assign(targets=[ast.Name()], value=ast.Constant()):
            yield from _otherwise(inverter, name, target, step, statement)
        case ast.Assign(targets=[ast.Name()], value=value):
            if not path and isinstance(target, str):
                yield from _pieces(inverter, name, target, step)
            yield from inverter.demand(value, path, target, at)
        case ast.AnnAssign(target=ast.Name(), value=ast.expr() as value):
            yield from inverter.demand(value, path, target, at)
        case ast.Assign(targets=[ast.Tuple() | ast.List() as names], value=value):
            places = [
                place
                for place, one in enumerate(names.elts)
                if isinstance(one, ast.Name) and one.id == name
            ]
            if len(places) == 1:
                yield from inverter.demand(value, (places[0], *path), target, at)
        case ast.AugAssign(target=ast.Name(), op=op, value=value) if not path:
            if isinstance(target, str):
                yield from _pieces(inverter, name, target, step)
            yield from _augmented(inverter, name, op, value, target, at)
        case ast.For(target=variable, iter=iterable):
            yield from _iterated(inverter, name, variable, iterable, path, target, step)
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append"), args=[_])):
            yield from _appended(inverter, name, path, target, step)
        case ast.Assign(targets=[ast.Subscript()]):
            yield from _entries(inverter, name, path, target, step)


def _otherwise(
    inverter: Inverter, name: str, target: Any, step: Step, statement: Statement
) -> Iterator[Derivation]:
    """Where the other branch would have set the wanted value, ask for the other branch."""
    branch = inverter.story.source.parents.get(statement)
    if not isinstance(branch, ast.If):
        return
    inside = statement in branch.body
    for node in branch.orelse if inside else branch.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=other)], value=ast.Constant(value=value)):
                if other == name and identical(value, target):
                    test = _decided(inverter, branch, step)
                    if test is not None:
                        yield from expression_rules.truth(
                            inverter, branch.test, not inside, Moment(test)
                        )


def _decided(inverter: Inverter, branch: ast.If, step: Step) -> Step | None:
    """Return the step of a frame that decided a condition last before another step."""
    place = position(branch)
    for other in reversed(inverter.trace.frame_steps[step.frame]):
        if other.index < step.index and other.statement == place:
            return other
    return None


def _augmented(
    inverter: Inverter, name: str, op: ast.operator, value: ast.expr, target: Any, at: Moment
) -> Iterator[Derivation]:
    before = ast.Name(id=name, ctx=ast.Load())
    old, added = inverter.known(before, at), inverter.known(value, at)
    try:
        wanted = operations.demanded_operand(op, added, old, target, left=False)
        yield from inverter.then(value, (), wanted, at, [inverter.fact(before, at)])
    except Impossible:
        pass
    wanted = operations.demanded_operand(op, old, added, target, left=True)
    yield from inverter.then(before, (), wanted, at, [inverter.fact(value, at)])


def _iterated(
    inverter: Inverter,
    name: str,
    variable: ast.expr,
    iterable: ast.expr,
    path: Path,
    target: Any,
    step: Step,
) -> Iterator[Derivation]:
    """Demand it of the element that a loop's variable stood for."""
    runs = loops_around(inverter.story, step, header=True)
    if not runs:
        return
    run, place = runs[-1]
    at = Moment(run.first)
    inside: Path = ()
    if isinstance(variable, ast.Tuple):
        places = [
            index
            for index, one in enumerate(variable.elts)
            if isinstance(one, ast.Name) and one.id == name
        ]
        if len(places) != 1:
            return
        inside = (places[0],)
    match iterable:
        case ast.Call(func=ast.Name(id="range")):
            return
        case ast.Call(func=ast.Name(id="enumerate"), args=[items]) if inside == (1,):
            yield from inverter.demand(items, (place, *path), target, at)
        case ast.Call(func=ast.Name(id="zip"), args=several) if inside and inside[0] < len(several):
            yield from inverter.demand(several[inside[0]], (place, *path), target, at)
        case _:
            yield from inverter.demand(iterable, (place, *inside, *path), target, at)


def _appended(
    inverter: Inverter, name: str, path: Path, target: Any, step: Step
) -> Iterator[Derivation]:
    """Demand the items of a list of the calls that appended them."""
    appends: list[tuple[ast.expr, Step]] = []
    for other in inverter.trace.frame_steps[step.frame]:
        if other.index > step.index:
            break
        if name not in other.changes:
            continue
        match inverter.story.source.statements.get(other.statement):
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(attr="append", value=ast.Name()), args=[item])
            ):
                appends.append((item, other))
            case _:
                appends.clear()
    if path:
        if path[0] in range(len(appends)):
            item, at = appends[path[0]]
            yield from inverter.demand(item, path[1:], target, Moment(at))
    elif isinstance(target, list) and len(target) == len(appends):
        yield from inverter.all(
            [
                (item, (), value, Moment(at))
                for (item, at), value in zip(appends, target, strict=True)
            ]
        )


def _pieces(inverter: Inverter, name: str, target: str, step: Step) -> Iterator[Derivation]:
    """Demand the characters of a text of the statements that added them one by one."""
    pieces: list[tuple[ast.expr, Step]] = []
    for other in inverter.trace.frame_steps[step.frame]:
        if other.index > step.index:
            break
        if name not in other.changes:
            continue
        match inverter.story.source.statements.get(other.statement):
            case ast.AugAssign(op=ast.Add(), value=piece):
                pieces.append((piece, other))
            case ast.Assign(value=ast.BinOp(left=ast.Name(id=before), op=ast.Add(), right=piece)):
                if before != name:
                    return
                pieces.append((piece, other))
            case ast.Assign(value=ast.Constant(value="")):
                pieces.clear()
            case _:
                return
    if not pieces or len(pieces) != len(target):
        return
    if all(len(str(inverter.known(piece, Moment(at)))) == 1 for piece, at in pieces):
        yield from inverter.all(
            [
                (piece, (), character, Moment(at))
                for (piece, at), character in zip(pieces, target, strict=True)
            ]
        )


def _entries(
    inverter: Inverter, name: str, path: Path, target: Any, step: Step
) -> Iterator[Derivation]:
    """Demand the entries of a table of the statements that stored them last."""
    before = inverter.trace.steps[step.index].changes[name]
    table = evaluated(before) if before is not None and ELISION not in before else None
    wanted: dict[Any, Any]
    if path:
        wanted = {path[0]: target}
    elif isinstance(table, list) and isinstance(target, list) and len(table) == len(target):
        wanted = {
            place: value for place, value in enumerate(target) if not identical(table[place], value)
        }
    elif isinstance(table, dict) and isinstance(target, dict) and table.keys() == target.keys():
        wanted = {key: value for key, value in target.items() if not identical(table[key], value)}
    else:
        return
    demands: list[tuple[ast.expr, Path, Any, Moment]] = []
    for key, value in wanted.items():
        stored = _stored(inverter, name, key, step)
        if stored is None:
            return
        demands.append((stored[0], path[1:], value, Moment(stored[1])))
    yield from inverter.all(demands)


def _stored(inverter: Inverter, name: str, key: Any, last: Step) -> tuple[ast.expr, Step] | None:
    for other in reversed(inverter.trace.frame_steps[last.frame]):
        if other.index > last.index:
            continue
        match inverter.story.source.statements.get(other.statement):
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id=stored), slice=index)], value=value
            ) if stored == name and not isinstance(index, ast.Slice):
                if inverter.has(index, (), key, Moment(other)):
                    return value, other
    return None


def _argument(
    inverter: Inverter, name: str, path: Path, target: Any, frame: Frame
) -> Iterator[Derivation]:
    """Follow a parameter to the call that gave it, or to the input itself."""
    if frame.caller < 0:
        yield Derivation((Edit((name, *path), target),), ())
        return
    step = inverter.trace.steps[frame.caller]
    statement = inverter.story.source.statements.get(step.statement)
    definition = inverter.story.definition(frame)
    if statement is None or definition is None:
        return
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
        return
    parameters = [a.arg for a in (*definition.args.posonlyargs, *definition.args.args)]
    if parameters[:1] in (["self"], ["cls"]):
        parameters = parameters[1:]
    given = dict(zip(parameters, calls[0].args, strict=False))
    given.update({keyword.arg: keyword.value for keyword in calls[0].keywords if keyword.arg})
    argument = given.get(name)
    if argument is None or isinstance(argument, ast.Starred):
        return
    source = ast.unparse(argument)
    via = Said(f"{code(name)} of {code(frame.function)} was given as {code(source)}")
    for derivation in inverter.demand(argument, path, target, Moment(step)):
        if source == name:
            yield derivation
        else:
            yield replace(derivation, reasons=(via, *derivation.reasons))


def _shorter_loop(inverter: Inverter, name: str, target: Any, last: Step) -> Iterator[Derivation]:
    """Where the variable had the wanted value before, end the loop that changed it then."""
    history = [step for step in inverter.trace.frame_steps[last.frame] if name in step.changes]
    found = None
    for step, after in zip(history, history[1:], strict=False):
        text = step.changes[name]
        try:
            if text is not None and ELISION not in text and identical(evaluated(text), target):
                found = (step, after, text)
        except Impossible:
            continue
    if found is None:
        return
    step, after, text = found
    yield from _unchanged(inverter, name, target, step)
    inside = {id(run): place for run, place in loops_around(inverter.story, step)}
    for run, place in loops_around(inverter.story, after):
        if inside.get(id(run)) == place:
            continue
        source = heading(run.node)
        when = f"after {counted(place, 'round')} of" if place else "before"
        end = "end there" if place else "not run at all"
        fact = Fact(Claim.KIND_VALUE, step.index, step.statement.line, name, text)
        said = Said(
            f"{code(name)} was already {shown(target)} {when} the loop {code(source)}, "
            f"so that loop should {end}",
            (fact,),
        )
        for derivation in _ended(inverter, run, place):
            yield replace(derivation, reasons=(said, *derivation.reasons))
        return


def _unchanged(inverter: Inverter, name: str, target: Any, found: Step) -> Iterator[Derivation]:
    """Ask the condition under which the variable lost the wanted value to be false."""
    for step in inverter.trace.steps[found.index + 1 :]:
        if name not in step.changes or step.index == inverter.trace.frames[step.frame].entry:
            continue
        statement = inverter.story.source.statements.get(step.statement)
        branch = inverter.story.source.parents.get(statement) if statement else None
        if not isinstance(branch, ast.If):
            continue
        decided = _decided(inverter, branch, step)
        if decided is None or statement is None:
            return
        said = Said(
            f"{code(name)} was {shown(target)} until {code(heading(statement))} changed it, which "
            f"stands under {code(heading(branch))}"
        )
        wanted = statement not in branch.body
        for way in expression_rules.truth(inverter, branch.test, wanted, Moment(decided)):
            yield replace(way, reasons=(said, *way.reasons))
        return


def _ended(inverter: Inverter, run: LoopRun, rounds: int) -> Iterator[Derivation]:
    """Derive what would make a loop end after so many rounds."""
    node = run.node
    if isinstance(node, ast.While):
        header = run.iterations[rounds].header
        yield from expression_rules.truth(inverter, node.test, False, Moment(header))
        return
    at = Moment(run.first)
    match node.iter:
        case ast.Call(func=ast.Name(id="range"), args=[*bounds]):
            texts = run.first.values.get(position(node.iter), ())
            whole = operations.range_of(texts[0]) if texts else None
            if whole is not None and rounds < len(whole):
                end = bounds[0] if len(bounds) == 1 else bounds[1]
                yield from inverter.then(end, (), whole[rounds], at)
        case ast.Call(func=ast.Name(id="enumerate" | "zip" | "reversed"), args=[items, *_]):
            kept = inverter.known(items, at)
            yield from inverter.then(items, (), kept[:rounds], at)
        case items:
            kept = inverter.known(items, at)
            if isinstance(kept, str | list):
                yield from inverter.then(items, (), kept[:rounds], at)
