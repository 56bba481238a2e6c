"""The trace of a call, as the tracer in the sandbox records it, parsed and looked up.

A trace is the program's word about itself: it comes from the process that ran the
program. It is parsed strictly, and nothing of it is ever evaluated as code.
"""

from __future__ import annotations

import ast
import json
from bisect import bisect_right
from collections.abc import Mapping  # noqa: TC003  (dataclass fields are read at run time)
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from codeio.runtime import values

ELISION = "…"
"""Stands in a value's text for what the tracer left out."""

OUTPUT_ONLY = 1
"""Steps to record when only the output counts. Not none: a traced call makes its
random choices alike each time, one that is not traced does not."""


class Position(NamedTuple):
    """Where a statement or an expression stands: lines from 1, columns from 0 in UTF-8 bytes."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Step:
    """One executed statement, or the call of a function (the first step of a frame)."""

    index: int
    statement: Position
    frame: int
    changes: Mapping[str, str | None]
    """Variables of the frame that differ after the step, as Python literals; None: it is gone."""
    values: Mapping[Position, tuple[str, ...]]
    """What expressions of the statement evaluated to, in order."""
    outcomes: Mapping[Position, tuple[bool, ...]]
    """How conditions of the statement were decided, in order."""
    counts: Mapping[Position, int]
    """How often an expression was evaluated, where not every evaluation was recorded."""
    raised: str
    """Type of the exception that the statement raised or passed on; empty when none."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One call of a function of the program."""

    index: int
    function: str
    caller: int
    """Step that made the call; -1 for the entry point."""
    depth: int
    entry: int
    """Step of the call itself; its changes are the arguments."""
    last: int
    returned: str | None
    yielded: tuple[str, ...]


