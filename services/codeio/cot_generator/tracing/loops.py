"""Tells loops: the first rounds in full, later ones by what they change, the last in full."""

from __future__ import annotations

import ast
from bisect import bisect_left
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from codeio.cot_generator.tracing.expressions import Said, join
from codeio.cot_generator.tracing.roles import role
from codeio.cot_generator.tracing.story import Act, LoopRun, last_step
from codeio.cot_generator.tracing.wording import capital, code, counted
from codeio.v1.records_pb2 import Claim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.cot_generator.tracing.clauses import Clause
    from codeio.cot_generator.tracing.narrator import Narrator
    from codeio.cot_generator.tracing.story import Iteration
    from codeio.runtime.trace import Frame

_MOST_STATE = 4

_index = attrgetter("index")


@dataclass(frozen=True)
class Rounds:
    """How many rounds of a loop are told, and how."""

    head: int
    """In full, from the first on."""
    compact: int
    """After those, by what they change."""
    tail: int
    """In full, at the end."""


class Loops:
    """Tells loops onto the narrator's page."""

    def __init__(self, narrator: Narrator) -> None:
        self._narrator = narrator
        self._nesting = 0

    def tell(self, run: LoopRun, frame: Frame, *, indent: int) -> None:
        page = self._narrator.page
        count = len(run.iterations)
        header = self._header(run)
        reading = self._narrator.reading(run.first)
        facts = (*header.facts, reading.fact(Claim.KIND_ITERATIONS, "", str(count)))
        purpose = role(run, self._narrator.story.trace)
        what = f", {purpose}" if purpose else ""
        if count == 0:
            page.add(indent, Said(f"{capital(header.text)}: there is no round at all.", facts))
            return
        page.add(indent, Said(f"{capital(header.text)}{what} ({counted(count, 'round')}):", facts))
        rounds = self._narrator.detail.inner if self._nesting else self._narrator.detail.outer
        self._nesting += 1
        try:
            elided = self._rounds(run, frame, rounds, indent=indent + 1)
        finally:
            self._nesting -= 1
        self._state(run, frame, indent=indent, elided=elided)

    def _rounds(self, run: LoopRun, frame: Frame, rounds: Rounds, *, indent: int) -> bool:
        """Tell the rounds; return whether some were left out."""
        count = len(run.iterations)
        full, compact, elided = run.iterations, run.iterations[:0], run.iterations[:0]
        tail = run.iterations[:0]
        if count > rounds.head + rounds.tail:
            full = run.iterations[: rounds.head]
            tail = run.iterations[count - rounds.tail :]
            compact = run.iterations[rounds.head : count - rounds.tail]
            if len(compact) > rounds.compact + 1:
                compact, elided = compact[: rounds.compact], compact[rounds.compact :]
        for iteration in full:
            self._full(run, iteration, frame, indent=indent)
        if compact:
            self._compact(run, compact, frame, indent=indent)
        if elided:
            self._elided(run, elided, frame, indent=indent)
        for iteration in tail:
            self._full(run, iteration, frame, indent=indent)
        return bool(elided)

    def _header(self, run: LoopRun) -> Said:
        voice = self._narrator.voice
        node = run.node
        if isinstance(node, ast.While):
            test = code(ast.unparse(node.test))
            return Said(voice.pick(f"the loop runs while {test}", f"repeat as long as {test}"))
        reading = self._narrator.reading(run.first)
        source = ast.unparse(node.iter)
        value = reading.told(node.iter)
        over = Said(code(source))
        if value is not None and value.text != source:
            over = Said(f"{code(source)}, i.e. {code(value.text)}", value.facts)
        target = code(ast.unparse(node.target))
        return Said(
            voice.pick(f"for each {target} in {over.text}", f"loop {target} over {over.text}"),
            over.facts,
        )

    def _label(self, run: LoopRun, iteration: Iteration) -> Said:
        node = run.node
        reading = self._narrator.reading(iteration.header)
        if isinstance(node, ast.While):
            if isinstance(node.test, ast.Constant):
                return Said(f"round {run.iterations.index(iteration) + 1}")
            return self._narrator.clauses.condition(reading, node.test, True)
        names = [part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)]
        names = [name for name in names if name != "_"]
        told = [
            said
            for name in names
            if (said := self._narrator.variable(iteration.header, name)) is not None
        ]
        if not told:
            return Said(f"round {run.iterations.index(iteration) + 1}")
        return join(told, ", ")

    def _full(self, run: LoopRun, iteration: Iteration, frame: Frame, *, indent: int) -> None:
        narrator = self._narrator
        label = self._label(run, iteration)
        simple: list[tuple[Act, Clause]] = []
        items = list(iteration.items)
        if not narrator.to_follow(iteration.header) or iteration.header is run.first:
            while items and isinstance(items[0], Act) and not narrator.to_follow(items[0].step):
                act = items.pop(0)
                clause = narrator.clauses.clause(act, frame) if isinstance(act, Act) else None
                if clause is not None and isinstance(act, Act):
                    simple.append((act, clause))
        if simple:
            following = items[0] if items else None
            text = narrator.sentences.join(simple, following=following)
            narrator.page.add(indent, join([label, text], ": "))
        else:
            end = ":" if items else ": nothing to do."
            narrator.page.add(indent, Said(f"{capital(label.text)}{end}", label.facts))
        if iteration.header is not run.first:
            narrator.follow(iteration.header, indent + 1)
        narrator.block(items, frame, indent=indent + 1)

    def _compact(
        self, run: LoopRun, iterations: Sequence[Iteration], frame: Frame, *, indent: int
    ) -> None:
        parts: list[Said] = []
        idle: list[Said] = []
        for iteration in iterations:
            label = self._short(run, iteration)
            changes = self._changed(run, iteration.first, iteration.last, frame)
            if not changes:
                idle.append(label)
                continue
            parts += self._idle(idle)
            parts.append(join([label, join(changes, ", ")], ": "))
        parts += self._idle(idle)
        whole = join(parts, "; ")
        if iterations[0] is run.iterations[0]:
            start = self._narrator.voice.pick("In short", "Round by round")
        else:
            start = self._narrator.voice.pick("In the same way", "Likewise", "Going on like this")
        self._narrator.page.add(indent, Said(f"{start}: {whole.text}.", whole.facts))

    @staticmethod
    def _idle(labels: list[Said]) -> list[Said]:
        """Tell, and forget, rounds that change nothing."""
        told = labels[:]
        labels.clear()
        if not told:
            return []
        both = join(told, " and ") if len(told) <= 2 else join([told[0], told[-1]], " to ")
        return [Said(f"{both.text}: no change", both.facts)]

    def _short(self, run: LoopRun, iteration: Iteration) -> Said:
        if isinstance(run.node, ast.While):
            return Said(f"round {run.iterations.index(iteration) + 1}")
        label = self._label(run, iteration)
        return Said(label.text.replace("`", ""), label.facts)

    def _elided(
        self, run: LoopRun, iterations: Sequence[Iteration], frame: Frame, *, indent: int
    ) -> None:
        state = self._changed(run, iterations[0].first, iterations[-1].last, frame, plain=False)
        text = self._narrator.voice.pick(
            f"The next {counted(len(iterations), 'round')} follow the same pattern",
            f"It goes on like this for {counted(len(iterations), 'more round')}",
        )
        if iterations[0] is run.iterations[0]:
            text = f"It takes {counted(len(iterations), 'round')}"
        if 0 < len(state) <= _MOST_STATE:
            told = join(state, ", ")
            self._narrator.page.add(indent, Said(f"{text}; then {told.text}.", told.facts))
        else:
            self._narrator.page.add(indent, Said(f"{text}."))

    def _state(self, run: LoopRun, frame: Frame, *, indent: int, elided: bool) -> None:
        """Tell what the loop leaves behind for what comes after it."""
        if self._nesting and not elided:
            return
        used = self._used_after(run)
        state = [
            said
            for name, said in self._changed_names(run, run.first.index, last_step(run), frame)
            if name in used
        ]
        if 0 < len(state) <= _MOST_STATE:
            told = join(state, ", ")
            start = self._narrator.voice.pick("After the loop", "The loop leaves", "At its end")
            self._narrator.page.add(indent, Said(f"{start} {told.text}.", told.facts))

    def _used_after(self, run: LoopRun) -> set[str]:
        """Return the names that the function reads after the loop, or around it."""
        function: ast.AST | None = run.node
        around = False
        parents = self._narrator.story.source.parents
        while function is not None and not isinstance(
            function, ast.FunctionDef | ast.AsyncFunctionDef
        ):
            function = parents.get(function)
            around = around or isinstance(function, ast.For | ast.While)
        end = run.node.end_lineno or run.node.lineno
        return {
            node.id
            for node in ast.walk(function or run.node)
            if isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Load)
            and (around or node.lineno > end)
        }

    def _changed(
        self, run: LoopRun, first: int, last: int, frame: Frame, *, plain: bool = True
    ) -> list[Said]:
        """Tell the variables that a stretch of steps changed, as they stand after it."""
        found = [said for _, said in self._changed_names(run, first, last, frame)]
        if plain:
            return [Said(said.text.strip("`"), said.facts) for said in found]
        return found

    def _changed_names(
        self, run: LoopRun, first: int, last: int, frame: Frame
    ) -> list[tuple[str, Said]]:
        targets: set[str] = set()
        if not isinstance(run.node, ast.While):
            targets = {part.id for part in ast.walk(run.node.target) if isinstance(part, ast.Name)}
        trace = self._narrator.story.trace
        names: dict[str, None] = {}
        steps = trace.frame_steps[frame.index]
        for place in range(bisect_left(steps, first, key=_index), len(steps)):
            if steps[place].index > last:
                break
            names.update(dict.fromkeys(n for n in steps[place].changes if n not in targets))
        found = []
        for name in names:
            before = trace.variable(name, frame=frame.index, after=first - 1)
            after = trace.variable(name, frame=frame.index, after=last)
            said = self._narrator.variable(trace.steps[last], name, frame=frame.index)
            if said is not None and before != after:
                found.append((name, said))
        return found
