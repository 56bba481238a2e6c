"""How often something happens: `the loop runs four times`, `after three iterations`."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from codeio.verifier.statements.context import Context, combined
from codeio.verifier.statements.judging import Support, support_of
from codeio.verifier.statements.numbers import TIMES
from codeio.verifier.statements.vocabulary import NEGATIONS, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.loops import LoopRun
    from codeio.verifier.statements.run import Run
    from codeio.verifier.statements.sentences import Sentence

_ROUNDS = words(
    "iteration iterations round rounds pass passes trip trips cycle cycles loops repetitions"
)
_LOOPING = words(
    "loop loops body iterates iterate iterated iterations runs ran run repeats repeated "
    "executes executed execute looping while for-loop loop's"
)
_CALLING = words(
    "called calls invoked comparison made performed call recursion evaluated checked tested "
    "condition executed"
)
_VAGUE = words(
    "first next last another more remaining most least up-to other every each per previous "
    "only-if until of th nth than over over-all many several exceeds exceed"
)
_OUTCOMES = words("true false holds fails succeeds triggered taken entered")
_LOOP_NOUNS = words("loop body iterates looping loop's") | _ROUNDS
_RUNS = words("runs ran run executes executed called made performed repeats iterates")
_MOMENT = words("after by in within at following")


def read_counts(sentence: Sentence, context: Context) -> None:
    """Find how often a sentence says that loops run."""
    items = sentence.items
    words = sentence.words()
    for place, item in enumerate(items):
        if sentence.silent[place]:
            continue
        after = items[place + 1] if place + 1 < len(items) else None
        number = _number(item)
        once = item.kind == "word" and item.lower in TIMES and item.lower != "never"
        if item.lower == "once" and not _is_counted(items, place):
            continue
        if number is None and not once:
            continue
        if once:
            number = TIMES[item.lower]
        if number is None:
            continue
        if not once and (what := _headed(items, place)) is not None:
            _judge(items, place, number, item, words | {"loop"}, context, first=what)
            continue
        noun = "times" if once else after.lower if after is not None else ""
        if noun in ("full", "complete", "total") and place + 2 < len(items):
            after = items[place + 2]
            noun = after.lower
        if noun in _ROUNDS or (noun == "times" and words & (_LOOPING | _CALLING | _OUTCOMES)):
            last = item if once or after is None else after
            _judge(items, place, number, last, words, context)


def _is_counted(items: Sequence[Item], place: int) -> bool:
    """Tell `runs once` from `once the loop ends`."""
    before = {item.lower for item in items[max(0, place - 3) : place]}
    return bool(before & (_LOOPING | _CALLING)) and bool(
        before & {"exactly", "only", "just", *_RUNS}
    )


def _headed(items: Sequence[Item], place: int) -> Item | None:
    """Return what `iterations of the loop: 6` counts."""
    after = items[place + 1] if place + 1 < len(items) else None
    if place < 2 or items[place - 1].lower not in (":", "=", "is", "was"):
        return None
    if after is not None and (after.kind != "sign" or after.text not in (".", ",", ";", ")")):
        return None
    at = place - 2
    while at > 0 and items[at].lower in ("of", "the", "loop", "body", "while", "for"):
        at -= 1
    plural = items[at].lower in _ROUNDS and items[at].lower.endswith("s")
    return items[at] if plural and not items[at].name else None


def _number(item: Item) -> int | None:
    plain = item.plain and isinstance(item.value, int) and not isinstance(item.value, bool)
    return item.value if plain else None


def _judge(  # noqa: PLR0913, PLR0917
    items: Sequence[Item],
    place: int,
    number: int,
    last: Item,
    words: set[str],
    context: Context,
    *,
    first: Item | None = None,
) -> None:
    before = [item.lower for item in items[max(0, place - 4) : place]]
    following = next((n for n, item in enumerate(items) if item is last), place) + 1
    next_word = items[following].lower if following < len(items) else ""
    if set(before[-2:]) & _VAGUE or next_word in ("more", "less", "before", "until"):
        return
    if set(before) & NEGATIONS:
        return
    moment = bool(set(before[-2:]) & _MOMENT)
    near = {item.lower for item in items[max(0, place - 5) : place]}
    if near & {"loop", "body", "iterates", "iterations"}:
        words = words - _CALLING
    supports = [_support(run, items, number, words, context, moment=moment) for run in context.runs]
    context.add("loop", (first or items[place], last), "loop", str(number), combined(supports))


def _support(  # noqa: PLR0913
    run: Run, items: Sequence[Item], number: int, words: set[str], context: Context, *, moment: bool
) -> Support:
    refuted = support_of([False], complete=run.complete)
    loops = named_loops(run, items, words, context)
    counts = {len(loop.rounds) for loop in loops}
    if moment:
        if not loops:
            return Support.UNKNOWN
        possible = max(counts) >= number
        return support_of([possible], complete=run.complete)
    if number in counts:
        return Support.SUPPORTED
    if context.window is not None and context.window.loop is not None and not words & _CALLING:
        return refuted
    if not loops and not words & (_CALLING | _OUTCOMES):
        entered = bool(run.loops) or not number or "loop" not in words
        return Support.UNKNOWN if entered else refuted
    of_loop = bool(words & _LOOP_NOUNS) and not words & _CALLING
    one_loop = len({id(loop.node) for loop in run.loops}) == 1
    if number in _sums(loops):
        return Support.SUPPORTED
    if of_loop and (one_loop or words & {"inner", "outer", "while", "for"}):
        return refuted
    if number in _other_counts(run, loops, words):
        return Support.SUPPORTED if words & _CALLING else Support.UNKNOWN
    return refuted


def _other_counts(run: Run, loops: Sequence[LoopRun], words: set[str]) -> set[int]:
    """Return how often other things happen, so that one of them may be meant."""
    if words & {"true", "false", "holds", "fails"}:
        return _outcome_counts(run, words)
    headers = {loop.node.lineno for loop in run.loops}
    counts = {count for line, count in run.executions.items() if line not in headers}
    if words & {"evaluated", "checked", "tested", "condition", "check"}:
        counts |= set(run.executions.values())
    counts |= {len(list(run.called(name))) for name in run.functions}
    return counts | _sums(loops)


def _sums(loops: Sequence[LoopRun]) -> set[int]:
    """Return how often each loop goes round in all its runs together."""
    sums: dict[int, int] = {}
    for loop in loops:
        sums[id(loop.node)] = sums.get(id(loop.node), 0) + len(loop.rounds)
    return set(sums.values())


def _outcome_counts(run: Run, words: set[str]) -> set[int]:
    """Return how often tests come out true or false: those that the words name, else all."""
    outcomes = {
        text: list({episode.start: bool(episode.value) for episode in found}.values())
        for text, found in run.recorded.items()
        if found and all(isinstance(episode.value, bool) for episode in found)
    }
    named = [
        found
        for text, found in outcomes.items()
        if any(len(name) > 3 and name in words for name in re.findall(r"\w+", text.lower()))
    ]
    return {
        found.count(outcome) for found in named or outcomes.values() for outcome in (True, False)
    }


def named_loops(
    run: Run, items: Sequence[Item], words: set[str], context: Context
) -> list[LoopRun]:
    """Return the runs of the loops that a sentence may be about."""
    loops = list(run.loops)
    if context.window is not None and context.window.loop is not None:
        return [context.window.loop]
    targets = _targets(items)
    if targets and (chosen := [loop for loop in loops if targets <= loop.targets]):
        loops = chosen
    if "inner" in words:
        loops = [loop for loop in loops if _depth(run, loop) > 0] or loops
    if "outer" in words:
        loops = [loop for loop in loops if _depth(run, loop) == 0] or loops
    if "while" in words and "for" not in words:
        loops = [loop for loop in loops if isinstance(loop.node, ast.While)] or loops
    lines = sorted({loop.node.lineno for loop in loops if _depth(run, loop) == 0})
    for ordinal, name in enumerate(("first", "second", "third")):
        if name in words and "loop" in words and ordinal < len(lines) > 1:
            loops = [loop for loop in loops if loop.node.lineno == lines[ordinal]]
    if context.window is not None:
        inside = [
            loop
            for loop in loops
            if any(r.start <= loop.first <= r.end for r in context.window.rounds)
        ]
        loops = inside or loops
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
