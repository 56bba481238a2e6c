"""Ranges of loop variables: `i runs from 0 to 4`, `k takes the values 8 through 17`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.verifier.statements.context import Context, combined
from codeio.verifier.statements.evaluation import OPAQUE
from codeio.verifier.statements.judging import Support, support_of
from codeio.verifier.statements.vocabulary import words

if TYPE_CHECKING:
    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.loops import LoopRun
    from codeio.verifier.statements.run import Run
    from codeio.verifier.statements.sentences import Sentence

_RUNNING = words(
    "runs goes ranges takes iterates loops counts moves walks steps is will go run the values "
    "value all over through then only in"
)
_TO = words("to through until till")


def read_ranges(sentence: Sentence, context: Context) -> None:
    """Find the ranges that a sentence gives loop variables."""
    items = sentence.items
    for place, item in enumerate(items):
        if not item.name or sentence.silent[place] or not context.runs:
            continue
        at = place + 1
        while at < len(items) and items[at].lower in _RUNNING:
            at += 1
        if at >= len(items) or items[at].lower != "from" or at + 3 >= len(items):
            continue
        first, last = _integer(items[at + 1]), None
        to = at + 2
        to += items[to].lower in ("up", "down")
        if to + 1 < len(items) and items[to].lower in _TO:
            last = _integer(items[to + 1])
        if first is None or last is None:
            continue
        supports = [_support(run, item.name, first, last, context) for run in context.runs]
        text = f"{first} to {last}"
        context.add("order", (item, items[to + 1]), item.name, text, combined(supports))


def _integer(item: Item) -> int | None:
    return item.value if item.plain and type(item.value) is int else None


def _support(run: Run, name: str, first: int, last: int, context: Context) -> Support:
    """Judge a range: a loop has to run so, with its end left out or not."""
    loops = [loop for loop in run.loops if name in loop.targets and loop.rounds]
    if context.window is not None and context.window.loop is None:
        spans = context.window.rounds
        inside = [loop for loop in loops if any(r.start <= loop.first <= r.end for r in spans)]
        loops = inside or loops
    ends = [_ends(run, loop, name) for loop in loops]
    if not ends or any(OPAQUE in pair or None in pair for pair in ends):
        return Support.UNKNOWN
    step = 1 if last >= first else -1
    if any(pair[0] == first and pair[1] in (last, last - step) for pair in ends):
        return Support.SUPPORTED
    broken = any(
        isinstance(n, ast.Break | ast.Return) for loop in loops for n in ast.walk(loop.node)
    )
    return support_of([False], complete=run.complete and not broken)


def _ends(run: Run, loop: LoopRun, name: str) -> tuple[object, object]:
    first, last = (
        run.variables(loop.frame, one.start, {name}).get(name)
        for one in (loop.rounds[0], loop.rounds[-1])
    )
    return first, last
