"""Inputs that the wanted output suggests, each with the reasoning that leads to it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from codeio.cot_generator.tracing.derivation import Derivation, Inverter, evaluated, shown
from codeio.cot_generator.tracing.expressions import Said
from codeio.cot_generator.tracing.operations import Impossible
from codeio.cot_generator.tracing.wording import code
from codeio.runtime import values
from codeio.runtime.trace import position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeio.cot_generator.tracing.runs import Run
    from codeio.cot_generator.tracing.story import Story

_PER_BASE = 4
_MAX_BYTES = 1024


@dataclass(frozen=True)
class Candidate:
    """An input worth executing, and why."""

    input_json: str
    reasons: tuple[Said, ...]
    base: Run
    """The run that it was derived from."""


def candidates(base: Run, target: Any, *, limit: int = _PER_BASE) -> list[Candidate]:
    """Derive inputs from a run that gave another output."""
    story = base.story()
    if story is None or story.trace.cut:
        return []
    arguments = values.loads(base.input_json)
    found: dict[str, Candidate] = {}
    for derivation in (
        *islice(Inverter(story, input_json=base.input_json).from_output(target), 2 * limit),
        *islice(_other_branches(story, base, target), limit),
    ):
        try:
            changed = derivation.applied(arguments)
            text = values.dumps(changed)
        except (Impossible, ValueError):
            continue
        if changed != arguments and len(text) <= _MAX_BYTES and derivation.reasons:
            found.setdefault(text, Candidate(text, derivation.reasons, base))
    return list(found.values())[:limit]


def echoes(base: Run, target: Any) -> Iterator[Candidate]:
    """Propose the output itself as an argument of the same form.

    Code that sorts, filters or cleans up leaves alone what is in order already.
    """
    if not isinstance(target, list | str | dict) or not target:
        return
    arguments = values.loads(base.input_json)
    for name, value in arguments.items():
        if type(value) is not type(target) or value == target:
            continue
        if isinstance(target, list) and value and {*map(type, target)} != {*map(type, value)}:
            continue
        reason = Said(
            f"The output has the same form as the argument {code(name)}. If the code only brings "
            f"{code(name)} into order, then what is in order already should come back as it is, "
            f"so I try {shown(target)} itself for {code(name)}"
        )
        yield Candidate(values.dumps({**arguments, name: target}), (reason,), base)


def _other_branches(story: Story, base: Run, target: Any) -> Iterator[Derivation]:
    """Ask conditions to come out so that a fixed result is reached, or is not."""
    inverter = Inverter(story, input_json=base.input_json)
    for step in reversed(story.trace.steps[-400:]):
        node = story.source.statements.get(step.statement)
        if not isinstance(node, ast.If):
            continue
        outcomes = step.outcomes.get(position(node.test), ())
        if len(outcomes) != 1:
            continue
        [outcome] = outcomes
        other = node.orelse if outcome else node.body
        taken = node.body if outcome else node.orelse
        test = code(ast.unparse(node.test))
        if _returns(other, target):
            said = Said(
                f"{shown(target)} is what {code('return ' + _literal(other))} gives, which stands "
                f"where {test} is {str(not outcome).lower()}; in that run it was "
                f"{str(outcome).lower()}"
            )
        elif (
            _leaves(taken)
            and story.trace.frames[step.frame].last > step.index
            and any(
                story.within(last, part)
                for part in taken
                if (last := _last_node(story, step.frame)) is not None
            )
        ):
            said = Said(
                f"the run ended inside the branch of {test}, with another result, so {test} must "
                f"be {str(not outcome).lower()}"
            )
        else:
            continue
        for derivation in islice(inverter.from_condition(node.test, step, not outcome), 3):
            yield Derivation(derivation.edits, (said, *derivation.reasons))


def _last_node(story: Story, frame: int) -> ast.AST | None:
    last = story.trace.steps[story.trace.frames[frame].last]
    return story.source.statements.get(last.statement)


def _returns(body: list[ast.stmt], target: Any) -> bool:
    try:
        return any(
            isinstance(node, ast.Return)
            and node.value is not None
            and values.equal(evaluated(ast.unparse(node.value)), target)
            for node in body
        )
    except Impossible:
        return False


def _literal(body: list[ast.stmt]) -> str:
    return next(
        ast.unparse(node.value) for node in body if isinstance(node, ast.Return) and node.value
    )


def _leaves(body: list[ast.stmt]) -> bool:
    return any(isinstance(node, ast.Return) for node in body)
