"""Tells a call from its first statement to what it returns, in as much detail as there is room."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codeio.cot_generator.tracing.clauses import Clauses
from codeio.cot_generator.tracing.expressions import Fact, Reading, Said
from codeio.cot_generator.tracing.loops import Loops, Rounds
from codeio.cot_generator.tracing.purpose import first_sentence
from codeio.cot_generator.tracing.sentences import Sentences
from codeio.cot_generator.tracing.story import Act, Item, LoopRun
from codeio.cot_generator.tracing.wording import Voice, code, tokens
from codeio.v1.records_pb2 import Claim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.cot_generator.tracing.clauses import Clause
    from codeio.cot_generator.tracing.story import Story
    from codeio.runtime.trace import Frame, Step


@dataclass(frozen=True)
class Detail:
    """How much is told."""

    outer: Rounds
    """Rounds told of a loop."""
    inner: Rounds
    """Rounds told of a loop inside a loop."""
    calls: int
    """Calls of one function that are followed inside."""
    width: int
    """Longest value, in characters."""
    staged: bool = True
    """Whether the stages of a computation are told, or only what comes out."""


DETAILS = (
    Detail(outer=Rounds(40, 0, 40), inner=Rounds(40, 0, 40), calls=60, width=100),
    Detail(outer=Rounds(10, 60, 2), inner=Rounds(10, 20, 2), calls=30, width=100),
    Detail(outer=Rounds(8, 40, 2), inner=Rounds(6, 10, 1), calls=16, width=100),
    Detail(outer=Rounds(6, 30, 1), inner=Rounds(4, 6, 1), calls=12, width=100),
    Detail(outer=Rounds(4, 30, 1), inner=Rounds(3, 4, 1), calls=8, width=100),
    Detail(outer=Rounds(3, 20, 1), inner=Rounds(2, 3, 1), calls=6, width=60),
    Detail(outer=Rounds(3, 12, 1), inner=Rounds(1, 2, 1), calls=4, width=60),
    Detail(outer=Rounds(3, 12, 1), inner=Rounds(2, 2, 1), calls=4, width=60, staged=False),
    Detail(outer=Rounds(2, 12, 1), inner=Rounds(1, 0, 1), calls=3, width=60),
    Detail(outer=Rounds(2, 6, 1), inner=Rounds(1, 0, 0), calls=2, width=60),
    Detail(outer=Rounds(2, 6, 1), inner=Rounds(1, 1, 1), calls=2, width=60, staged=False),
    Detail(outer=Rounds(1, 8, 1), inner=Rounds(1, 0, 0), calls=1, width=60),
    Detail(outer=Rounds(1, 8, 1), inner=Rounds(1, 0, 0), calls=1, width=60, staged=False),
    Detail(outer=Rounds(1, 4, 0), inner=Rounds(0, 1, 0), calls=1, width=60, staged=False),
    Detail(outer=Rounds(1, 0, 0), inner=Rounds(0, 0, 0), calls=1, width=40, staged=False),
    Detail(outer=Rounds(0, 1, 0), inner=Rounds(0, 0, 0), calls=1, width=40, staged=False),
    Detail(outer=Rounds(1, 4, 1), inner=Rounds(1, 0, 0), calls=0, width=40),
    Detail(outer=Rounds(1, 0, 0), inner=Rounds(0, 0, 0), calls=0, width=40, staged=False),
    Detail(outer=Rounds(0, 0, 0), inner=Rounds(0, 0, 0), calls=0, width=40, staged=False),
)


class TooLongError(Exception):
    """The telling does not fit the budget."""


@dataclass
class Page:
    """Lines with their claims, up to a number of tokens."""

    budget: int
    lines: list[str] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    used: int = 0

    def add(self, indent: int, said: Said) -> None:
        mark = f"{'  ' * (indent - 1)}- " if indent else ""
        line = mark + said.text
        self.used += tokens(line) + 1
        if self.used > self.budget:
            raise TooLongError
        if self.lines and indent == 0:
            self.lines.append("")
        self.lines.append(line)
        self.facts += said.facts

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def claims(self, input_json: str) -> list[Claim]:
        """Return what the page states, each thing once, of the run on this input."""
        return [fact.claim(input_json) for fact in dict.fromkeys(self.facts)]


def narrate(story: Story, *, seed: str, budget: int) -> Page | None:
    """Tell the story's first frame in the greatest detail that fits; None when nothing fits."""
    voice = Voice(seed)
    clauses = {
        kind: Clauses(story, voice=voice, width=kind[0], staged=kind[1])
        for kind in {(detail.width, detail.staged) for detail in DETAILS}
    }
    for detail in DETAILS:
        page = Page(budget=budget)
        try:
            Narrator(
                story, detail, page, clauses=clauses[detail.width, detail.staged], voice=voice
            ).tell()
        except TooLongError:
            continue
        return page
    return None


