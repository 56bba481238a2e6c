"""Turning a traced run round: from the output it should have had to the input that it needs.

A demand says which value a part of the program would have to have had. It is
followed backwards along the trace: from what is returned to the operations that
made it, from a variable to the statement that set it, from an argument to the call,
until it reaches the input. Where an operation has several operands, one is asked to
change and the others stay as they were in the run; so a derived input is a proposal
that has to be executed, not a proof.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from codeio.cot_generator.tracing.expressions import Said
from codeio.cot_generator.tracing.operations import (
    Impossible,
    demanded_operand,
    demanded_receiver,
    elements_demanded,
)
from codeio.cot_generator.tracing.wording import code
from codeio.runtime.trace import ELISION, claim_value, position
from codeio.v1.records_pb2 import Claim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeio.cot_generator.tracing.story import Story
    from codeio.runtime.trace import Frame, Step

Path = tuple[Any, ...]

_MAX_SHOWN = 70
_MAX_STEPS = 14


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
        done: dict[Path, Any] = {}
        for edit in self.edits:
            if edit.path in done and done[edit.path] != edit.value:
                raise Impossible
            done[edit.path] = edit.value
            changed = replaced(changed, edit.path, edit.value)
        return changed


@dataclass(frozen=True)
class Moment:
    """Where in the trace an expression is looked at."""

    step: Step
    occurrence: int = 0
    bound: tuple[tuple[str, ast.expr, Path], ...] = ()
    """Variables of comprehensions: the name, what it iterates over, and where in it."""


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
    except (KeyError, IndexError, TypeError) as error:
        raise Impossible from error
    if isinstance(value, str):
        if not (isinstance(part, str) and len(part) == 1):
            raise Impossible
        key %= len(value)
        return value[:key] + part + value[key + 1 :]
    if isinstance(value, tuple):
        return (*value[: key % len(value)], part, *value[key % len(value) + 1 :])
    changed = copy.copy(value)
    changed[key] = part
    return changed


class Inverter:
    """Follows demands through one trace."""

    def __init__(self, story: Story, *, input_json: str, fuel: int = 600) -> None:
        self.story = story
        self.trace = story.trace
        self.input_json = input_json
        self.fuel = fuel

    def from_output(self, target: Any) -> Iterator[Derivation]:
        """Derive what would make the run return the target."""
        yield from self._returned(self.trace.frames[0], (), target)

    def from_condition(self, test: ast.expr, step: Step, outcome: bool) -> Iterator[Derivation]:
        """Derive what would make a condition come out otherwise than it did."""
        yield from self._truth(test, outcome, Moment(step))

    # What is known.

    def known(self, node: ast.expr, at: Moment) -> Any:
        """Return the Python value that an expression had.

        Raises:
            Impossible: it is not known in full.
        """
        return evaluated(self._text(node, at))

    def _text(self, node: ast.expr, at: Moment) -> str:
        if isinstance(node, ast.Constant):
            return repr(node.value)
        if isinstance(node, ast.Name):
            for name, iterable, path in at.bound:
                if name == node.id:
                    value = self.known(iterable, replace(at, bound=()))
                    for key in path:
                        try:
                            value = value[key]
                        except (IndexError, KeyError, TypeError) as error:
                            raise Impossible from error
                    return repr(value)
            changed = self.trace.changed(node.id, frame=at.step.frame, before=at.step.index)
            if changed is None:
                text = self.trace.constants.get(node.id)
            else:
                text = self.trace.steps[changed].changes[node.id]
        elif isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
            text = ast.unparse(node)
        else:
            texts = self.trace.steps[at.step.index].values.get(position(node), ())
            place = at.occurrence if at.bound else 0
            text = texts[place] if place < len(texts) and (at.bound or len(texts) == 1) else None
        if text is None or ELISION in text:
            raise Impossible
        return text

    def _fact(self, node: ast.expr, at: Moment) -> Said:
        """Say what an operand was in the run."""
        text = self._text(node, at)
        if isinstance(node, ast.Constant) or len(text) > _MAX_SHOWN:
            return Said("")
        source = ast.unparse(node)
        if source == text:
            return Said("")
        if at.bound:
            return Said(f"{code(source)} is {code(text)}")
        step = at.step
        if isinstance(node, ast.Name):
            changed = self.trace.changed(node.id, frame=at.step.frame, before=at.step.index)
            step = at.step if changed is None else self.trace.steps[changed]
        claim = Claim(
            kind=Claim.KIND_VALUE,
            input_json=self.input_json,
            step=step.index,
            line=step.statement.line,
            subject=source,
            value_json=claim_value(text),
        )
        return Said(f"{code(source)} is {code(text)}", (claim,))

    # Demands.

    def demand(self, node: ast.expr, path: Path, target: Any, at: Moment) -> Iterator[Derivation]:
        """Derive what would give an expression, or its part at a path, the target value."""
        self.fuel -= 1
        if self.fuel <= 0:
            return
        try:
            if self._has(node, path, target, at):
                yield Derivation((), ())
                return
            yield from self._rule(node, path, target, at)
        except Impossible:
            return

    def _has(self, node: ast.expr, path: Path, target: Any, at: Moment) -> bool:
        try:
            value = self.known(node, at)
            for key in path:
                value = value[key]
        except (Impossible, KeyError, IndexError, TypeError):
            return False
        return type(value) is type(target) and bool(value == target)

    def _rule(self, node: ast.expr, path: Path, target: Any, at: Moment) -> Iterator[Derivation]:
        match node:
            case ast.Name():
                yield from self._name(node, path, target, at)
            case ast.Subscript(slice=ast.Slice()):
                yield from self._slice(node, path, target, at)
            case ast.Subscript():
                yield from self._subscript(node, path, target, at)
            case ast.Attribute():
                yield from self._attribute(node, path, target, at)
            case ast.List() | ast.Tuple() if path and path[0] in range(len(node.elts)):
                yield from self.demand(node.elts[path[0]], path[1:], target, at)
            case ast.Dict() if path:
                for key, value in zip(node.keys, node.values, strict=True):
                    if key is not None and self.known(key, at) == path[0]:
                        yield from self.demand(value, path[1:], target, at)
            case ast.IfExp():
                outcomes = at.step.outcomes.get(position(node.test), ())
                if len(outcomes) == 1:
                    branch = node.body if outcomes[0] else node.orelse
                    yield from self.demand(branch, path, target, at)
            case _:
                whole = replaced(self.known(node, at), path, target) if path else target
                yield from self._whole(node, whole, at)

    def _whole(self, node: ast.expr, target: Any, at: Moment) -> Iterator[Derivation]:
        match node:
            case ast.BinOp():
                yield from self._operation(node, target, at)
            case ast.List() | ast.Tuple() | ast.Dict():
                yield from self._display(node, target, at)
            case ast.UnaryOp(op=ast.USub()) if isinstance(target, int | float):
                yield from self.demand(node.operand, (), -target, at)
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()) if isinstance(
                target, bool
            ):
                yield from self._truth(node, target, at)
            case ast.ListComp(generators=[generator]) if isinstance(target, list):
                yield from self._comprehension(node, generator, target, at)
            case ast.JoinedStr() if isinstance(target, str):
                yield from self._template(node, target, at)
            case ast.Call():
                yield from self._call(node, target, at)

    def _said(self, node: ast.expr, target: Any, facts: Sequence[Said]) -> Said:
        told = [fact for fact in facts if fact.text]
        known = f" ({', '.join(fact.text for fact in told)} in that run)" if told else ""
        return Said(
            f"{code(ast.unparse(node))} must be {shown(target)}{known}",
            tuple(claim for fact in told for claim in fact.claims),
        )

    def _then(
        self,
        node: ast.expr,
        path: Path,
        target: Any,
        at: Moment,
        facts: Sequence[Said] = (),
    ) -> Iterator[Derivation]:
        """Demand it of a part and say so."""
        said = self._said(node, target, facts)
        for derivation in self.demand(node, path, target, at):
            if isinstance(node, ast.Constant):
                continue
            yield replace(derivation, reasons=(said, *derivation.reasons))

    def _operation(self, node: ast.BinOp, target: Any, at: Moment) -> Iterator[Derivation]:
        for operand, other, left in (
            (node.right, node.left, False),
            (node.left, node.right, True),
        ):
            try:
                wanted = demanded_operand(
                    node.op, self.known(operand, at), self.known(other, at), target, left=left
                )
                fact = self._fact(other, at)
            except Impossible:
                continue
            yield from self._then(operand, (), wanted, at, [fact])

    def _display(
        self, node: ast.List | ast.Tuple | ast.Dict, target: Any, at: Moment
    ) -> Iterator[Derivation]:
        demands: list[tuple[ast.expr, Any]] = []
        if isinstance(node, ast.Dict):
            if not isinstance(target, dict):
                return
            keys = [self.known(key, at) if key is not None else None for key in node.keys]
            if {str(key) for key in keys} != set(target):
                return
            demands = [
                (value, target[str(key)]) for key, value in zip(keys, node.values, strict=True)
            ]
        else:
            if not isinstance(target, list | tuple) or len(target) != len(node.elts):
                return
            demands = list(zip(node.elts, target, strict=True))
        yield from self._all([(part, (), value, at) for part, value in demands])

    def _all(self, demands: list[tuple[ast.expr, Path, Any, Moment]]) -> Iterator[Derivation]:
        """Meet several demands at once, each in the first way that there is."""
        edits: list[Edit] = []
        reasons: list[Said] = []
        for node, path, target, at in demands:
            if self._has(node, path, target, at):
                continue
            found = next(self._then(node, path, target, at), None)
            if found is None:
                return
            edits += found.edits
            if len(reasons) < _MAX_STEPS:
                reasons += found.reasons
        yield Derivation(tuple(edits), tuple(reasons))

    def _truth(self, node: ast.expr, wanted: bool, at: Moment) -> Iterator[Derivation]:
        match node:
            case ast.UnaryOp(op=ast.Not()):
                yield from self._truth(node.operand, not wanted, at)
            case ast.BoolOp():
                yield from self._operands(node, wanted, at)
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                for part, other, swapped in ((left, right, False), (right, left, True)):
                    try:
                        options = elements_demanded(
                            operator,
                            self.known(part, at),
                            self.known(other, at),
                            wanted=wanted,
                            swapped=swapped,
                        )
                        fact = self._fact(other, at)
                    except Impossible:
                        continue
                    for option in options:
                        yield from self._then(part, (), option, at, [fact])
            case _:
                try:
                    value = self.known(node, at)
                except Impossible:
                    return
                if isinstance(value, bool):
                    yield from self.demand(node, (), wanted, at)
                elif isinstance(value, int | str | list) and not wanted:
                    yield from self._then(node, (), type(value)(), at)

    def _operands(self, node: ast.BoolOp, wanted: bool, at: Moment) -> Iterator[Derivation]:
        decisive = isinstance(node.op, ast.Or)
        if wanted is decisive:
            # One operand is enough.
            for operand in node.values:
                yield from self._truth(operand, wanted, at)
            return
        found: list[Derivation] = []
        for operand in node.values:
            try:
                if bool(self.known(operand, at)) is wanted:
                    continue
            except Impossible:
                return
            derivation = next(self._truth(operand, wanted, at), None)
            if derivation is None:
                return
            found.append(derivation)
        yield Derivation(
            tuple(edit for one in found for edit in one.edits),
            tuple(reason for one in found for reason in one.reasons),
        )

    def _slice(
        self, node: ast.Subscript, path: Path, target: Any, at: Moment
    ) -> Iterator[Derivation]:
        assert isinstance(node.slice, ast.Slice)
        base = self.known(node.value, at)
        part = replaced(self.known(node, at), path, target) if path else target
        bounds = [
            None if bound is None else self.known(bound, at)
            for bound in (node.slice.lower, node.slice.upper, node.slice.step)
        ]
        places = range(len(base))[slice(*bounds)]
        if not isinstance(part, str | list) or len(part) != len(places):
            # A copy of the whole may have any length.
            if bounds[:2] != [None, None] or not isinstance(part, str | list):
                return
            whole: Any = part[:: bounds[2]] if bounds[2] in (None, 1, -1) else None
            if whole is None:
                return
        else:
            items = list(base)
            for place, item in zip(places, part, strict=True):
                items[place] = item
            whole = "".join(items) if isinstance(base, str) else items
        yield from self._then(node.value, (), whole, at)

    def _subscript(
        self, node: ast.Subscript, path: Path, target: Any, at: Moment
    ) -> Iterator[Derivation]:
        index = self.known(node.slice, at)
        if not path:
            # In a table the value may stand elsewhere already.
            try:
                table = self.known(node.value, at)
            except Impossible:
                table = None
            for key in _places(table, target):
                if key != index and type(key) is type(index):
                    yield from self._then(node.slice, (), key, at, [])
        yield from (
            self._then(node.value, (index, *path), target, at)
            if False
            else self.demand(node.value, (index, *path), target, at)
        )

    def _attribute(
        self, node: ast.Attribute, path: Path, target: Any, at: Moment
    ) -> Iterator[Derivation]:
        for step in reversed(self.trace.steps[: at.step.index]):
            statement = self.story.source.statements.get(step.statement)
            if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
                continue
            [assigned] = statement.targets
            if isinstance(assigned, ast.Attribute) and assigned.attr == node.attr:
                yield from self._then(statement.value, path, target, Moment(step))
                return

    def _comprehension(
        self, node: ast.ListComp, generator: ast.comprehension, target: list[Any], at: Moment
    ) -> Iterator[Derivation]:
        if not isinstance(generator.target, ast.Name) or at.bound:
            return
        items = self.known(generator.iter, at)
        kept = range(len(items))
        if generator.ifs:
            return
        if isinstance(items, str | list) and len(target) != len(kept):
            items = items[:1] * len(target) if len(items) else items
            return
        demands: list[tuple[ast.expr, Path, Any, Moment]] = []
        for place, value in zip(kept, target, strict=True):
            bound = ((generator.target.id, generator.iter, (place,)),)
            demands.append((node.elt, (), value, replace(at, occurrence=place, bound=bound)))
        yield from self._all(demands)

    def _template(self, node: ast.JoinedStr, target: str, at: Moment) -> Iterator[Derivation]:
        texts: list[str] = []
        holes: list[ast.expr] = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                if part.format_spec is not None or part.conversion != -1:
                    return
                holes.append(part.value)
                texts.append("")
            elif isinstance(part, ast.Constant):
                texts.append(str(part.value))
        import re

        pattern = "".join(re.escape(text) if text else "(.*?)" for text in texts)
        found = re.fullmatch(pattern, target, re.DOTALL)
        if found is None:
            return
        demands = []
        for hole, text in zip(holes, found.groups(), strict=True):
            value = self.known(hole, at)
            demands.append((hole, (), converted(text, value), at))
        yield from self._all(demands)

    def _call(self, node: ast.Call, target: Any, at: Moment) -> Iterator[Derivation]:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        frame = self._callee(node, at.step)
        if frame is not None:
            yield from self._returned(frame, (), target)
            return
        arguments = [argument for argument in node.args if not isinstance(argument, ast.Starred)]
        if isinstance(node.func, ast.Attribute):
            receiver = node.func.value
            if isinstance(receiver, ast.Name) and receiver.id == "math":
                name = f"math.{node.func.attr}"
            elif node.func.attr == "join" and len(arguments) == 1:
                wanted = demanded_receiver("join", self.known(receiver, at), [], target)
                yield from self._then(arguments[0], (), wanted, at)
                return
            else:
                known = [self.known(argument, at) for argument in arguments]
                wanted = demanded_receiver(node.func.attr, self.known(receiver, at), known, target)
                yield from self._then(receiver, (), wanted, at)
                return
        if not arguments or node.keywords:
            return
        for place, argument in enumerate(arguments):
            others = [self.known(a, at) for i, a in enumerate(arguments) if i != place]
            try:
                wanted = demanded_argument(name, self.known(argument, at), others, place, target)
            except Impossible:
                continue
            facts = [self._fact(a, at) for i, a in enumerate(arguments) if i != place]
            yield from self._then(argument, (), wanted, at, facts)

    def _callee(self, node: ast.Call, step: Step) -> Frame | None:
        """Return the frame that a call expression of the program's own functions opened."""
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        frames = [frame for frame in self.story.calls(step) if frame.function == name]
        return frames[-1] if len(frames) == 1 else None

    def _returned(self, frame: Frame, path: Path, target: Any) -> Iterator[Derivation]:
        step = self.trace.steps[frame.last]
        statement = self.story.source.statements.get(step.statement)
        if not isinstance(statement, ast.Return) or statement.value is None:
            return
        said = Said(
            f"{code(frame.function)} ended with {code('return ' + ast.unparse(statement.value))}, "
            f"so {code(ast.unparse(statement.value))} must be {shown(target)}"
        )
        for derivation in self.demand(statement.value, path, target, Moment(step)):
            yield replace(derivation, reasons=(said, *derivation.reasons))

    # Variables.

    def _name(self, node: ast.Name, path: Path, target: Any, at: Moment) -> Iterator[Derivation]:
        for name, iterable, place in at.bound:
            if name == node.id:
                yield from self.demand(
                    iterable, (*place, *path), target, replace(at, bound=(), occurrence=0)
                )
                return
        changed = self.trace.changed(node.id, frame=at.step.frame, before=at.step.index)
        if changed is None:
            return
        yield from self._set(node.id, path, target, self.trace.steps[changed])

    def _set(self, name: str, path: Path, target: Any, step: Step) -> Iterator[Derivation]:
        """Follow a demand on a variable to the statement that gave it its value."""
        frame = self.trace.frames[step.frame]
        if step.index == frame.entry:
            yield from self._argument(name, path, target, frame)
            return
        statement = self.story.source.statements.get(step.statement)
        source = ast.unparse(statement).splitlines()[0] if statement is not None else ""
        via = Said(f"{code(name)} got its value in {code(source)}")
        moment = Moment(step)
        match statement:
            case (
                ast.Assign(targets=[ast.Name()], value=value)
                | ast.AnnAssign(target=ast.Name(), value=ast.expr() as value)
            ):
                found = self.demand(value, path, target, moment)
            case ast.Assign(targets=[ast.Tuple() as names], value=ast.Tuple() as parts) if len(
                names.elts
            ) == len(parts.elts):
                chosen = [
                    part
                    for one, part in zip(names.elts, parts.elts, strict=True)
                    if isinstance(one, ast.Name) and one.id == name
                ]
                found = self.demand(chosen[0], path, target, moment) if chosen else iter(())
            case ast.Assign(targets=[ast.Tuple() as names], value=value):
                places = [
                    place
                    for place, one in enumerate(names.elts)
                    if isinstance(one, ast.Name) and one.id == name
                ]
                found = (
                    self.demand(value, (places[0], *path), target, moment) if places else iter(())
                )
            case ast.AugAssign(target=ast.Name(), op=op, value=value) if not path:
                found = self._augmented(name, op, value, target, moment)
            case ast.For(target=variable, iter=iterable):
                found = self._iterated(name, variable, iterable, path, target, step)
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append"), args=[_])):
                found = self._appended(name, path, target, step)
            case _:
                return
        for derivation in found:
            yield replace(derivation, reasons=(via, *derivation.reasons))

    def _augmented(
        self, name: str, op: ast.operator, value: ast.expr, target: Any, at: Moment
    ) -> Iterator[Derivation]:
        before = ast.Name(id=name, ctx=ast.Load())
        old, added = self.known(before, at), self.known(value, at)
        try:
            wanted = demanded_operand(op, added, old, target, left=False)
            yield from self._then(value, (), wanted, at, [self._fact(before, at)])
        except Impossible:
            pass
        wanted = demanded_operand(op, old, added, target, left=True)
        yield from self._then(before, (), wanted, at, [self._fact(value, at)])

    def _iterated(
        self,
        name: str,
        variable: ast.expr,
        iterable: ast.expr,
        path: Path,
        target: Any,
        step: Step,
    ) -> Iterator[Derivation]:
        headers = [
            other
            for other in self.trace.frame_steps[step.frame]
            if other.statement == step.statement and other.index <= step.index
        ]
        # The value of the iterable was noted when the loop began.
        start = next((s for s in reversed(headers) if position(iterable) in s.values), None)
        if start is None and not isinstance(iterable, ast.Name):
            return
        if start is not None:
            headers = [header for header in headers if header.index >= start.index]
        place = len(headers) - 1
        at = Moment(start or headers[0])
        inside: Path = ()
        if isinstance(iterable, ast.Call) and isinstance(iterable.func, ast.Name):
            if iterable.func.id == "enumerate" and isinstance(variable, ast.Tuple):
                if not (isinstance(variable.elts[1], ast.Name) and variable.elts[1].id == name):
                    return
                yield from self.demand(iterable.args[0], (place, *path), target, at)
                return
            if iterable.func.id == "zip" and isinstance(variable, ast.Tuple):
                for one, argument in zip(variable.elts, iterable.args, strict=False):
                    if isinstance(one, ast.Name) and one.id == name:
                        yield from self.demand(argument, (place, *path), target, at)
                return
            if iterable.func.id == "range":
                return
        if isinstance(variable, ast.Tuple):
            places = [
                index
                for index, one in enumerate(variable.elts)
                if isinstance(one, ast.Name) and one.id == name
            ]
            if not places:
                return
            inside = (places[0],)
        yield from self.demand(iterable, (place, *inside, *path), target, at)

    def _appended(self, name: str, path: Path, target: Any, step: Step) -> Iterator[Derivation]:
        """Demand the items of a list of the calls that appended them."""
        appends: list[tuple[ast.expr, Step]] = []
        for other in self.trace.frame_steps[step.frame]:
            if other.index > step.index or name not in other.changes:
                continue
            statement = self.story.source.statements.get(other.statement)
            match statement:
                case ast.Expr(
                    value=ast.Call(
                        func=ast.Attribute(attr="append", value=ast.Name(id=appended)), args=[item]
                    )
                ) if appended == name:
                    appends.append((item, other))
                case _:
                    appends.clear()
        if path:
            if path[0] in range(len(appends)):
                item, at = appends[path[0]]
                yield from self.demand(item, path[1:], target, Moment(at))
            return
        if not isinstance(target, list) or len(target) != len(appends):
            return
        yield from self._all(
            [
                (item, (), value, Moment(at))
                for (item, at), value in zip(appends, target, strict=True)
            ]
        )

    def _argument(self, name: str, path: Path, target: Any, frame: Frame) -> Iterator[Derivation]:
        if frame.caller < 0:
            yield Derivation((Edit((name, *path), target),), ())
            return
        step = self.trace.steps[frame.caller]
        statement = self.story.source.statements.get(step.statement)
        definition = self.story.definition(frame)
        if statement is None or definition is None:
            return
        calls = [
            node
            for node in ast.walk(statement)
            if isinstance(node, ast.Call)
            and (
                node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            )
            in (frame.function, _class_of(definition, self.story))
        ]
        if len(calls) != 1:
            return
        names = [a.arg for a in (*definition.args.posonlyargs, *definition.args.args)]
        if names[:1] in (["self"], ["cls"]):
            names = names[1:]
        given = dict(zip(names, calls[0].args, strict=False))
        given.update({k.arg: k.value for k in calls[0].keywords if k.arg})
        if name in given and not isinstance(given[name], ast.Starred):
            yield from self.demand(given[name], path, target, Moment(step))


def _class_of(definition: ast.AST, story: Story) -> str:
    parent = story.source.parents.get(definition)
    return parent.name if isinstance(parent, ast.ClassDef) else ""


def _places(table: Any, target: Any) -> list[Any]:
    """Return the indices or keys under which a table holds a value."""
    if isinstance(table, dict):
        return [key for key, value in table.items() if value == target][:3]
    if isinstance(table, list | tuple | str):
        return [place for place, value in enumerate(table) if value == target][:3]
    return []


def evaluated(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise Impossible from error


def converted(text: str, like: Any) -> Any:
    """Return a text as a value of the type of another."""
    try:
        return text if isinstance(like, str) else type(like)(text)
    except (ValueError, TypeError) as error:
        raise Impossible from error


def shown(value: Any) -> str:
    text = repr(value)
    return code(text) if len(text) <= 2 * _MAX_SHOWN else "the wanted value"


from codeio.cot_generator.tracing.operations import demanded_argument  # noqa: E402