@dataclass(frozen=True)
class Trace:
    """What one call of a program did."""

    steps: tuple[Step, ...]
    frames: tuple[Frame, ...]
    constants: Mapping[str, str]
    """Variables of the module when the call began."""
    cut: bool
    """True when recording stopped at a limit, so that the end is missing."""
    _history: dict[tuple[int, str], tuple[list[int], list[str | None]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for step in self.steps:
            for name, text in step.changes.items():
                steps, texts = self._history.setdefault((step.frame, name), ([], []))
                steps.append(step.index)
                texts.append(text)

    @cached_property
    def frame_steps(self) -> tuple[tuple[Step, ...], ...]:
        """The steps of each frame, in order."""
        found: list[list[Step]] = [[] for _ in self.frames]
        for step in self.steps:
            found[step.frame].append(step)
        return tuple(tuple(steps) for steps in found)

    @cached_property
    def calls(self) -> Mapping[int, tuple[Frame, ...]]:
        """The frames that each step called."""
        found: dict[int, list[Frame]] = {}
        for frame in self.frames:
            found.setdefault(frame.caller, []).append(frame)
        return {caller: tuple(frames) for caller, frames in found.items()}

    def changed(self, name: str, *, frame: int, before: int) -> int | None:
        """Return the last step before `before` that changed a variable of a frame."""
        steps, _ = self._history.get((frame, name), ([], []))
        place = bisect_right(steps, before - 1)
        return steps[place - 1] if place else None

    def variable(self, name: str, *, frame: int, after: int) -> str | None:
        """Return a variable's text after a step, or None when it has no known value."""
        steps, texts = self._history.get((frame, name), ([], []))
        place = bisect_right(steps, after)
        return texts[place - 1] if place else None


def parse_trace(text: str) -> Trace:
    """Parse the trace of a `CallResult`.

    Raises:
        ValueError: the text is not a trace.
    """
    try:
        raw = json.loads(text)
        statements = [_position(place) for place in raw["statements"]]
        expressions = [_position(place) for place in raw["expressions"]]
        frames = tuple(_frame(index, frame) for index, frame in enumerate(raw["frames"]))
        steps = tuple(
            _step(index, step, statements, expressions) for index, step in enumerate(raw["steps"])
        )
        constants = {str(name): str(value) for name, value in raw["globals"].items()}
        trace = Trace(steps=steps, frames=frames, constants=constants, cut=bool(raw["cut"]))
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a trace: {error!r}") from error
    for step in steps:
        if not 0 <= step.frame < len(frames):
            raise ValueError(f"not a trace: step {step.index} is of no frame")
    for frame in frames:
        if not (0 <= frame.entry < len(steps) and -1 <= frame.caller < len(steps)):
            raise ValueError(f"not a trace: frame {frame.index} has no step")
    return trace


def claim_value(text: str) -> str:
    """Return a traced value as claims hold it: as JSON text, or as it is where JSON has none."""
    if text in _JSON_WORDS:
        return _JSON_WORDS[text]
    try:
        value = ast.literal_eval(text)
        return values.dumps(value) if _is_json(value) else text
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


_JSON_WORDS = {"True": "true", "False": "false", "None": "null"}


def _is_json(value: Any) -> bool:
    if type(value) is list:
        return all(map(_is_json, value))
    if type(value) is dict:
        return all(type(key) is str for key in value) and all(map(_is_json, value.values()))
    return value is None or type(value) in (bool, int, float, str)


def _position(place: Any) -> Position:
    line, column, end_line, end_column = (int(number) for number in place)
    return Position(line, column, end_line, end_column)


def _frame(index: int, raw: Any) -> Frame:
    returned = raw.get("returned")
    return Frame(
        index=index,
        function=str(raw["function"]),
        caller=int(raw["caller"]),
        depth=int(raw["depth"]),
        entry=int(raw["entry"]),
        last=int(raw["last"]),
        returned=None if returned is None else str(returned),
        yielded=tuple(str(value) for value in raw.get("yielded", ())),
    )


def _step(index: int, raw: Any, statements: list[Position], expressions: list[Position]) -> Step:
    def by_position(key: str) -> dict[Position, Any]:
        return {expressions[int(number)]: found for number, found in raw.get(key, {}).items()}

    return Step(
        index=index,
        statement=statements[raw["s"]],
        frame=int(raw["f"]),
        changes={
            str(name): None if value is None else str(value)
            for name, value in raw.get("c", {}).items()
        },
        values={place: tuple(map(str, found)) for place, found in by_position("v").items()},
        outcomes={place: tuple(map(bool, found)) for place, found in by_position("t").items()},
        counts={place: int(count) for place, count in by_position("n").items()},
        raised=str(raw.get("e", "")),
    )


Statement: TypeAlias = ast.stmt | ast.ExceptHandler


class Source:
    """A program's code, parsed, with its statements and expressions by position."""

    def __init__(self, code: str) -> None:
        """Parse the code.

        Raises:
            ValueError: it is not Python.
        """
        try:
            self.tree = ast.parse(code)
        except (SyntaxError, RecursionError, MemoryError) as error:
            raise ValueError(f"the program cannot be parsed: {error}") from error
        self.statements: dict[Position, Statement] = {}
        self.expressions: dict[Position, ast.expr] = {}
        self.parents: dict[ast.AST, ast.AST] = {}
        for parent in ast.walk(self.tree):
            for node in ast.iter_child_nodes(parent):
                self.parents[node] = parent
                if isinstance(node, ast.stmt | ast.ExceptHandler):
                    self.statements[position(node)] = node
                elif isinstance(node, ast.expr):
                    self.expressions.setdefault(position(node), node)

    def text(self, place: Position) -> str:
        """Return the normalised source text of an expression; empty when there is none."""
        node = self.expressions.get(place)
        return "" if node is None else ast.unparse(node)


def position(node: ast.stmt | ast.expr | ast.ExceptHandler) -> Position:
    """Return where a node stands, as the tracer writes it."""
    return Position(
        node.lineno,
        node.col_offset,
        node.end_lineno or node.lineno,
        node.end_col_offset or node.col_offset,
    )


def iterations(trace: Trace, source: Source, first: Step) -> int:
    """Count how often the loop whose header is first reached at `first` runs its body.

    Raises:
        ValueError: there is no loop at that step.
    """
    loop = source.statements.get(first.statement)
    if not isinstance(loop, ast.For | ast.AsyncFor | ast.While):
        raise ValueError(f"step {first.index} is no loop")  # noqa: TRY004  (of the claim, no type)
    body = {position(node) for node in loop.body}
    inside = Position(loop.body[0].lineno, 0, loop.body[-1].end_lineno or 0, 1 << 30)
    count = 0
    steps = trace.frame_steps[first.frame]
    at = steps.index(first)
    header = True
    for step in steps[at + 1 :]:
        if step.statement == first.statement:
            header = True
        elif step.statement in body or _within(step.statement, loop, inside):
            count += header
            header = False
        else:
            break
    return count


def _within(place: Position, loop: ast.For | ast.AsyncFor | ast.While, body: Position) -> bool:
    whole = position(loop)
    if not (whole.line, whole.column) < (place.line, place.column):
        return False
    return (place.end_line, place.end_column) <= (body.end_line, body.end_column)