class Narrator:
    """Tells one story in one detail onto one page."""

    def __init__(
        self, story: Story, detail: Detail, page: Page, *, clauses: Clauses, voice: Voice
    ) -> None:
        self.story = story
        self.detail = detail
        self.page = page
        self.voice = voice
        self.clauses = clauses
        self.sentences = Sentences(story, voice)
        self._loops = Loops(self)
        self._followed: dict[str, int] = {}
        self._told: set[tuple[str, str]] = set()

    def tell(self) -> None:
        frame = self.story.trace.frames[0]
        self.block(self.story.items(frame), frame, indent=0)

    def block(self, items: Sequence[Item], frame: Frame, *, indent: int) -> None:
        """Tell statements as paragraphs, which loops and calls interrupt."""
        gathered: list[tuple[Act, Clause]] = []
        for item in items:
            if isinstance(item, LoopRun):
                self._flush(gathered, item, indent)
                self.follow(item.first, indent)
                self._loops.tell(item, frame, indent=indent)
                continue
            if self.to_follow(item.step):
                self._flush(gathered, item, indent)
                self.follow(item.step, indent)
            clause = self.clauses.clause(item, frame)
            if clause is not None:
                gathered.append((item, clause))
        self._flush(gathered, None, indent)

    def _flush(
        self, gathered: list[tuple[Act, Clause]], following: Item | None, indent: int
    ) -> None:
        if gathered:
            self.page.add(indent, self.sentences.join(gathered, following=following))
            gathered.clear()

    # Calls.

    def to_follow(self, step: Step) -> list[Frame]:
        """Return the calls of a step that are worth going into."""
        return [frame for frame in self.story.calls(step) if self._worth(frame)]

    def _worth(self, frame: Frame) -> bool:
        if self._followed.get(frame.function, 0) >= self.detail.calls:
            return False
        items = self.story.items(frame)
        if frame.function.startswith("__"):
            return any(isinstance(item, LoopRun) for item in items)
        if len(items) == 1 and isinstance(items[0], Act) and self._constant(items[0]):
            return False
        return bool(items) and (frame.function, self._arguments(frame).text) not in self._told

    @staticmethod
    def _constant(act: Act) -> bool:
        return isinstance(act.node, ast.Return) and isinstance(act.node.value, ast.Constant | None)

    def follow(self, step: Step, indent: int) -> None:
        """Tell the calls that a step makes."""
        for frame in self.to_follow(step):
            if not self._worth(frame):
                continue
            arguments = self._arguments(frame)
            self._told.add((frame.function, arguments.text))
            first = frame.function not in self._followed
            self._followed[frame.function] = self._followed.get(frame.function, 0) + 1
            call = code(f"{frame.function}({arguments.text})")
            opening = (
                f"The generator {call}"
                if frame.yielded
                else self.voice.pick(
                    f"In {call}", f"Go into {call}", f"Work out {call}", f"For {call}"
                )
            )
            self.page.add(
                indent, Said(f"{opening}{self._aim(frame) if first else ''}:", arguments.facts)
            )
            self.block(self.story.items(frame), frame, indent=indent + 1)

    def _aim(self, frame: Frame) -> str:
        """Return what a function is for, where its author says so."""
        definition = self.story.definition(frame)
        sentence = first_sentence(ast.get_docstring(definition) or "") if definition else ""
        return f" (“{sentence.rstrip('.')}”)" if 0 < len(sentence) <= 90 else ""

    def _arguments(self, frame: Frame) -> Said:
        step = self.story.trace.steps[frame.entry]
        definition = self.story.definition(frame)
        names = list(step.changes)
        if definition is not None:
            given = definition.args
            names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        parts = []
        for name in names:
            text = step.changes.get(name)
            if name in ("self", "cls") or text is None:
                continue
            said = self.variable(step, name)
            parts.append(said if said is not None else Said(name))
        return Said(
            ", ".join(part.text.strip("`").replace(" = ", "=", 1) for part in parts),
            tuple(fact for part in parts for fact in part.facts),
        )

    # Values.

    def reading(self, step: Step) -> Reading:
        return self.clauses.reading(step)

    def variable(self, step: Step, name: str, *, frame: int | None = None) -> Said | None:
        """Tell a variable as it stands after a step, where it may be told."""
        index = step.frame if frame is None else frame
        changed = self.story.trace.changed(name, frame=index, before=step.index + 1)
        if changed is None:
            return None
        at = self.story.trace.steps[changed]
        text = at.changes[name]
        reading = self.reading(at)
        if text is None or not reading.shown(text):
            return None
        return Said(code(f"{name} = {text}"), (reading.fact(Claim.KIND_VALUE, name, text),))
