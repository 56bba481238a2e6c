"""One run of the program, asked what had which value when."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from codeio.runtime import values
from codeio.runtime.trace import ELISION
from codeio.verifier.statements.evaluation import (
    OPAQUE,
    UnevaluableError,
    evaluate,
    free_names,
    literal_of,
)
from codeio.verifier.statements.loops import LoopRun, runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from codeio.runtime.trace import Position, Source, Trace

_MAX_MOMENTS = 3000
_WRAPPERS = ("deque(", "Counter(", "defaultdict(", "OrderedDict(", "frozenset(")


class Missing:
    """What stands under a key that the output does not have."""


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch of steps during which something has a value."""

    start: int
    end: int
    value: Any


class Run:
    """The trace of one call, looked up by what a text may name."""

    def __init__(self, source: Source, trace: Trace, *, output: Any = OPAQUE) -> None:
        self.source = source
        self.trace = trace
        self.output = output
        self._parsed: dict[str, Any] = {}
        self._episodes: dict[str, tuple[Episode, ...]] = {}
        self._changes: dict[str, dict[int, tuple[list[int], list[str | None]]]] = {}
        for step in trace.steps:
            for name, text in step.changes.items():
                frames = self._changes.setdefault(name, {})
                steps, texts = frames.setdefault(step.frame, ([], []))
                steps.append(step.index)
                texts.append(text)

    @cached_property
    def functions(self) -> frozenset[str]:
        """The names of the program's functions."""
        nodes = ast.walk(self.source.tree)
        return frozenset(
            n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
        )

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the call."""
        entry = self.trace.steps[self.trace.frames[0].entry] if self.trace.frames else None
        changes = {} if entry is None else entry.changes
        return {name: self.parse(text) for name, text in changes.items() if text is not None}

    def final(self, name: str) -> Any:
        """Return the container that a variable of the first call holds at the end."""
        texts = self._changes.get(name, {}).get(0, ([], []))[1]
        value = self.parse(texts[-1]) if texts and texts[-1] is not None else OPAQUE
        return value if hasattr(value, "__len__") else OPAQUE

    @property
    def complete(self) -> bool:
        """Whether the trace shows the whole run."""
        return not self.trace.cut

    def parse(self, text: str) -> Any:
        """Return the value of a traced text, `OPAQUE` where it is not shown in full."""
        if text not in self._parsed:
            self._parsed[text] = _parse(text)
        return self._parsed[text]

    def episodes(self, node: ast.expr) -> tuple[Episode, ...]:
        """Return when an expression had which value, in order; empty when it is unknown."""
        key = ast.unparse(node)
        if key not in self._episodes:
            found = self.recorded.get(key, [])
            if isinstance(node, ast.Name):
                found = list(self._variable(node.id))
                found += self._under_key(node.id, missing=not found)
            elif not found and self._is_own_call(node):
                found = list(self._calls(node))
            elif key.startswith("len(") or all(episode.value is OPAQUE for episode in found):
                # A length is told of other moments than those at which the program asks for it.
                known = [episode for episode in found if episode.value is not OPAQUE]
                found = [*known, *self._evaluated(node)] or found
            if key in self.stored:
                # What is stored under an attribute or an index is traced only when it is read.
                found = [*found, Episode(0, len(self.trace.steps), OPAQUE)]
            self._episodes[key] = tuple(sorted(found, key=lambda e: (e.start, e.end)))
        return self._episodes[key]

    @cached_property
    def stored(self) -> frozenset[str]:
        """The texts of the attributes that the program sets."""
        return frozenset(
            ast.unparse(node)
            for node in ast.walk(self.source.tree)
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        )

    @cached_property
    def recorded(self) -> Mapping[str, list[Episode]]:
        """What the program's own expressions came to, by their text."""
        found: defaultdict[str, list[Episode]] = defaultdict(list)
        texts: dict[Any, str] = {}
        for step in self.trace.steps:
            noted: list[tuple[Position, Sequence[str | bool]]] = [
                *step.values.items(),
                *step.outcomes.items(),
            ]
            for place, seen in noted:
                if place not in texts:
                    texts[place] = self.source.text(place)
                end = self.end_of(step.index)
                for value in seen:
                    known = value if isinstance(value, bool) else self.parse(value)
                    found[texts[place]].append(Episode(step.index, end, known))
                if place in step.counts:
                    found[texts[place]].append(Episode(step.index, end, OPAQUE))
        return found

    def end_of(self, step: int) -> int:
        """Return the last step that a statement is under way: that of the calls it makes."""
        return self._ends.get(step, step)

    @cached_property
    def _ends(self) -> Mapping[int, int]:
        found: dict[int, int] = {}
        for frame in reversed(self.trace.frames):
            end = max(frame.last, found.get(frame.last, -1))
            found[frame.caller] = max(found.get(frame.caller, -1), end)
        return found

    def _variable(self, name: str) -> Iterator[Episode]:
        for frame, (steps, texts) in self._changes.get(name, {}).items():
            last = max(self.trace.frames[frame].last, steps[-1])
            for place, (start, text) in enumerate(zip(steps, texts, strict=True)):
                if text is not None:
                    end = steps[place + 1] if place + 1 < len(steps) else last
                    yield Episode(start, end, self.parse(text))
        if name in self.inner:
            yield Episode(0, len(self.trace.steps), OPAQUE)
        if name not in self._changes and name in self.trace.constants:
            yield Episode(0, len(self.trace.steps), self.parse(self.trace.constants[name]))

    @cached_property
    def inner(self) -> frozenset[str]:
        """The variables of comprehensions and lambdas, of which the trace shows nothing."""
        nodes = list(ast.walk(self.source.tree))
        targets = [n.target for n in nodes if isinstance(n, ast.comprehension)]
        bound = {part.id for t in targets for part in ast.walk(t) if isinstance(part, ast.Name)}
        return frozenset(
            bound | {one.arg for n in nodes if isinstance(n, ast.Lambda) for one in n.args.args}
        )

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys of the dictionaries that the program writes out."""
        return frozenset(
            key.value
            for node in ast.walk(self.source.tree)
            if isinstance(node, ast.Dict)
            for key in node.keys
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        )

    def _under_key(self, key: str, *, missing: bool) -> Iterator[Episode]:
        if key not in self.keys:
            return
        end = len(self.trace.steps)
        if isinstance(self.output, dict) and (missing or key in self.output):
            yield Episode(0, end, self.output.get(key, MISSING))
        for text, episodes in self.recorded.items():
            if text.startswith("{"):
                for episode in episodes:
                    if isinstance(episode.value, dict) and key in episode.value:
                        yield Episode(episode.start, episode.end, episode.value[key])
        for episode in self._dictionaries:
            if episode.value is OPAQUE:
                yield episode
            elif key in episode.value:
                yield Episode(episode.start, episode.end, episode.value[key])

    @cached_property
    def _dictionaries(self) -> Sequence[Episode]:
        """What variables hold that are dictionaries, or may be."""
        return [
            episode
            for name in sorted(self._changes.keys() - self.inner)
            for episode in self._variable(name)
            if episode.value is OPAQUE or isinstance(episode.value, dict)
        ]

    def _is_own_call(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in self.functions
        )

    def _calls(self, node: ast.expr) -> Iterator[Episode]:
        """Yield the calls of a function of the program with just these arguments."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return
        given = [literal_of(argument) for argument in node.args]
        named = {one.arg: literal_of(one.value) for one in node.keywords}
        if OPAQUE in (*given, *named.values()):
            return
        for arguments, returned, start, end in self.called(node.func.id):
            own = [value for name, value in arguments.items() if name not in ("self", "cls")]
            if own[: len(given)] == given and all(
                arguments.get(name) == value for name, value in named.items() if name
            ):
                yield Episode(start, end, returned)

    def _evaluated(self, node: ast.expr) -> Iterator[Episode]:
        names = free_names(node)
        local = [name for name in names if name in self._changes]
        if not local:
            return
        calls = {name: self._answers(name) for name in names & self.functions}
        moments = 0
        for frame in set.intersection(*(set(self._changes[name]) for name in local)):
            steps = sorted({step for name in local for step in self._changes[name][frame][0]})
            last = max(self.trace.frames[frame].last, steps[-1])
            for place, start in enumerate(steps):
                moments += 1
                if moments > _MAX_MOMENTS:
                    yield Episode(start, last, OPAQUE)
                    return
                known = self.variables(frame, start, names)
                if any(value is OPAQUE for value in known.values()):
                    value = OPAQUE
                else:
                    try:
                        value = evaluate(node, known | calls)
                    except UnevaluableError:
                        continue
                yield Episode(start, steps[place + 1] if place + 1 < len(steps) else last, value)

    def _answers(self, function: str) -> Callable[..., Any]:
        """Return a function that answers like one of the program's, as far as it was called."""
        answers = {
            repr([*arguments.values()]): returned
            for arguments, returned, _, _ in self.called(function)
        }

        def answer(*given: Any) -> Any:
            returned = answers.get(repr([*given]), OPAQUE)
            if returned is OPAQUE:
                raise UnevaluableError("not called")
            return returned

        return answer

    def variables(self, frame: int, step: int, names: set[str]) -> dict[str, Any]:
        """Return the values of variables of a frame after a step, where they have one."""
        known: dict[str, Any] = {}
        for name in names:
            text = self.trace.variable(name, frame=frame, after=step)
            if text is None and name not in self._changes:
                text = self.trace.constants.get(name)
            if text is not None:
                known[name] = self.parse(text)
        return known

    @cached_property
    def loops(self) -> tuple[LoopRun, ...]:
        """The runs of the loops, in the order in which they begin."""
        nodes = {
            place: node
            for place, node in self.source.statements.items()
            if isinstance(node, ast.For | ast.AsyncFor | ast.While)
        }
        found: list[LoopRun] = []
        for frame, steps in enumerate(self.trace.frame_steps):
            for place, node in nodes.items():
                if any(step.statement == place for step in steps):
                    found += runs_of(node, frame, steps, self.end_of)
        return tuple(sorted(found, key=lambda run: run.first))

    @cached_property
    def executions(self) -> Mapping[int, int]:
        """How often the statements of each line were executed."""
        counts: defaultdict[int, int] = defaultdict(int)
        for step in self.trace.steps:
            counts[step.statement.line] += 1
        return counts

    def called(self, function: str) -> Iterator[tuple[dict[str, Any], Any, int, int]]:
        """Yield the arguments, the returned value and the extent of each call of a function."""
        for frame in self.trace.frames:
            if frame.function == function:
                entry = self.trace.steps[frame.entry]
                arguments = {name: self.parse(text) for name, text in entry.changes.items() if text}
                returned = OPAQUE if frame.returned is None else self.parse(frame.returned)
                yield arguments, returned, frame.entry, self.end_of(frame.last)


def within(episodes: Sequence[Episode], start: int, end: int) -> Sequence[Episode]:
    """Return the episodes that touch a stretch of steps."""
    stop = bisect_right(episodes, end, key=lambda episode: episode.start)

    return [episode for episode in episodes[:stop] if episode.end >= start]


def inside(run: Run, episodes: Sequence[Episode], start: int, end: int) -> list[Episode]:
    """Return the episodes of a moment: without those of the output, which has all its keys."""
    whole = len(run.trace.steps)
    return [e for e in within(episodes, start, end) if e.start or e.end < whole]


def _parse(text: str) -> Any:
    if ELISION in text:
        return OPAQUE
    if text == "set()":
        return set()
    for wrapper in _WRAPPERS:
        if text.startswith(wrapper) and text.endswith(")"):
            text = text[len(wrapper) : -1]
            break
    if text in ("nan", "inf", "-inf"):
        return float(text)
    return literal_of(text)


def loaded(output_json: str) -> Any:
    """Return the value of a program's output, `OPAQUE` when it has none."""
    try:
        return values.loads(output_json)
    except ValueError:
        return OPAQUE
