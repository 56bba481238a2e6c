"""Inputs that the wanted output suggests, each with the reasoning that leads to it."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from codeio.cot_generator.tracing.derivation import (
    Derivation,
    Edit,
    Path,
    evaluated,
    identical,
    shown,
)
from codeio.cot_generator.tracing.expressions import Said
from codeio.cot_generator.tracing.inverter import Inverter
from codeio.cot_generator.tracing.operations import Impossible
from codeio.cot_generator.tracing.wording import code
from codeio.runtime import values
from codeio.runtime.trace import position

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeio.cot_generator.tracing.runs import Run
    from codeio.cot_generator.tracing.story import Story
    from codeio.runtime.trace import Step

_WAYS = 6
_LAST_STEPS = 400
_EXAMPLES = 3
_HUGE = 10**15
_MAX_BYTES = 1024


@dataclass(frozen=True)
class Candidate:
    """An input worth executing, and why."""

    input_json: str
    reasons: tuple[Said, ...]
    base: Run
    """The run that it was derived from."""


def derived(base: Run, target: Any) -> Iterator[Candidate]:
    """Derive inputs from a run that gave another output."""
    story = base.story
    if story is None or story.trace.cut:
        return
    arguments = values.loads(base.input_json)
    ways = (
        *islice(Inverter(story).from_output(target), _WAYS),
        *islice(_other_branches(story, target), _WAYS),
    )
    for way in ways:
        try:
            changed = way.applied(arguments)
            text = values.dumps(changed)
        except (Impossible, ValueError):
            continue
        if changed != arguments and len(text) <= _MAX_BYTES:
            yield Candidate(text, way.reasons, base)


def echoes(base: Run, target: Any) -> Iterator[Candidate]:
    """Propose the output itself, or what it counts, as an argument.

    Code that sorts, filters or cleans up leaves alone what is in order already.
    """
    if isinstance(target, dict):
        for part in target.values():
            if isinstance(part, list | str | dict):
                yield from echoes(base, part)
    if not isinstance(target, list | str | dict) or not target:
        return
    arguments = values.loads(base.input_json)
    for name, value in arguments.items():
        if value == target:
            continue
        if type(value) is type(target) and _kinds(value) >= _kinds(target):
            reason = (
                f"the output has the same form as the argument {code(name)}; if the code only "
                f"brings {code(name)} into order, what is in order already comes back as it is, "
                f"so {shown(target)} itself is worth a try for {code(name)}"
            )
            yield Candidate(values.dumps({**arguments, name: target}), (Said(reason),), base)
        counted = _counted(target, value)
        if counted is not None:
            reason = (
                f"the output looks like a count of the parts of {code(name)}; a {code(name)} with "
                f"each part as often as it says is {shown(counted)}"
            )
            yield Candidate(values.dumps({**arguments, name: counted}), (Said(reason),), base)


def moved(base: Run, target: Any) -> Iterator[Candidate]:
    """Propose to put the target's parts where the base's output had its parts from.

    Only where the base's output has the target's form, for what differs and stood in the
    input exactly once.
    """
    arguments = values.loads(base.input_json)
    sources: dict[str, list[Path]] = {}
    for path, atom in _atoms(arguments):
        sources.setdefault(repr(atom), []).append(path)
    wanted = dict(_atoms(target))
    had = dict(_atoms(base.output))
    if wanted.keys() != had.keys() or not isinstance(target, list | dict):
        return
    edits: list[Edit] = []
    examples: list[str] = []
    for path, atom in had.items():
        if identical(wanted[path], atom):
            continue
        places = sources.get(repr(atom), [])
        if len(places) != 1 or type(wanted[path]) is not type(atom):
            continue
        edits.append(Edit(places[0], wanted[path]))
        if len(examples) < _EXAMPLES:
            examples.append(f"{code(repr(atom))} at {_spot(path)} came from {_spot(places[0])}")
    try:
        text = values.dumps(Derivation(tuple(edits), ()).applied(arguments))
    except (Impossible, ValueError):
        return
    if not edits:
        return
    reason = (
        f"parts of that output stand in its input too: {', '.join(examples)}"
        f"{' and so on' if len(edits) > _EXAMPLES else ''}; if the code only moves them, the "
        f"wanted parts belong at the same places of the input"
    )
    yield Candidate(text, (Said(reason),), base)


def _atoms(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield what a value holds that holds nothing itself, with its place."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _atoms(item, (*path, key))
    elif isinstance(value, list) and value:
        for place, item in enumerate(value):
            yield from _atoms(item, (*path, place))
    else:
        yield path, value


def _spot(path: Path) -> str:
    first, rest = (path[0], path[1:]) if isinstance(path[0], str) else ("", path)
    return code(f"{first}{''.join(f'[{key!r}]' for key in rest)}")


def scaled(base: Run, target: Any) -> Iterator[Candidate]:
    """Propose arguments that would do if the result were proportional to one of them."""
    wanted, had = _only_number(target), _only_number(base.output)
    if not wanted or not had:
        return
    arguments = values.loads(base.input_json)
    factor = wanted / had
    for name, value in arguments.items():
        if type(value) is not float or not value:
            continue
        for kind, new in (
            ("proportional", value * factor),
            ("inversely proportional", value / factor),
            ("proportional to the square of", value * math.sqrt(abs(factor))),
        ):
            to = "" if kind.endswith("of") else " to"
            reason = (
                f"suppose that the result is {kind}{to} {code(name)}; as it must become "
                f"{code(f'{factor:.6g}')} times as large, {code(name)} must change from "
                f"{code(repr(value))} to {code(repr(new))}"
            )
            if math.isfinite(new):
                changed = {**arguments, name: new}
                yield Candidate(values.dumps(changed), (Said(reason),), base)


def _only_number(value: Any) -> float:
    """Return the one number that a value is or holds; 0 where there is none, or more."""
    atoms = [atom for _, atom in _atoms(value)]
    if len(atoms) == 1 and isinstance(atoms[0], int | float) and not isinstance(atoms[0], bool):
        return float(atoms[0]) if abs(atoms[0]) < _HUGE else 0.0
    return 0.0


def resized(known: Sequence[Run], target: Any) -> Candidate | None:
    """Give a list or text argument as many parts as the output is to have.

    Only where in all known runs the output had as many parts as the argument.
    """
    if not isinstance(target, list | str) or not target or not known:
        return None
    arguments = values.loads(known[0].input_json)
    longer: Any
    for name, value in arguments.items():
        if not isinstance(value, list | str) or not value:
            continue
        pairs = [(values.loads(run.input_json).get(name), run.output) for run in known]
        if all(
            isinstance(given, list | str)
            and isinstance(gave, list | str)
            and len(given) == len(gave)
            for given, gave in pairs
        ):
            longer = (value * (len(target) // len(value) + 1))[: len(target)]
            if isinstance(value, list) and all(type(item) is int for item in value):
                # Different items show where each of them goes.
                longer = [value[0] + 3 * place for place in range(len(target))]
            reason = (
                f"in the runs so far the output had as many parts as {code(name)}, so "
                f"{code(name)} needs {len(target)}"
            )
            text = values.dumps({**arguments, name: longer})
            return Candidate(text, (Said(reason),), known[0])
    return None


def _kinds(value: Any) -> set[type]:
    return {type(item) for item in value} if isinstance(value, list) else set()


def _counted(target: Any, value: Any) -> Any:
    """Return what has each key of the target as often as its number says."""
    if not isinstance(target, dict) or not isinstance(value, str | list):
        return None
    counts = list(target.items())
    if not all(type(count) is int and 0 < count < 20 for _, count in counts):
        return None
    parts = [key for key, count in counts for _ in range(count)]
    if isinstance(value, str):
        return "".join(parts) if all(len(key) == 1 for key in target) else " ".join(parts)
    return parts if all(isinstance(item, str) for item in value) else None


def _other_branches(story: Story, target: Any) -> Iterator[Derivation]:
    """Ask conditions to come out so that a fixed result is reached, or is not."""
    inverter = Inverter(story)
    for step in reversed(story.trace.steps[-_LAST_STEPS:]):
        node = story.source.statements.get(step.statement)
        if not isinstance(node, ast.If):
            continue
        outcomes = step.outcomes.get(position(node.test), ())
        if len(outcomes) != 1:
            continue
        [outcome] = outcomes
        taken, other = (node.body, node.orelse) if outcome else (node.orelse, node.body)
        test = code(ast.unparse(node.test))
        result = _fixed_result(other, target)
        if result:
            said = Said(
                f"{shown(target)} is what {code(result)} gives, which stands where {test} is "
                f"{str(not outcome).lower()}; there it was {str(outcome).lower()}"
            )
        elif _ended_in(story, step, taken):
            said = Said(
                f"the call ended in the branch of {test} with another result, so {test} must be "
                f"{str(not outcome).lower()}"
            )
        else:
            continue
        for way in islice(inverter.from_condition(node.test, step, not outcome), 3):
            yield Derivation(way.edits, (said, *way.reasons))


def _fixed_result(body: list[ast.stmt], target: Any) -> str:
    """Return the statement of a branch that gives the target whatever happens, if it has one."""
    for node in body:
        value = None
        if isinstance(node, ast.Return) or (
            isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        ):
            value = node.value
        if value is None:
            continue
        try:
            if identical(evaluated(ast.unparse(value)), target):
                return ast.unparse(node)
        except Impossible:
            continue
    return ""


def _ended_in(story: Story, step: Step, branch: Sequence[ast.stmt]) -> bool:
    last = story.trace.frames[step.frame].last
    node = story.source.statements.get(story.trace.steps[last].statement)
    returns = [one for one in branch if isinstance(one, ast.Return)]
    return last > step.index and node in returns
