"""Values without a name: `that makes 12`, `bringing it to 13`, `it isn't 8 but 9`.

What they are of is not said; contradicted is only what occurs nowhere in the run and follows
from no numbers beside it.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from codeio.verifier.statements.evaluation import literal_of
from codeio.verifier.statements.judging import Support
from codeio.verifier.statements.numbers import decimals
from codeio.verifier.statements.stated import Stated, stated
from codeio.verifier.statements.vocabulary import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.context import Context
    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.occurrences import Occurrences
    from codeio.verifier.statements.sentences import Sentence

_GIVING = words(
    "gives giving give yields yielding makes making get gets getting leaves leaving so that's "
    "it's have has becomes totals totalling bringing now hence thus therefore"
)
_REACHING = words(
    "bringing brings bring taking takes raising lowering up down going drops sums adds comes "
    "amounts works evaluates rounds rises falls grows climbs halved doubled rounded"
)
_TO = words("to at")
_LIKE = words("like of exactly just us you only a the value total sum")
_ENDING = words(
    "and so which because since at for after but in as then with again now here instead "
    "altogether overall"
)
_HYPOTHETICAL = words("if suppose would could might were unless had without otherwise")
_LARGEST = 1e100
_NOT = words("isn't wasn't not aren't")


def read_unnamed(
    sentence: Sentence, context: Context, occurrences: Occurrences, *, output_prediction: bool
) -> None:
    """Find the values of a sentence that it gives no name for.

    The text about an input prediction speaks of other inputs too much for all of them.
    """
    items = sentence.items
    supposed = any(item.lower in _HYPOTHETICAL for item in items)
    for place, item in enumerate(items):
        if item.plain and isinstance(item.value, list | str) and len(item.value) > 1:
            told = not (sentence.silent[place] or supposed) and _is_whole(items, place)
            if output_prediction and told and _is_given(items, place):
                _container(items, place, context, occurrences)
            continue
        if type(item.value) not in (int, float) or not item.plain:
            continue
        if sentence.silent[place] or supposed or not _is_whole(items, place):
            continue
        if _is_given(items, place) or _is_correction(items, place):
            _judge(items, place, stated(item.value, item.text), context, occurrences)


def _is_whole(items: Sequence[Item], place: int) -> bool:
    """Tell whether a number stands for itself: it counts nothing and is no part of a sum."""
    if place + 1 >= len(items):
        return True
    after = items[place + 1]
    if after.kind == "sign":
        return after.text in (".", ",", ";", "!", ")", "-", ":")
    return after.kind == "word" and after.lower in _ENDING


def _is_given(items: Sequence[Item], place: int) -> bool:
    at = place - 1
    while at > 0 and place - at < 4 and items[at].lower in _LIKE:
        at -= 1
    if at < 0:
        return False
    word = items[at].lower
    if items[at].kind != "word":
        return False
    if word in _TO:
        return bool({item.lower for item in items[max(0, at - 3) : at]} & _REACHING)
    if word == "for":
        return any(item.lower in ("total", "sum") for item in items[at:place])
    return word in _GIVING


def _is_correction(items: Sequence[Item], place: int) -> bool:
    """Tell whether a number is the second of `isn't 8 but 9`."""
    if place < 3 or items[place - 1].lower != "but":
        return False
    at = place - 2 - (items[place - 2].text == ",")
    return items[at].literal and items[at - 1].lower in _NOT


def _container(
    items: Sequence[Item], place: int, context: Context, occurrences: Occurrences
) -> None:
    """Judge a list or a quoted text that something comes to."""
    item = items[place]
    known = any(
        one.start <= item.start < one.end and one.support is not Support.UNKNOWN
        for one in context.found[-20:]
    )
    if not known and occurrences.has_container(item.value) is False:
        context.add("value", (items[place - 1], item), "", item.text, Support.CONTRADICTED)


def _judge(
    items: Sequence[Item], place: int, said: Stated, context: Context, occurrences: Occurrences
) -> None:
    if not context.runs:
        return
    item = items[place]
    if any(
        one.start <= item.start < one.end and one.support is not Support.UNKNOWN
        for one in context.found[-20:]
    ):
        return  # its subject was found
    found = occurrences.has(abs(item.value), digits=decimals(item.text), about=said.about)
    if found is False and not _follows(items, place, context, occurrences, said):
        context.add("value", (items[place - 1], item), "", said.text, Support.CONTRADICTED)


def _follows(
    items: Sequence[Item], place: int, context: Context, occurrences: Occurrences, said: Stated
) -> bool:
    """Tell whether a number follows from others of the sentence, or was worked out before."""
    exact = replace(said, about=False)
    for one in reversed(context.found[-40:]):
        worked_out = one.kind == "arithmetic" and one.support is Support.SUPPORTED
        if worked_out and exact.holds(literal_of(one.stated)):
            return True
    numbers: list[float] = [
        part.value
        for item in items[max(0, place - 12) : place]
        if item.node is not None
        for part in ast.walk(item.node)
        if isinstance(part, ast.Constant)
        and isinstance(part.value, int | float)
        and not isinstance(part.value, bool)
    ]
    real = [
        n
        for n in numbers
        if abs(n) < _LARGEST and occurrences.has(abs(n), digits=decimals(repr(n)), about=False)
    ]
    if len(real) > 1 and exact.holds(sum(real)):
        return True
    return any(
        exact.holds(value) for one in real for other in real for value in _combined(one, other)
    )


def _combined(one: float, other: float) -> list[float]:
    values: list[float] = [one + other, one - other, one * other, one / 2, one * 2, one * one]
    if other:
        values += [one / other, one // other, one % other]
    return values
