"""What is in what: `3 is in found`, `'b' isn't in counts`, `pens aren't in the price table`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.verifier.statements.stated import FALSE, TRUE, Stated
from codeio.verifier.statements.vocabulary import NEGATIONS, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.context import Context
    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.occurrences import Occurrences
    from codeio.verifier.statements.sentences import Sentence

_COPULAS = words("is are was were isn't aren't wasn't weren't")
_BETWEEN = words("not already still yet now never also indeed even")
_CONTAINERS = words("table list dict dictionary map mapping set array memo cache")
_MOST_WORDS = 4


def read_membership(sentence: Sentence, context: Context, occurrences: Occurrences) -> None:
    """Find what a sentence says to be in a container, or not."""
    items = sentence.items
    for place, item in enumerate(items):
        if item.lower != "in" or place < 2 or sentence.silent[place] or item.kind != "word":
            continue
        at = place - 1
        negated = False
        while at > 0 and items[at].lower in _BETWEEN:
            negated = negated or items[at].lower in NEGATIONS
            at -= 1
        if at < 1 or items[at].lower not in _COPULAS:
            continue
        negated = negated is not (items[at].lower in NEGATIONS)
        _judge(items[at - 1], _container(items, place, occurrences), context, negated=negated)


def _container(
    items: Sequence[Item], place: int, occurrences: Occurrences
) -> tuple[ast.expr, Item] | None:
    """Return the variable that `in` is followed by: by its name, or by a word like it."""
    at = place + 1 + (place + 1 < len(items) and items[place + 1].lower in ("the", "our"))
    if at >= len(items):
        return None
    node = items[at].node
    if isinstance(node, ast.Name):
        return node, items[at]
    names = occurrences.names
    phrase = items[at : at + _MOST_WORDS]
    for number, item in enumerate(phrase):
        if item.kind != "word":
            break
        after = phrase[number + 1].lower if number + 1 < len(phrase) else ""
        name = item.lower + "s"
        if name in names and after in _CONTAINERS:
            return ast.Name(name, ast.Load()), phrase[number + 1]
    return None


def _judge(
    what: Item, where: tuple[ast.expr, Item] | None, context: Context, *, negated: bool
) -> None:
    if where is None:
        return
    node, end = where
    if what.name and what.node is not None:
        condition = ast.Compare(what.node, [ast.In()], [node])
        outcome = Stated(FALSE if negated else TRUE, "false" if negated else "true")
        context.value((what, end), condition, outcome, kind="condition")
        return
    if what.plain:
        value = what.value
    elif what.kind == "word" and what.text.isalpha() and end.kind == "word":
        value = what.lower.removesuffix("s")
    elif what.kind == "word" and len(what.text) == 1:
        value = what.text
    else:
        return
    said = Stated(value, what.text, relation="contains", negated=negated)
    context.value((what, end), node, said)
