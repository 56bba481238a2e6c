"""Demands on expressions: which of their parts must have had which value."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codeio.cot_generator.tracing import operations
from codeio.cot_generator.tracing.derivation import Derivation, Moment, Path, replaced
from codeio.cot_generator.tracing.operations import Impossible
from codeio.runtime.trace import position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeio.cot_generator.tracing.inverter import Inverter
    from codeio.runtime.trace import Frame, Step


def expression(  # noqa: C901  (one case per kind of expression)
    inverter: Inverter, node: ast.expr, path: Path, target: Any, at: Moment
) -> Iterator[Derivation]:
    """Derive what would give an expression that is no name the target value."""
    match node:
        case ast.Subscript(slice=ast.Slice()):
            yield from _slice(inverter, node, path, target, at)
        case ast.Subscript():
            yield from _subscript(inverter, node, path, target, at)
        case ast.Attribute():
            yield from _attribute(inverter, node, path, target, at)
        case ast.List() | ast.Tuple() if path and path[0] in range(len(node.elts)):
            yield from inverter.demand(node.elts[path[0]], path[1:], target, at)
        case ast.Dict() if path:
            for key, value in zip(node.keys, node.values, strict=True):
                if key is not None and inverter.known(key, at) == path[0]:
                    yield from inverter.demand(value, path[1:], target, at)
        case ast.IfExp():
            outcomes = at.step.outcomes.get(position(node.test), ())
            if len(outcomes) == 1:
                taken, other = (node.body, node.orelse)[:: 1 if outcomes[0] else -1]
                if isinstance(other, ast.Constant) and other.value == target and not path:
                    yield from truth(inverter, node.test, not outcomes[0], at)
                yield from inverter.demand(taken, path, target, at)
        case ast.Call() if _callee(inverter, node, at.step) is not None:
            frame = _callee(inverter, node, at.step)
            assert frame is not None
            yield from inverter.returned(frame, path, target)
        case _:
            whole = replaced(inverter.known(node, at), path, target) if path else target
            yield from _whole(inverter, node, whole, at)


def _whole(inverter: Inverter, node: ast.expr, target: Any, at: Moment) -> Iterator[Derivation]:
    match node:
        case ast.BinOp():
            yield from _operation(inverter, node, target, at)
        case ast.List() | ast.Tuple() | ast.Dict():
            yield from _display(inverter, node, target, at)
        case ast.UnaryOp(op=ast.USub()) if isinstance(target, int | float):
            yield from inverter.demand(node.operand, (), -target, at)
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            if isinstance(target, bool):
                yield from truth(inverter, node, target, at)
        case ast.ListComp(generators=[generator]) if isinstance(target, list):
            yield from _comprehension(inverter, node.elt, generator, target, at)
        case ast.JoinedStr() if isinstance(target, str):
            yield from _template(inverter, node, target, at)
        case ast.Call():
            yield from _call(inverter, node, target, at)


def _operation(
    inverter: Inverter, node: ast.BinOp, target: Any, at: Moment
) -> Iterator[Derivation]:
    sides = ((node.right, node.left, False), (node.left, node.right, True))
    for operand, other, left in sides:
        try:
            wanted = operations.demanded_operand(
                node.op,
                inverter.known(operand, at),
                inverter.known(other, at),
                target,
                left=left,
            )
            fact = inverter.fact(other, at)
        except Impossible:
            continue
        yield from inverter.then(operand, (), wanted, at, [fact])
    if isinstance(node.op, ast.Mult) and type(target) is int:
        # The plainest product.
        yield from inverter.all([(node.left, (), target, at), (node.right, (), 1, at)])


def _display(
    inverter: Inverter, node: ast.List | ast.Tuple | ast.Dict, target: Any, at: Moment
) -> Iterator[Derivation]:
    if isinstance(node, ast.Dict):
        keys = [str(inverter.known(key, at)) for key in node.keys if key is not None]
        if not isinstance(target, dict) or len(keys) != len(node.keys) or {*keys} != {*target}:
            return
        parts = [(value, target[key]) for key, value in zip(keys, node.values, strict=True)]
    else:
        if not isinstance(target, list | tuple) or len(target) != len(node.elts):
            return
        parts = list(zip(node.elts, target, strict=True))
    yield from inverter.all([(part, (), value, at) for part, value in parts])


def truth(inverter: Inverter, node: ast.expr, wanted: bool, at: Moment) -> Iterator[Derivation]:
    """Derive what would make a condition come out as wanted."""
    match node:
        case ast.UnaryOp(op=ast.Not()):
            yield from truth(inverter, node.operand, not wanted, at)
        case ast.BoolOp():
            yield from _operands(inverter, node, wanted, at)
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            for part, other, swapped in ((left, right, False), (right, left, True)):
                try:
                    options = operations.demanded_side(
                        operator,
                        inverter.known(part, at),
                        inverter.known(other, at),
                        wanted=wanted,
                        swapped=swapped,
                    )
                    fact = inverter.fact(other, at)
                except Impossible:
                    continue
                for option in options:
                    yield from inverter.then(part, (), option, at, [fact])
        case _:
            try:
                value = inverter.known(node, at)
            except Impossible:
                return
            if isinstance(value, bool):
                yield from inverter.demand(node, (), wanted, at)
            elif isinstance(value, int | str | list | dict) and not wanted:
                yield from inverter.then(node, (), type(value)(), at)


def _operands(
    inverter: Inverter, node: ast.BoolOp, wanted: bool, at: Moment
) -> Iterator[Derivation]:
    if wanted is isinstance(node.op, ast.Or):
        # One operand is enough.
        for operand in node.values:
            yield from truth(inverter, operand, wanted, at)
        return
    found: list[Derivation] = []
    for operand in node.values:
        try:
            if bool(inverter.known(operand, at)) is wanted:
                continue
        except Impossible:
            return
        derivation = next(truth(inverter, operand, wanted, at), None)
        if derivation is None:
            return
        found.append(derivation)
    yield Derivation(
        tuple(edit for one in found for edit in one.edits),
        tuple(reason for one in found for reason in one.reasons),
    )


def _slice(
    inverter: Inverter, node: ast.Subscript, path: Path, target: Any, at: Moment
) -> Iterator[Derivation]:
    assert isinstance(node.slice, ast.Slice)
    base = inverter.known(node.value, at)
    part = replaced(inverter.known(node, at), path, target) if path else target
    if not isinstance(base, str | list) or type(part) is not type(base):
        return
    bounds = [
        None if bound is None else inverter.known(bound, at)
        for bound in (node.slice.lower, node.slice.upper, node.slice.step)
    ]
    places = range(len(base))[slice(*bounds)]
    if len(part) == len(places):
        items = list(base)
        for place, item in zip(places, part, strict=True):
            items[place] = item
        whole = "".join(items) if isinstance(base, str) else items
    elif bounds[:2] == [None, None] and bounds[2] in (None, 1, -1):
        # A copy of the whole may have any length.
        whole = part[:: bounds[2]]
    else:
        return
    yield from inverter.then(node.value, (), whole, at)


def _subscript(
    inverter: Inverter, node: ast.Subscript, path: Path, target: Any, at: Moment
) -> Iterator[Derivation]:
    index = inverter.known(node.slice, at)
    if not path:
        try:
            table = inverter.known(node.value, at)
        except Impossible:
            table = None
        # In a table the value may stand elsewhere already.
        for key in operations.places(table, target):
            if type(key) is type(index):
                yield from inverter.then(node.slice, (), key, at)
    yield from inverter.demand(node.value, (index, *path), target, at)


def _attribute(
    inverter: Inverter, node: ast.Attribute, path: Path, target: Any, at: Moment
) -> Iterator[Derivation]:
    """Follow an attribute to the last assignment to one of its name."""
    for step in reversed(inverter.trace.steps[: at.step.index]):
        statement = inverter.story.source.statements.get(step.statement)
        match statement:
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=value) if name == node.attr:
                yield from inverter.then(value, path, target, Moment(step))
                return


def _comprehension(
    inverter: Inverter,
    element: ast.expr,
    generator: ast.comprehension,
    target: list[Any],
    at: Moment,
) -> Iterator[Derivation]:
    if not isinstance(generator.target, ast.Name) or at.bound or generator.ifs:
        return
    items = inverter.known(generator.iter, at)
    if not isinstance(items, str | list) or len(target) != len(items):
        return
    yield from inverter.all(
        [
            (
                element,
                (),
                value,
                replace(
                    at,
                    occurrence=place,
                    bound=((generator.target.id, generator.iter, (place,)),),
                ),
            )
            for place, value in enumerate(target)
        ]
    )


def _template(
    inverter: Inverter, node: ast.JoinedStr, target: str, at: Moment
) -> Iterator[Derivation]:
    pattern = ""
    holes: list[ast.expr] = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            if part.conversion != -1:
                return
            holes.append(part.value)
            pattern += "(.*?)"
        elif isinstance(part, ast.Constant):
            pattern += re.escape(str(part.value))
    found = re.fullmatch(pattern, target, re.DOTALL)
    if found is None:
        return
    yield from inverter.all(
        [
            (hole, (), operations.converted(text, inverter.known(hole, at)), at)
            for hole, text in zip(holes, found.groups(), strict=True)
        ]
    )


def _call(inverter: Inverter, node: ast.Call, target: Any, at: Moment) -> Iterator[Derivation]:
    if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
        return
    if isinstance(node.func, ast.Attribute):
        receiver = node.func.value
        if not (isinstance(receiver, ast.Name) and receiver.id in ("math", "np")):
            yield from _method(inverter, node, node.func, target, at)
            return
        name = f"{receiver.id}.{node.func.attr}"
    elif isinstance(node.func, ast.Name):
        name = node.func.id
    else:
        return
    match node:
        case ast.Call(args=[ast.Call(func=ast.Name(id="map"), args=[convert, items])]) if (
            name == "list"
        ):
            yield from _mapped(inverter, convert, items, target, at)
            return
    for place, argument in enumerate(node.args):
        rest = [other for index, other in enumerate(node.args) if index != place]
        try:
            wanted = operations.demanded_argument(
                name,
                inverter.known(argument, at),
                [inverter.known(other, at) for other in rest],
                place,
                target,
            )
            facts = [inverter.fact(other, at) for other in rest]
        except Impossible:
            continue
        yield from inverter.then(argument, (), wanted, at, facts)


def _mapped(
    inverter: Inverter, convert: ast.expr, items: ast.expr, target: Any, at: Moment
) -> Iterator[Derivation]:
    """Turn `list(map(int, items))` round."""
    before = inverter.known(items, at)
    plain = isinstance(convert, ast.Name) and convert.id in ("int", "float", "str")
    if plain and isinstance(target, list) and isinstance(before, list) and before:
        wanted = [operations.converted(str(value), before[0]) for value in target]
        yield from inverter.then(items, (), wanted, at)


def _method(
    inverter: Inverter, node: ast.Call, function: ast.Attribute, target: Any, at: Moment
) -> Iterator[Derivation]:
    receiver = function.value
    if function.attr == "format" and len(node.args) == 1 and isinstance(target, str):
        value = operations.converted(target, inverter.known(node.args[0], at))
        yield from inverter.then(node.args[0], (), value, at)
        return
    if function.attr == "join" and len(node.args) == 1:
        wanted = operations.demanded_receiver("join", inverter.known(receiver, at), [], target)
        yield from inverter.then(node.args[0], (), wanted, at)
        return
    arguments = [inverter.known(argument, at) for argument in node.args]
    if function.attr == "get" and arguments:
        for key in operations.places(inverter.known(receiver, at), target):
            yield from inverter.then(node.args[0], (), key, at)
        return
    wanted = operations.demanded_receiver(
        function.attr, inverter.known(receiver, at), arguments, target
    )
    yield from inverter.then(receiver, (), wanted, at)


def _callee(inverter: Inverter, node: ast.Call, step: Step) -> Frame | None:
    """Return the frame that a call of one of the program's own functions opened."""
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    frames = [frame for frame in inverter.story.calls(step) if frame.function == name]
    return frames[0] if len(frames) == 1 else None
