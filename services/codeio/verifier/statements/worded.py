"""Arithmetic in words: `15 is divisible by 3`, `the sum of 3 and 4 is 7`, `10% of 60 is 6`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from codeio.verifier.statements.context import Context, arithmetic
from codeio.verifier.statements.stated import stated
from codeio.verifier.statements.vocabulary import NEGATIONS, words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.sentences import Sentence

_COPULAS = words("is isn't are was equals makes gives = leaves leaving")
_FILLING = words("not also still exactly evenly again then a an indeed even remainder of rest")
_INSIDE = words("of by than plus minus times or from + - * / % = ( ^")
_GOING_ON = words("+ - * / % = percent times")
_LARGEST_PRIME = 10**6
_LARGEST = 1e100
_OF_MANY: dict[str, Callable[[list[float]], float]] = {
    "sum": sum, "total": sum, "product": math.prod, "maximum": max, "max": max, "largest": max,
    "larger": max, "minimum": min, "min": min, "smallest": min, "smaller": min,
    "difference": lambda n: abs(n[0] - n[1]), "gcd": lambda n: math.gcd(*map(int, n)),
}  # fmt: skip
_FACTORS = {"half": 0.5, "halving": 0.5, "twice": 2, "double": 2, "doubling": 2, "triple": 3}
_POWERS = {"squared": 2, "cubed": 3}


def read_worded(sentence: Sentence, context: Context) -> None:
    """Find what a sentence says about numbers in words."""
    items = sentence.items
    for place, item in enumerate(items):
        if sentence.silent[place] or _is_inside(items, place):
            continue
        if (outcome := _property(items, place)) is not None:
            end, holds = outcome
            said = " ".join(one.text for one in items[place + 1 : end + 1])
            context.add("arithmetic", (item, items[end]), item.text, said, arithmetic(holds))
        elif (worked_out := _worked_out(items, place)) is not None:
            _compare(items, place, *worked_out, context)


def _is_inside(items: Sequence[Item], place: int) -> bool:
    """Tell whether an item is a part of something larger that is said to be so."""
    before = items[place - 1].lower if place else ""
    return before in _INSIDE or (before == "and" and _number(items, place - 2) is not None)


def _number(items: Sequence[Item], place: int) -> float | None:
    item = items[place] if 0 <= place < len(items) else None
    if item is None or not item.plain or type(item.value) not in (int, float):
        return None
    return item.value if abs(item.value) < _LARGEST else None


def _words(items: Sequence[Item], at: int, count: int = 2) -> list[str]:
    return [item.lower for item in items[at : at + count]]


def _property(items: Sequence[Item], place: int) -> tuple[int, bool] | None:
    """Return where `is divisible by 4` and the like end, and whether it is so."""
    number = _number(items, place)
    if type(number) is not int:
        return None
    at, negated = place + 1, False
    while at < len(items) and items[at].lower in _FILLING | _COPULAS:
        negated = negated is not (items[at].lower in NEGATIONS)
        at += 1
    said, other = _words(items, at), _number(items, at + 2)
    if at > place + 1 and said[:1] == ["prime"] and number < _LARGEST_PRIME:
        prime = number > 1 and all(number % n for n in range(2, math.isqrt(number) + 1))
        return at, prime is not negated
    if at == place + 1 and said[:1] == ["divides"]:
        whole, by, at = _number(items, at + 1), number, at - 1
    elif at > place + 1 and said in (["divisible", "by"], ["multiple", "of"]):
        whole, by = number, other
    else:
        return None
    if type(whole) is not int or type(by) is not int or not by:
        return None
    return at + 2, (whole % by == 0) is not negated


def _worked_out(items: Sequence[Item], place: int) -> tuple[int, float] | None:
    """Return where a calculation in words ends, and what it comes to."""
    item, after = items[place], _words(items, place + 1)
    word = item.lower
    if item.literal and not item.plain and after[:1] in (["leaves"], ["leaving"]):
        return place + 1, item.value
    if (number := _number(items, place)) is not None:
        return _of_number(items, place, number)
    if word in _FACTORS:
        at = place + 1 + (after[:1] == ["of"])
        number = _number(items, at)
        return None if number is None else (at + 1, number * _FACTORS[word])
    return _of_many(items, place + 2, word) if word in _OF_MANY and after[:1] == ["of"] else None


def _of_number(items: Sequence[Item], place: int, number: float) -> tuple[int, float] | None:
    after, other = _words(items, place + 1), _number(items, place + 3)
    if after[:1] and after[0] in _POWERS:
        return place + 2, number ** _POWERS[after[0]]
    if after in (["%", "of"], ["percent", "of"]) and other is not None:
        return place + 4, number * other / 100
    if after == ["divided", "by"] and other:
        rest = _words(items, place + 4, 1) in (["leaves"], ["leaving"])
        return place + 4, number % other if rest else number / other
    return None


def _of_many(items: Sequence[Item], at: int, word: str) -> tuple[int, float] | None:
    numbers: list[float] = []
    while (number := _number(items, at)) is not None:
        numbers.append(number)
        at += 1
        while _words(items, at, 1) in ([","], ["and"]):
            at += 1
    return (at, _OF_MANY[word](numbers)) if len(numbers) > 1 and items[at - 1].plain else None


def _compare(items: Sequence[Item], place: int, at: int, value: float, context: Context) -> None:
    """Judge the number that a copula leads to."""
    if at >= len(items) or items[at].lower not in _COPULAS:
        return
    at += 1
    while at < len(items) and items[at].lower in _FILLING - {"not"}:
        at += 1
    number = _number(items, at)
    if number is None or (_words(items, at + 1, 1) and items[at + 1].lower in _GOING_ON):
        return
    said = stated(number, items[at].text)
    if type(number) is int and number == math.floor(value):
        value = number  # an integer division is meant
    subject = " ".join(item.text for item in items[place:at])
    context.add(
        "arithmetic", (items[place], items[at]), subject, said.text, arithmetic(said.holds(value))
    )
