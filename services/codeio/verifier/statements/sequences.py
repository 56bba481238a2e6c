"""Values one after another: `n: 45 → 22 → 11`, `total goes 0, 3, 7`, `primes are 2, 3 and 5`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codeio.verifier.statements.context import Context, combined
from codeio.verifier.statements.evaluation import OPAQUE
from codeio.verifier.statements.judging import Support, support_of
from codeio.verifier.statements.stated import stated
from codeio.verifier.statements.vocabulary import words

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator, Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.run import Run
    from codeio.verifier.statements.sentences import Sentence

_RUNNING = words(
    "grows rises increases to reaches steps shrinks goes runs climbs moves changes evolves takes "
    "becomes is are values value through the from over time then as follows drops falls counts "
    "progresses in order : ="
)
_SEPARATORS = words(", → ; and then")
_BETWEEN = words("then and finally to next now")
_FEWEST = 3
"""Values that make a sequence; of fewer, each is told by itself."""


def read_sequences(sentence: Sentence, context: Context) -> None:
    """Find the sequences of a variable's values in a sentence."""
    items = sentence.items
    for place, item in enumerate(items):
        if not item.name or sentence.silent[place]:
            continue
        at = place + 1
        while at < len(items) and items[at].lower in _RUNNING:
            at += 1
        listed = _listed(items, at)
        if at > place + 1 and len(listed) >= _FEWEST:
            _judge(item, listed, context)


def _listed(items: Sequence[Item], at: int) -> list[Item]:
    found: list[Item] = []
    while at < len(items) and items[at].plain:
        found.append(items[at])
        if at + 1 >= len(items) or items[at + 1].lower not in _SEPARATORS:
            break
        at += 2
        while at < len(items) and items[at].lower in _BETWEEN:
            at += 1
    return found


def _judge(subject: Item, listed: Sequence[Item], context: Context) -> None:
    """Judge each value; where most are right, the others are meant of the subject, too."""
    supports = [
        combined([_support(run, subject.node, item) for run in context.runs]) for item in listed
    ]
    sure = supports.count(Support.SUPPORTED) * 2 >= len(listed)
    for item, support in zip(listed, supports, strict=True):
        doubted = support is Support.CONTRADICTED and not sure
        known = Support.UNKNOWN if doubted else support
        context.add("order", (item, item), subject.text, item.text, known)


def _support(run: Run, node: ast.expr | None, item: Item) -> Support:
    said = stated(item.value, item.text)
    values = [*_values(run, node)] if node is not None else []
    answers = [None if value is OPAQUE else said.holds(value) for value in values]
    return support_of(answers, complete=run.complete)


def _values(run: Run, node: ast.expr) -> Iterator[Any]:
    """Yield what a variable has as its value, or in it."""
    for episode in run.episodes(node):
        yield episode.value
        if isinstance(episode.value, list | tuple | set | dict):
            yield from episode.value
