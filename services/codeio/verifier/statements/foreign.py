"""Values that occur nowhere in the run: `that leaves 42`, `the list [38, 1] comes out`.

A value that no variable and no expression of the program ever had is of nothing in the run,
whatever the words around it say that it is of. So the words need not be understood: it is
enough that the value is told, and is no label, count or comparison.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from codeio.verifier.statements.judging import Support
from codeio.verifier.statements.vocabulary import ABOUT, FUNCTION_WORDS, LABELS, NEGATIONS, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.context import Context
    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.occurrences import Occurrences
    from codeio.verifier.statements.sentences import Sentence

_OPERATORS = frozenset(
    ["+", "-", "*", "/", "//", "**", "^", "<", ">", "<=", ">=", "==", "!=", "+=", "-=", "%", "?"]
)
_ASIDE = words(", ; ( ) - and for in with from by than")
_LISTING = words("and or , / between")
_MEASURING = words("exceeds exceed least most above below over under beyond past limit threshold")
_FEWEST, _MOST_VARIABLES = 2, 3
_BEFORE = LABELS | _MEASURING | _OPERATORS
_RECENT = 30
_KNOWN = (Support.SUPPORTED, Support.CONTRADICTED)
_FURTHEST = 8
"""Items before a value among which a negation is sought."""


def read_foreign(sentence: Sentence, context: Context) -> None:
    """Find the values of a sentence that occur nowhere in the run."""
    items, occurrences = sentence.items, context.occurrences
    if occurrences is None:
        return
    for place, item in enumerate(items):
        if (
            item.plain
            and not sentence.silent[place]
            and not _is_judged(item, context)
            and _is_told(items, place)
            and not _is_denied(items, place)
            and _is_foreign(items, place, context, occurrences)
        ):
            first = items[place - 1] if place else item
            context.add("value", (first, item), "", item.text, Support.CONTRADICTED)


def _is_judged(item: Item, context: Context) -> bool:
    """Tell whether a value was judged, or is what the text has worked out before."""
    recent = context.found[-_RECENT:]
    worked_out = [one for one in recent if one.kind == "arithmetic" and one.start < item.start]
    return any(
        one.start <= item.start < one.end and one.support in _KNOWN for one in recent
    ) or any(one.stated == item.text and one.support is Support.SUPPORTED for one in worked_out)


def _is_told(items: Sequence[Item], place: int) -> bool:
    """Tell whether something comes to a value, that labels, counts and measures nothing."""
    before = items[place - 1] if place else None
    after = items[place + 1] if place + 1 < len(items) else None
    if is_alternative(items, place) or (before is not None and before.lower in _BEFORE):
        return False
    number = type(items[place].value) in (int, float)
    if number and (before is None or before.lower in _ASIDE):
        return False  # it is often only mentioned
    if after is None:
        return True
    if after.kind == "sign":
        return after.text not in _OPERATORS and after.text not in ("=", "≈")
    return not number or (after.kind == "word" and after.lower in FUNCTION_WORDS - _MEASURING)


def is_alternative(items: Sequence[Item], place: int) -> bool:
    """Tell whether it is one of `7 or 44`, or goes on, as in `seven and a half`."""
    after = [item.lower for item in items[place + 1 : place + 3]]
    if after[:1] == ["or"] or (place and items[place - 1].lower == "or"):
        return True
    return after[:1] == ["and"] and after[1:] != [] and after[1] in ("a", "something", "some")


def _is_denied(items: Sequence[Item], place: int) -> bool:
    for at in range(place - 1, max(-1, place - _FURTHEST), -1):
        word = items[at].lower
        if word == "but" or (items[at].kind == "sign" and word in (",", ";", ":", ".", "(")):
            return False
        if word in NEGATIONS or word == "no":
            return True
    return False


def _is_foreign(
    items: Sequence[Item], place: int, context: Context, occurrences: Occurrences
) -> bool:
    item = items[place]
    value = item.value
    if type(value) in (int, float):
        return not _is_binary(item) and occurrences.lacks(
            value, item.text, about=_is_about(items, place)
        )
    if isinstance(value, str):
        return _is_value(items, place, context) and occurrences.has_container(value) is False
    if isinstance(value, tuple):
        # Pairs such as places in a grid are put together by the text itself.
        return item.spaced and any(
            type(part) in (int, float) and occurrences.lacks(part, repr(part)) for part in value
        )
    if isinstance(value, dict) and _is_snapshot(value, context):
        return False
    if not isinstance(value, list | dict) or len(value) < _FEWEST:
        return False
    numbers = len(value) <= _MOST_VARIABLES and all(type(part) in (int, float) for part in value)
    if numbers and occurrences.together(list(value)):
        return False  # such as `[lo, hi]`
    return occurrences.has_container(value) is False


def _is_about(items: Sequence[Item], place: int) -> bool:
    """Tell whether a number is approximate: `about 70`, and the 80 of `about 70 and 80`."""
    at = place - 1
    while at > 0 and (items[at].plain or items[at].lower in _LISTING):
        at -= 1
    near = {item.lower for item in items[max(0, at - 2) : max(0, at + 1)]}
    return bool(near & ABOUT) or "≈" in near


def _is_binary(item: Item) -> bool:
    digits = item.text.strip("()")
    return len(digits) > 2 and set(digits) <= {"0", "1"}


def _is_value(items: Sequence[Item], place: int, context: Context) -> bool:
    """Tell whether a quoted text is a value of the run, and not a quotation of something else."""
    item = items[place]
    before = items[place - 1] if place else None
    linked = before is not None and (
        before.text in ("=", "→", ":")
        or (
            before.kind == "word"
            and before.lower not in FUNCTION_WORDS
            and not before.lower.endswith("'s")
        )
    )
    shown = item.text[0] == "'" or item.code or linked
    return (
        shown
        and len(item.value) > 1
        and not any(
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and item.value in node.value
            for node in ast.walk(context.runs[0].source.tree)
        )
    )


def _is_snapshot(value: dict[Any, Any], context: Context) -> bool:
    """Tell whether a dictionary shows several variables at once."""
    names = {n.id for n in ast.walk(context.runs[0].source.tree) if isinstance(n, ast.Name)}
    return bool(value) and value.keys() <= names
