"""The order of events of one call: what each statement did, with loops folded into iterations."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from codeio.runtime.trace import Frame, Source, Statement, Step, Trace  # noqa: TC001  (fields)

if TYPE_CHECKING:
    from collections.abc import Sequence

Loop: TypeAlias = ast.For | ast.AsyncFor | ast.While


@dataclass(frozen=True)
class Act:
    """One executed statement that is no loop."""

    node: Statement
    step: Step


@dataclass
class Iteration:
    """One run of a loop's body."""

    header: Step
    items: list[Item] = field(default_factory=list)

    @property
    def first(self) -> int:
        return self.header.index

    @property
    def last(self) -> int:
        """Index of the last step of the frame in this iteration."""
        return last_step(self.items[-1]) if self.items else self.header.index


@dataclass
class LoopRun:
    """One run of a loop from its first header to its end."""

    node: Loop
    first: Step
    iterations: list[Iteration] = field(default_factory=list)
    end: Step | None = None
    """The header step that ended the loop; None when its body left it."""


Item: TypeAlias = Act | LoopRun


def last_step(item: Item) -> int:
    if isinstance(item, Act):
        return item.step.index
    if item.end is not None:
        return item.end.index
    return item.iterations[-1].last if item.iterations else item.first.index


@dataclass(frozen=True)
class Story:
    """A trace with its source, read as nested events."""

    trace: Trace
    source: Source
    _loops: dict[Statement, tuple[Loop, ...]] = field(default_factory=dict, repr=False)
    _items: dict[int, tuple[Item, ...]] = field(default_factory=dict, repr=False)

    def items(self, frame: Frame) -> tuple[Item, ...]:
        """Return what the frame did, in order, without the step of its call."""
        if frame.index not in self._items:
            self._items[frame.index] = tuple(self._fold(frame))
        return self._items[frame.index]

    def definition(self, frame: Frame) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        node = self.source.statements.get(self.trace.steps[frame.entry].statement)
        return node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None

    def calls(self, step: Step) -> tuple[Frame, ...]:
        return self.trace.calls.get(step.index, ())

    def _fold(self, frame: Frame) -> list[Item]:
        top: list[Item] = []
        running: list[LoopRun] = []
        for step in self.trace.frame_steps[frame.index][1:]:
            node = self.source.statements.get(step.statement)
            if node is None:
                continue
            enclosing = self._enclosing(node)
            while running and running[-1].node is not node and running[-1].node not in enclosing:
                running.pop()
            if running and running[-1].node is node:
                running[-1].end = step
                continue
            target = top
            if running:
                target = self._iteration(running[-1]).items
            if isinstance(node, ast.For | ast.AsyncFor | ast.While):
                run = LoopRun(node=node, first=step, end=step)
                target.append(run)
                running.append(run)
            else:
                target.append(Act(node=node, step=step))
        return top

    @staticmethod
    def _iteration(run: LoopRun) -> Iteration:
        # The header counts as the end until a step of the body follows it.
        if run.end is not None:
            run.iterations.append(Iteration(header=run.end))
            run.end = None
        return run.iterations[-1]

    def _enclosing(self, node: Statement) -> tuple[Loop, ...]:
        """Return the loops of the function whose bodies hold the node."""
        if node not in self._loops:
            found: list[Loop] = []
            child: ast.AST = node
            while (parent := self.source.parents.get(child)) is not None:
                if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
                    break
                if isinstance(parent, ast.For | ast.AsyncFor | ast.While) and child in parent.body:
                    found.append(parent)
                child = parent
            self._loops[node] = tuple(found)
        return self._loops[node]

    def within(self, node: ast.AST, ancestor: ast.AST) -> bool:
        current: ast.AST | None = node
        while current is not None and current is not ancestor:
            current = self.source.parents.get(current)
        return current is not None


def heading(node: Statement) -> str:
    """Return the source text of a statement, of a compound one its first line alone."""
    match node:
        case ast.For():
            return f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}"
        case ast.While():
            return f"while {ast.unparse(node.test)}"
        case ast.If():
            return f"if {ast.unparse(node.test)}"
        case _:
            return ast.unparse(node).splitlines()[0].rstrip(":")


def loops_around(story: Story, step: Step, *, header: bool = False) -> list[tuple[LoopRun, int]]:
    """Return the loops whose rounds hold a step, outermost first, with the round's number.

    With `header`, a loop's own header step belongs to the round that it begins.
    """
    found: list[tuple[LoopRun, int]] = []
    items: Sequence[Item] = story.items(story.trace.frames[step.frame])
    while True:
        inner = _holding(items, step.index, header=header)
        if inner is None:
            return found
        run, place = inner
        found.append(inner)
        items = run.iterations[place].items


def _holding(items: Sequence[Item], index: int, *, header: bool) -> tuple[LoopRun, int] | None:
    for item in items:
        if isinstance(item, LoopRun):
            for place, iteration in enumerate(item.iterations):
                if iteration.first < index <= iteration.last or (
                    header and iteration.first == index
                ):
                    return item, place
    return None
