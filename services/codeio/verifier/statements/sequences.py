"""Values one after another: `n: 45 → 22 → 11`, `total goes 0, 3, 7`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.verifier.statements.context import Context, combined
from codeio.verifier.statements.evaluation import OPAQUE
from codeio.verifier.statements.judging import Support
from codeio.verifier.statements.run import within
from codeio.verifier.statements.stated import stated
from codeio.verifier.statements.vocabulary import words

if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.run import Run
    from codeio.verifier.statements.sentences import Sentence

_RUNNING = words(
    "grows rises increases to reaches steps shrinks "
    "goes runs climbs moves changes evolves takes becomes is values value through the from "
    "over time grows then as follows drops falls counts progresses in order"
)
_THEN = words("then and finally to next now")
_SEPARATORS = frozenset((",", "→", ";"))


def read_sequences(sentence: Sentence, context: Context) -> None:
    """Find the sequences of a variable's values in a sentence."""
    items = sentence.items
    for place, item in enumerate(items):
        if not item.name or sentence.silent[place]:
            continue
        at = place + 1
        while at < len(items) and (items[at].lower in _RUNNING or items[at].text in (":", "=")):
            at += 1
        listed = _listed(items, at)
        if (at == place + 1 and len(listed) < 2) or len(listed) < 2:
            continue
        arrows = any(items[n].text == "→" for n in range(at, at + 2 * len(listed) - 1))
        words = {one.lower for one in items[place + 1 : at]}
        first = bool({"=", "is", "becomes"} & words)
        told = bool(words) and not first
        # `grows to 110, then 120`: one right value shows that the subject is meant.
        told_steps = {"to", "then"} <= {one.lower for one in items[place + 1 :]} and not arrows
        if not arrows and (len(listed) < 3 or not words & (_RUNNING - {"is", "the", "in"})):
            continue
        _judge(
            item,
            listed,
            context,
            skip_first=first,
            needed=_needed(len(listed), told=told, steps=told_steps),
        )


def _listed(items: Sequence[Item], at: int) -> list[Item]:
    found: list[Item] = []
    while at < len(items) and items[at].plain:
        found.append(items[at])
        if at + 1 >= len(items) or not (
            items[at + 1].text in _SEPARATORS or items[at + 1].lower in ("and", "then")
        ):
            break
        at += 2
        while at < len(items) and items[at].lower in _THEN:
            at += 1
    return found


def _needed(length: int, *, told: bool, steps: bool) -> int:
    """Return how many values have to be right before the others are held against the text."""
    if steps:
        return 1
    return max((length + 1) // 2, 1 if told else 2)


def _judge(
    subject: Item, listed: Sequence[Item], context: Context, *, skip_first: bool, needed: int
) -> None:
    if subject.node is None:
        return
    judged = [_supports(run, subject.node, listed, context) for run in context.runs]
    right = sum(
        combined([supports[number] for supports in judged]) is Support.SUPPORTED
        for number in range(len(listed))
    )
    sure = right >= needed
    for number, item in enumerate(listed):
        if number == 0 and skip_first:
            continue
        support = combined([supports[number] for supports in judged])
        if support is Support.CONTRADICTED and not sure:
            support = Support.UNKNOWN
        context.add("order", (item, item), subject.text, item.text, support)


def _supports(run: Run, node: ast.expr, listed: Sequence[Item], context: Context) -> list[Support]:
    """Judge each value: it must come, and after the one before it."""
    episodes = list(run.episodes(node))
    if context.window is not None:
        episodes = [
            e for r in context.window.rounds for e in within(episodes, r.start, r.end)
        ] or episodes
    found: list[Support] = []
    at = 0
    for item in listed:
        said = stated(item.value, item.text)
        later = next((n for n in range(at, len(episodes)) if said.holds(episodes[n].value)), None)
        if later is not None:
            found.append(Support.SUPPORTED)
            at = later
        elif (
            not episodes
            or not run.complete
            or any(e.value is OPAQUE for e in episodes)
            or any(said.holds(e.value) for e in episodes)
        ):
            found.append(Support.UNKNOWN)
        else:
            found.append(Support.CONTRADICTED)
    return found
