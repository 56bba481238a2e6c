"""Tells a call from its first statement to what it returns, in as much detail as there is room."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from codeio.cot_generator.tracing.clauses import Clause, Clauses
from codeio.cot_generator.tracing.expressions import Reading, Said, join
from codeio.cot_generator.tracing.story import Act, Item, Iteration, LoopRun, Story, last_step
from codeio.cot_generator.tracing.wording import Voice, capital, code, counted, tokens
from codeio.v1.records_pb2 import Claim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.runtime.trace import Frame, Step


@dataclass(frozen=True)
class Detail:
    """How much is told."""

    head: int
    """Iterations of a loop told in full at its begin."""
    compact: int
    """Iterations after those told by what they change."""
    tail: int
    """Iterations told in full at a loop's end."""
    calls: int
    """Calls of one function that are followed inside."""
    width: int
    """Longest value, in characters."""

    def inner(self) -> Detail:
        """Return the detail for loops inside a loop that has been shown once."""
        return replace(self, head=max(1, self.head // 2), compact=self.compact // 2)


DETAILS = (
    Detail(head=40, compact=0, tail=40, calls=60, width=100),
    Detail(head=8, compact=60, tail=2, calls=30, width=90),
    Detail(head=5, compact=30, tail=2, calls=12, width=80),
    Detail(head=4, compact=16, tail=1, calls=6, width=70),
    Detail(head=3, compact=8, tail=1, calls=4, width=70),
    Detail(head=2, compact=4, tail=1, calls=2, width=60),
    Detail(head=1, compact=2, tail=1, calls=1, width=60),
    Detail(head=1, compact=0, tail=1, calls=1, width=50),
    Detail(head=1, compact=0, tail=0, calls=0, width=50),
    Detail(head=0, compact=0, tail=0, calls=0, width=40),
)


class TooLongError(Exception):
    """The telling does not fit the budget."""


@dataclass
class Page:
    """Lines with their claims, up to a number of tokens."""

    budget: int
    lines: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
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
        self.claims += said.claims

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def narrate(story: Story, *, input_json: str, seed: str, budget: int) -> Page | None:
    """Tell the story's first frame in the greatest detail that fits; None when nothing fits."""
    for detail in DETAILS:
        page = Page(budget=budget)
        try:
            _Narrator(story, detail, page, input_json=input_json, voice=Voice(seed)).tell()
        except TooLongError:
            continue
        return page
    return None


class _Narrator:
    def __init__(
        self, story: Story, detail: Detail, page: Page, *, input_json: str, voice: Voice
    ) -> None:
        self.story = story
        self.detail = detail
        self.page = page
        self.input_json = input_json
        self.voice = voice
        self.clauses = Clauses(story, input_json=input_json, voice=voice, width=detail.width)
        self.followed: dict[str, int] = {}
        self.known: dict[tuple[str, str], str] = {}

    def tell(self) -> None:
        frame = self.story.trace.frames[0]
        self._block(self.story.items(frame), frame, indent=0)

    # Blocks: sentences are gathered into a paragraph, which a loop or a call interrupts.

    def _block(self, items: Sequence[Item], frame: Frame, *, indent: int) -> None:
        gathered: list[tuple[Act, Clause]] = []
        for item in items:
            if isinstance(item, LoopRun):
                self._flush(gathered, indent)
                self._loop(item, frame, indent=indent)
                continue
            if self._follow_calls(item, gathered, indent):
                self._flush(gathered, indent)
                self._enter_calls(item, indent)
            clause = self.clauses.clause(item, frame)
            if clause is not None:
                gathered.append((item, clause))
        self._flush(gathered, indent)

    def _flush(self, gathered: list[tuple[Act, Clause]], indent: int) -> None:
        if gathered:
            self.page.add(indent, self._sentences(gathered))
            gathered.clear()

    def _sentences(self, gathered: Sequence[tuple[Act, Clause]]) -> Said:
        sentences: list[Said] = []
        prefix: Said | None = None
        run: list[Said] = []

        def close() -> None:
            nonlocal prefix
            if not run and prefix is None:
                return
            body = (
                join(run, self.voice.pick(", then ", "; ", ", and then "))
                if run
                else Said("the branch is empty")
            )
            parts = [part for part in (prefix, body) if part is not None]
            whole = join(parts, ", ")
            sentences.append(Said(capital(whole.text) + ".", whole.claims))
            run.clear()
            prefix = None

        for place, (act, clause) in enumerate(gathered):
            after = gathered[place + 1][0] if place + 1 < len(gathered) else None
            if clause.kind == "holds":
                close()
                prefix = Said(self._holding(clause.said.text), clause.said.claims)
            elif clause.kind == "fails":
                close()
                node = act.node
                taken = (
                    isinstance(node, ast.If)
                    and after is not None
                    and any(self.story.within(after.node, part) for part in node.orelse)
                )
                if taken and after is not None and not isinstance(after.node, ast.If):
                    prefix = Said(f"{clause.said.text} is false, so", clause.said.claims)
                    prefix = Said(
                        self.voice.pick(
                            f"{clause.said.text} does not hold, so in the other branch",
                            f"{clause.said.text} is false, so we take the else branch",
                        ),
                        clause.said.claims,
                    )
                else:
                    said = Said(
                        f"{clause.said.text} is false" + ("" if taken else self._skipped(node)),
                        clause.said.claims,
                    )
                    sentences.append(Said(capital(said.text) + ".", said.claims))
            else:
                run.append(clause.said)
                if (
                    clause.kind in ("return", "leave")
                    or len(run) >= 3
                    or (clause.kind == "act" and prefix is None)
                ):
                    close()
        close()
        return join(sentences, " ")

    def _holding(self, condition: str) -> str:
        return (
            self.voice.pick(
                f"since {condition} holds", f"{condition} is true, so", f"as {condition} is true"
            ).removesuffix(", so")
            + ""
        )

    def _skipped(self, node: ast.AST) -> str:
        first = node.body[0] if isinstance(node, ast.If) else None
        if isinstance(first, ast.Return):
            return self.voice.pick(", so we do not return here", ", so the function goes on")
        if isinstance(first, ast.Raise):
            return ", so nothing is raised"
        if isinstance(first, ast.Continue | ast.Break):
            return self.voice.pick(", so we go on", "")
        return self.voice.pick(", so this part is skipped", ", so nothing happens here", "")

    # Loops.

    def _loop(self, run: LoopRun, frame: Frame, *, indent: int) -> None:
        count = len(run.iterations)
        claim = self._claim(Claim.KIND_ITERATIONS, run.first, "", str(count))
        header = self._header(run, frame)
        if count == 0:
            self.page.add(
                indent,
                Said(f"{capital(header.text)}: the body never runs.", (*header.claims, claim)),
            )
            return
        self.page.add(
            indent,
            Said(f"{capital(header.text)} ({counted(count, 'round')}):", (*header.claims, claim)),
        )
        detail = self.detail
        head, tail = detail.head, detail.tail
        if count <= head + tail:
            full, compact, elided, end = list(run.iterations), [], [], []
        else:
            full = run.iterations[:head]
            end = run.iterations[count - tail :] if tail else []
            middle = run.iterations[head : count - tail]
            if len(middle) <= detail.compact + 1:
                compact, elided = middle, []
            else:
                compact, elided = middle[: detail.compact], middle[detail.compact :]
        for number, iteration in enumerate(full):
            self._iteration(run, iteration, frame, indent=indent + 1, inner=number > 0)
        if compact:
            self._compact(run, compact, frame, indent=indent + 1)
        if elided:
            self._elided(run, elided, frame, indent=indent + 1)
        for iteration in end:
            self._iteration(run, iteration, frame, indent=indent + 1, inner=True)
        self._after(run, frame, indent=indent)

    def _header(self, run: LoopRun, frame: Frame) -> Said:
        reading = self._reading(run.first)
        node = run.node
        if isinstance(node, ast.While):
            return Said(
                self.voice.pick("the loop runs while ", "repeat as long as ")
                + f"{code(ast.unparse(node.test))} holds"
            )
        target = ast.unparse(node.target)
        iterable = reading.chain(node.iter)
        return Said(
            self.voice.pick(f"loop {code(target)} over ", f"go through {code(target)} in ")
            + code(iterable.text),
            iterable.claims,
        )

    def _label(self, run: LoopRun, iteration: Iteration) -> Said:
        node = run.node
        reading = self._reading(iteration.header)
        if isinstance(node, ast.While):
            outcome = reading.outcome(node.test)
            said = self.clauses.condition(reading, node.test, bool(outcome))
            return Said(f"{said.text} holds", said.claims)
        names = [part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)]
        known = [
            said for name in names if (said := self._variable(iteration.header, name)) is not None
        ]
        if not known:
            return Said(f"round {run.iterations.index(iteration) + 1}")
        return join(known, ", ")

    def _iteration(
        self, run: LoopRun, iteration: Iteration, frame: Frame, *, indent: int, inner: bool
    ) -> None:
        label = self._label(run, iteration)
        before = self.detail
        if inner:
            self.detail = self.detail.inner()
        simple: list[tuple[Act, Clause]] = []
        items = list(iteration.items)
        while (
            items and isinstance(items[0], Act) and not self._follow_calls(items[0], simple, indent)
        ):
            act = items.pop(0)
            assert isinstance(act, Act)
            clause = self.clauses.clause(act, frame)
            if clause is not None:
                simple.append((act, clause))
        text = self._sentences(simple) if simple else Said("" if items else "nothing to do.")
        if text.text:
            self.page.add(indent, join([label, text], ": "))
        else:
            self.page.add(indent, Said(label.text + ":", label.claims))
        self._block(items, frame, indent=indent + 1)
        self.detail = before

    def _compact(
        self, run: LoopRun, iterations: Sequence[Iteration], frame: Frame, *, indent: int
    ) -> None:
        parts: list[Said] = []
        for iteration in iterations:
            label = self._short_label(run, iteration)
            changes = self._net(run, iteration.first, iteration.last, frame)
            what = (
                join(changes, ", ") if changes else Said(self.voice.pick("no change", "as before"))
            )
            parts.append(join([label, what], " → "))
        whole = join(parts, "; ")
        self.page.add(
            indent,
            Said(
                self.voice.pick("In the same way: ", "Likewise: ") + whole.text + ".", whole.claims
            ),
        )

    def _short_label(self, run: LoopRun, iteration: Iteration) -> Said:
        if isinstance(run.node, ast.While):
            return Said(f"round {run.iterations.index(iteration) + 1}")
        return self._label(run, iteration)

    def _elided(
        self, run: LoopRun, iterations: Sequence[Iteration], frame: Frame, *, indent: int
    ) -> None:
        first, last = iterations[0], iterations[-1]
        state = self._net(run, first.first, last.last, frame)
        text = f"The next {counted(len(iterations), 'round')} follow the same pattern"
        if state:
            told = join(state, ", ")
            self.page.add(indent, Said(f"{text}; after them {told.text}.", told.claims))
        else:
            self.page.add(indent, Said(f"{text}."))

    def _after(self, run: LoopRun, frame: Frame, *, indent: int) -> None:
        state = self._net(run, run.first.index, last_step(run), frame)
        if not state or len(state) > 4:
            return
        told = join(state, ", ")
        self.page.add(
            indent,
            Said(
                self.voice.pick("After the loop ", "The loop ends with ") + f"{told.text}.",
                told.claims,
            ),
        )

    def _net(self, run: LoopRun, first: int, last: int, frame: Frame) -> list[Said]:
        """Tell the variables that a stretch of steps changed, as they stand after it."""
        targets = set()
        if not isinstance(run.node, ast.While):
            targets = {part.id for part in ast.walk(run.node.target) if isinstance(part, ast.Name)}
        names: dict[str, None] = {}
        for step in self.story.trace.frame_steps[frame.index]:
            if first <= step.index <= last:
                names.update(dict.fromkeys(name for name in step.changes if name not in targets))
        found = []
        for name in names:
            before = self.story.trace.variable(name, frame=frame.index, after=first - 1)
            said = self._variable(self.story.trace.steps[last], name, frame)
            if said is not None and before != self.story.trace.variable(
                name, frame=frame.index, after=last
            ):
                found.append(said)
        return found

    # Calls.

    def _follow_calls(self, act: Act, gathered: object, indent: int) -> bool:
        return any(self._worth(frame) for frame in self.story.calls(act.step))

    def _worth(self, frame: Frame) -> bool:
        if self.followed.get(frame.function, 0) >= self.detail.calls or frame.yielded:
            return False
        items = self.story.items(frame)
        if frame.function.startswith("__") and not any(isinstance(item, LoopRun) for item in items):
            return False
        return bool(items)

    def _enter_calls(self, act: Act, indent: int) -> None:
        for frame in self.story.calls(act.step):
            if not self._worth(frame):
                continue
            arguments = self._arguments(frame)
            key = (frame.function, arguments.text)
            if key in self.known:
                continue
            self.followed[frame.function] = self.followed.get(frame.function, 0) + 1
            call = f"{frame.function}({arguments.text})"
            self.page.add(
                indent,
                Said(
                    self.voice.pick("Inside ", "Now for ", "Look into ") + f"{code(call)}:",
                    arguments.claims,
                ),
            )
            self._block(self.story.items(frame), frame, indent=indent + 1)
            if frame.returned is not None:
                self.known[key] = frame.returned

    def _arguments(self, frame: Frame) -> Said:
        step = self.story.trace.steps[frame.entry]
        parts = []
        definition = self.story.definition(frame)
        names = list(step.changes)
        if definition is not None:
            arguments = definition.args
            names = [
                a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
            ]
        for name in names:
            text = step.changes.get(name)
            reading = self._reading(step)
            if name == "self" or text is None:
                continue
            if reading.shown(text):
                parts.append(Said(f"{name}={text}", (reading.claim(Claim.KIND_VALUE, name, text),)))
            else:
                parts.append(Said(name))
        return join(parts, ", ")

    def _variable(self, step: Step, name: str, frame: Frame | None = None) -> Said | None:
        index = frame.index if frame is not None else step.frame
        changed = self.story.trace.changed(name, frame=index, before=step.index + 1)
        if changed is None:
            return None
        at = self.story.trace.steps[changed]
        text = at.changes[name]
        reading = self._reading(at)
        if text is None or not reading.shown(text):
            return None
        return Said(code(f"{name} = {text}"), (reading.claim(Claim.KIND_VALUE, name, text),))

    def _reading(self, step: Step) -> Reading:
        return Reading(self.story.trace, step, input_json=self.input_json, width=self.detail.width)

    def _claim(self, kind: Claim.Kind, step: Step, subject: str, text: str) -> Claim:
        return self._reading(step).claim(kind, subject, text)
