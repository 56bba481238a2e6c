"""Demands met by leaving a variable as it was: loops that end earlier, branches not taken."""

from __future__ import annotations

import ast
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from codeio.cot_generator.tracing import expression_rules, operations
from codeio.cot_generator.tracing.derivation import Derivation, Moment, evaluated, identical, shown
from codeio.cot_generator.tracing.expressions import Fact, Said
from codeio.cot_generator.tracing.operations import Impossible
from codeio.cot_generator.tracing.story import heading, loops_around
from codeio.cot_generator.tracing.wording import code, counted
from codeio.runtime.trace import ELISION, position
from codeio.v1.records_pb2 import Claim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeio.cot_generator.tracing.derivation import Wish
    from codeio.cot_generator.tracing.inverter import Inverter
    from codeio.cot_generator.tracing.story import LoopRun
    from codeio.runtime.trace import Step


def kept(inverter: Inverter, wish: Wish) -> Iterator[Derivation]:
    """Where a variable had the wanted value before, keep it from being changed again."""
    found = _had(inverter, wish)
    if found is None:
        return
    step, after = found
    yield from _not_taken(inverter, wish, step)
    inside = {id(run): place for run, place in loops_around(inverter.story, step)}
    for run, place in loops_around(inverter.story, after):
        if inside.get(id(run)) == place:
            continue
        when = f"after {counted(place, 'round')} of" if place else "before"
        fact = Fact(
            Claim.KIND_VALUE,
            step.index,
            step.statement.line,
            wish.name,
            step.changes[wish.name] or "",
        )
        said = Said(
            f"{code(wish.name)} was already {shown(wish.target)} {when} the loop "
            f"{code(heading(run.node))}, so that loop should "
            f"{'end there' if place else 'not run at all'}",
            (fact,),
        )
        for derivation in _ended(inverter, run, place):
            yield replace(derivation, reasons=(said, *derivation.reasons))
        return


def _had(inverter: Inverter, wish: Wish) -> tuple[Step, Step] | None:
    """Return the last step that gave the variable the wanted value, and the next change."""
    steps = [
        step for step in inverter.trace.frame_steps[wish.step.frame] if wish.name in step.changes
    ]
    for step, after in reversed(list(pairwise(steps))):
        text = step.changes[wish.name]
        if text is None or ELISION in text:
            continue
        try:
            if identical(evaluated(text), wish.target):
                return step, after
        except Impossible:
            continue
    return None


def _not_taken(inverter: Inverter, wish: Wish, since: Step) -> Iterator[Derivation]:
    """Ask the condition under which the variable lost the wanted value to be false."""
    for step in inverter.trace.steps[since.index + 1 :]:
        if wish.name not in step.changes or step.index == inverter.trace.frames[step.frame].entry:
            continue
        statement = inverter.story.source.statements.get(step.statement)
        branch = inverter.story.source.parents.get(statement) if statement else None
        if statement is None or not isinstance(branch, ast.If):
            continue
        test = decided(inverter, branch, step)
        if test is None:
            return
        said = Said(
            f"{code(wish.name)} was {shown(wish.target)} until {code(heading(statement))} changed "
            f"it, which stands under {code(heading(branch))}"
        )
        wanted = statement not in branch.body
        for way in expression_rules.truth(inverter, branch.test, wanted, Moment(test)):
            yield replace(way, reasons=(said, *way.reasons))
        return


def decided(inverter: Inverter, branch: ast.If, step: Step) -> Step | None:
    """Return the step of the same frame that last decided a condition before a step."""
    place = position(branch)
    for other in reversed(inverter.trace.frame_steps[step.frame]):
        if other.index < step.index and other.statement == place:
            return other
    return None


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
            yield from _shortened(inverter, items, rounds, at)
        case items:
            yield from _shortened(inverter, items, rounds, at)


def _shortened(inverter: Inverter, items: ast.expr, size: int, at: Moment) -> Iterator[Derivation]:
    whole = inverter.known(items, at)
    if isinstance(whole, str | list):
        yield from inverter.then(items, (), whole[:size], at)
