"""How often something happens: `the loop runs four times`, `after three iterations`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.verifier.statements.context import Context, combined
from codeio.verifier.statements.judging import Support, support_of
from codeio.verifier.statements.numbers import TIMES
from codeio.verifier.statements.vocabulary import ABOUT, NEGATIONS, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.loops import LoopRun
    from codeio.verifier.statements.run import Run
    from codeio.verifier.statements.sentences import Sentence

_ROUNDS = words(
    "iteration iterations round rounds pass passes trip trips cycle cycles loops repetitions"
)
_LOOPS = words("loop loop's loops looping body iterates iteration iterations while-loop for-loop")
_RUNNING = words(
    "runs ran run running repeats repeated executes executed execute iterates iterated goes "
    "entered looping "
    "taken used called invoked made evaluated checked tested triggered true false holds fails"
)
_OTHERS = words("branch condition test check comparison call calls called if else true false")
_VAGUE = (
    ABOUT
    | NEGATIONS
    | words(
        "first next last another more remaining most least other every each per previous until of "
        "than over many several exceeds no"
    )
)
_COMPARING = words("more less fewer before until if")
_MOMENT = words("after by in within at following")
_VERB = 4
_CLAUSE = 8
"""Items before a number among which the loop is named."""


def read_counts(sentence: Sentence, context: Context) -> None:
    """Find how often a sentence says that loops run."""
    items = sentence.items
    for place, item in enumerate(items):
        number = _number(items, place)
        if sentence.silent[place] or number is None:
            continue
        end = _counted(items, place)
        if end is None or _is_vague(items, place, end):
            continue
        near = {one.lower for one in items[max(0, place - _CLAUSE) : end + 4]}
        moment = items[place - 1].lower in _MOMENT if place else False
        supports = [
            _support(run, items, number, near, context, moment=moment) for run in context.runs
        ]
        first = items[place - 2] if items[end] is item and item.plain else item
        context.add("loop", (first, items[end]), "loop", str(number), combined(supports))


def _number(items: Sequence[Item], place: int) -> int | None:
    item = items[place]
    if item.kind == "word" and item.lower in TIMES and item.lower != "never":
        return TIMES[item.lower]
    return item.value if item.plain and type(item.value) is int else None


def _counted(items: Sequence[Item], place: int) -> int | None:
    """Return where what a number counts ends: rounds, or times that a loop runs."""
    before = {one.lower for one in items[max(0, place - _CLAUSE) : place]}
    verb = {one.lower for one in items[max(0, place - _VERB) : place]} & _RUNNING
    runs = bool(verb and before & (_LOOPS | _OTHERS))
    if items[place].kind == "word":
        return place if runs else None
    at = place + 1
    at += at < len(items) and items[at].lower in ("full", "complete", "total", "loop")
    noun = items[at].lower if at < len(items) and items[at].kind == "word" else ""
    if noun in _ROUNDS:
        return at
    if noun == "times":
        return at if runs else None
    # `iterations of the loop: 6`
    headed = place > 1 and items[place - 1].lower in (":", "=", "is", "was")
    plural = any(
        one.lower in _ROUNDS and one.lower.endswith("s")
        for one in items[max(0, place - 5) : place - 1]
    )
    closed = at >= len(items) or items[at].kind == "sign"
    return place if headed and plural and closed and items[place - 2].kind == "word" else None


def _is_vague(items: Sequence[Item], place: int, end: int) -> bool:
    before = {one.lower for one in items[max(0, place - 2) : place]}
    after = items[end + 1].lower if end + 1 < len(items) else ""
    return bool(before & _VAGUE) or after in _COMPARING


def _support(  # noqa: PLR0913
    run: Run, items: Sequence[Item], number: int, near: set[str], context: Context, *, moment: bool
) -> Support:
    if near & _OTHERS:
        return support_of([None if number in _anything(run) else False], complete=run.complete)
    loops = _named_loops(run, items, near, context)
    counts = {len(loop.rounds) for loop in loops}
    if moment and counts:
        return support_of([number <= max(counts)], complete=run.complete)
    if number in counts or number in _sums(loops):
        return Support.SUPPORTED
    named = (
        near & {"inner", "outer", "while", "for"} or len({id(one.node) for one in run.loops}) == 1
    )
    windowed = context.window is not None and context.window.loop is not None
    if not loops or moment:
        return Support.UNKNOWN
    # Of several loops none is named, then anything that happens so often may be meant.
    elsewhere = number in _anything(run)
    return support_of(
        [False if named or windowed or not elsewhere else None], complete=run.complete
    )


def _anything(run: Run) -> set[int]:
    """Return how often whatever happens in the run does."""
    outcomes = [
        [bool(episode.value) for episode in found]
        for found in run.recorded.values()
        if all(isinstance(episode.value, bool) for episode in found)
    ]
    return {
        *run.executions.values(),
        *_sums(run.loops),
        *(len(list(run.called(name))) for name in run.functions),
        *(found.count(outcome) for found in outcomes for outcome in (True, False)),
    }


def _sums(loops: Sequence[LoopRun]) -> set[int]:
    """Return how often each loop goes round in all its runs together."""
    sums: dict[int, int] = {}
    for loop in loops:
        sums[id(loop.node)] = sums.get(id(loop.node), 0) + len(loop.rounds)
    return set(sums.values())


def _named_loops(
    run: Run, items: Sequence[Item], near: set[str], context: Context
) -> list[LoopRun]:
    """Return the runs of the loops that a sentence may be about."""
    loops = list(run.loops)
    if context.window is not None and context.window.loop is not None:
        return [context.window.loop]
    targets = _targets(items)
    if targets and (chosen := [loop for loop in loops if targets <= loop.targets]):
        loops = chosen
    if near & {"inner", "outer"}:
        inner = "inner" in near
        loops = [loop for loop in loops if (_depth(run, loop) > 0) is inner] or loops
    if "while" in near and "for" not in near:
        loops = [loop for loop in loops if isinstance(loop.node, ast.While)] or loops
    if context.window is not None:
        spans = context.window.rounds
        loops = [one for one in loops if any(r.start <= one.first <= r.end for r in spans)] or loops
    return loops


def _depth(run: Run, loop: LoopRun) -> int:
    depth = 0
    node: ast.AST | None = run.source.parents.get(loop.node)
    while node is not None and not isinstance(node, ast.FunctionDef):
        depth += isinstance(node, ast.For | ast.While | ast.AsyncFor)
        node = run.source.parents.get(node)
    return depth


def _targets(items: Sequence[Item]) -> set[str]:
    """Return the loop variable of `for each x in ...`, `loop x over ...`."""
    for place, item in enumerate(items[:-2]):
        if item.lower in ("for", "loop"):
            at = place + 1 + (items[place + 1].lower == "each")
            if at + 1 < len(items) and items[at + 1].lower in ("in", "over"):
                node = items[at].node
                if node is not None:
                    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                if items[at].text.isidentifier():
                    return {items[at].text}
    return set()
