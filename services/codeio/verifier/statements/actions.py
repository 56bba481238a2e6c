"""What the program does: it breaks off, returns early, raises."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.runtime.trace import position
from codeio.verifier.statements.context import Context, combined
from codeio.verifier.statements.judging import support_of
from codeio.verifier.statements.vocabulary import NEGATIONS, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.run import Run
    from codeio.verifier.statements.sentences import Sentence

_HAPPENS = words(
    "triggered triggers executed executes reached taken used hit fires fire happens runs run "
    "raised raises entered applies evaluated breaks stops"
)
_RAISING = words("raise raises raised raising throws throw thrown caught catches hits")


def read_actions(sentence: Sentence, context: Context) -> None:
    """Find what a sentence says that the program does."""
    items = sentence.items
    for place, item in enumerate(items):
        if sentence.silent[place] or not context.runs:
            continue
        word = item.lower
        if item.kind == "word" and word.endswith(("error", "exception")) and len(word) > 7:
            _exception(items, place, context)
        elif item.kind == "word" and word == "early":
            _early_return(items, place, context)
        elif word in ("break", "breaks") and item.kind == "word":
            _break(items, place, context)


def _near(items: Sequence[Item], place: int, words: frozenset[str], reach: int = 4) -> int | None:
    for at in range(max(0, place - reach), min(len(items), place + reach + 1)):
        if items[at].lower in words:
            return at
    return None


def _is_negated(items: Sequence[Item], place: int, reach: int = 4) -> bool:
    near = items[max(0, place - reach) : place + reach + 1]
    return any(
        item.lower in NEGATIONS or item.lower in ("no", "without", "nothing", "skipped", "skip")
        for item in near
    )


def _judge(
    items: Sequence[Item], span: tuple[int, int], what: str, context: Context, *, did: list[bool]
) -> None:
    """Note that the program does something, which it did or did not in each run."""
    supports = [
        support_of([happened], complete=run.complete)
        for run, happened in zip(context.runs, did, strict=True)
    ]
    context.add("action", (items[span[0]], items[span[1]]), what, "done", combined(supports))


def _exception(items: Sequence[Item], place: int, context: Context) -> None:
    at = _near(items, place, _RAISING)
    if at is None or _is_negated(items, place, 2):
        return
    name = items[place].text
    if not name[:1].isupper():
        return
    did = [any(step.raised == name for step in run.trace.steps) for run in context.runs]
    _judge(items, (min(at, place), max(at, place)), name, context, did=did)


def _executed(run: Run, kinds: type[ast.stmt]) -> bool:
    nodes = run.source.statements
    return any(isinstance(nodes.get(step.statement), kinds) for step in run.trace.steps)


def _early_return(items: Sequence[Item], place: int, context: Context) -> None:
    at = _near(items, place, frozenset(("return", "returns", "returned", "returning", "exit")), 2)
    if at is None or _is_negated(items, place) or at > place:
        return
    did = [_returned_early(run) for run in context.runs]
    _judge(items, (at, place), "early return", context, did=did)


def _returned_early(run: Run) -> bool:
    """Tell whether some call was left by another statement than its function's last."""
    lasts = {
        position(node.body[-1])
        for node in ast.walk(run.source.tree)
        if isinstance(node, ast.FunctionDef)
    }
    return any(run.trace.steps[frame.last].statement not in lasts for frame in run.trace.frames)


def _break(items: Sequence[Item], place: int, context: Context) -> None:
    word = items[place].lower
    happens = word == "breaks" or _near(items, place, _HAPPENS) is not None
    if not happens or _is_negated(items, place, 5):
        return
    if any(isinstance(node, ast.Break) for node in ast.walk(context.runs[0].source.tree)):
        did = [_executed(run, ast.Break) for run in context.runs]
        _judge(items, (place, place), "break", context, did=did)
