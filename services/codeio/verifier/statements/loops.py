"""The loops of a run: from their first step to their last, round by round."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from codeio.runtime.trace import position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from codeio.runtime.trace import Step


@dataclass(frozen=True, slots=True)
class Round:
    """One iteration of a loop: from the step of the header to the last of the body."""

    start: int
    end: int


@dataclass(frozen=True)
class LoopRun:
    """A loop from its first step to its last."""

    node: ast.For | ast.AsyncFor | ast.While
    frame: int
    first: int
    rounds: tuple[Round, ...]
    last: int

    @cached_property
    def targets(self) -> frozenset[str]:
        """The variables that a `for` sets."""
        if isinstance(self.node, ast.While):
            return frozenset()
        return frozenset(n.id for n in ast.walk(self.node.target) if isinstance(n, ast.Name))


def runs_of(
    node: ast.For | ast.AsyncFor | ast.While,
    frame: int,
    steps: Sequence[Step],
    end_of: Callable[[int], int],
) -> Iterator[LoopRun]:
    place = position(node)
    inside = (node.body[0].lineno, node.body[-1].end_lineno or node.body[-1].lineno)
    starts: list[int] = []
    first = header = -1
    last = -1
    for step in steps:
        line = step.statement.line
        if step.statement == place:
            if first < 0:
                first = step.index
            header = step.index
        elif first >= 0 and inside[0] <= line <= inside[1] and line >= place.line:
            if header >= 0:
                starts.append(header)
            header = -1
        elif first >= 0:
            yield _loop_run(node, frame, first, starts, end_of(last))
            first, header, starts = -1, -1, []
            continue
        last = step.index
    if first >= 0:
        yield _loop_run(node, frame, first, starts, end_of(last))


def _loop_run(
    node: ast.For | ast.AsyncFor | ast.While, frame: int, first: int, starts: list[int], last: int
) -> LoopRun:
    ends = [*(start - 1 for start in starts[1:]), last]
    rounds = tuple(Round(start, end) for start, end in zip(starts, ends, strict=bool(starts)))
    return LoopRun(node, frame, first, rounds, last)
