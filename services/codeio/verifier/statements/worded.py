"""Arithmetic in words: `15 is divisible by 3`, `83 mod 4 leaves 3`, `10% of 60 is 6`."""

from __future__ import annotations

import ast
import math
from typing import TYPE_CHECKING, Any

from codeio.verifier.statements.context import Context, arithmetic
from codeio.verifier.statements.evaluation import UnevaluableError, evaluate
from codeio.verifier.statements.stated import Stated, stated
from codeio.verifier.statements.vocabulary import NEGATIONS, words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.sentences import Sentence

_COPULAS = words("is isn't are was equals makes gives = leaves")
_FILLING = words("not also still exactly evenly again then a an indeed even")
_LARGEST_PRIME = 10**6
_OPERATIONS: dict[str, type[ast.operator]] = {
    "sum": ast.Add, "difference": ast.Sub, "product": ast.Mult, "quotient": ast.FloorDiv,
    "remainder": ast.Mod,
}  # fmt: skip
_FUNCTIONS = {
    "gcd": "gcd", "maximum": "max", "max": "max", "larger": "max", "minimum": "min",
    "min": "min", "smaller": "min",
}  # fmt: skip
_OF_MANY: dict[str, Callable[[list[float]], float]] = {
    "sum": sum, "total": sum, "product": math.prod, "maximum": max, "max": max, "largest": max,
    "minimum": min, "min": min, "smallest": min,
}  # fmt: skip
_FACTORS = {"half": 0.5, "twice": 2, "double": 2, "triple": 3, "thrice": 3}
_POWERS = {"squared": 2, "cubed": 3}
_DIVIDED = ("divided", "by")


def read_worded(sentence: Sentence, context: Context) -> None:
    """Find what a sentence says about numbers in words."""
    items = sentence.items
    for place, item in enumerate(items):
        if sentence.silent[place]:
            continue
        word = item.lower if item.kind == "word" else ""
        if isinstance(item.node, ast.BinOp) and isinstance(item.node.op, ast.Mod | ast.FloorDiv):
            _leaves(items, place, context)
        if _number(item) is not None:
            _divisible(items, place, context)
            _percentage(items, place, context)
            _divided(items, place, context)
            if place + 1 < len(items) and items[place + 1].lower in _POWERS:
                power = _POWERS[items[place + 1].lower]
                _comes_to(items, place, place + 2, item.value**power, context)
        elif word in _FACTORS and place + 1 < len(items):
            at = place + 1 + (items[place + 1].lower == "of")
            if at < len(items) and (number := _number(items[at])) is not None:
                _comes_to(items, place, at + 1, number * _FACTORS[word], context)
        elif word in _OPERATIONS or word in _FUNCTIONS or word in _OF_MANY:
            _of_many(items, place, word, context)
            _operation(items, place, word, context)


def _number(item: Item) -> float | None:
    plain = item.plain and type(item.value) in (int, float) and abs(item.value) < 1e100
    return item.value if plain else None


def _divisible(items: Sequence[Item], place: int, context: Context) -> None:
    """Read `15 is divisible by 4`, `15 is a multiple of 4`, `3 divides 15`, `15 is prime`."""
    value = items[place].value
    at = place + 1
    negated = False
    said = False
    while at < len(items) and (items[at].lower in _FILLING or items[at].lower in _COPULAS):
        said = said or items[at].lower in _COPULAS
        negated = negated is not (items[at].lower in NEGATIONS)
        at += 1
    rest = [item.lower for item in items[at : at + 2]]
    if type(value) is not int or _is_listed(items, place):
        return
    if said and rest[:1] in (["prime"], ["composite"]) and value < _LARGEST_PRIME:
        outcome = _is_prime(value) is (rest[0] == "prime")
        _told(items, place, at, outcome is not negated, context)
    elif said and rest in (["divisible", "by"], ["multiple", "of"], ["divisor", "of"]):
        other = _number(items[at + 2]) if at + 2 < len(items) else None
        if type(other) is int:
            whole, by = (other, value) if rest[0] == "divisor" else (value, other)
            if by:
                _told(items, place, at + 2, (whole % by == 0) is not negated, context)
    elif at == place + 1 and rest[:1] in (["divides"], ["doesn't"]):
        at += rest == ["doesn't", "divide"]
        other = _number(items[at + 1]) if at + 1 < len(items) else None
        if type(other) is int and value and items[at].lower in ("divides", "divide"):
            outcome = (other % value == 0) is (rest[0] == "divides")
            _told(items, place, at + 1, outcome, context)


def _is_listed(items: Sequence[Item], place: int) -> bool:
    """Tell whether a number is a part of something larger that is said to be so."""
    before = items[place - 1] if place else None
    return before is not None and (
        before.lower in ("of", "by", "than", "plus", "minus", "times", "and", "or", "from")
        or (before.kind == "sign" and before.text in ("+", "-", "*", "/", "%", "=", "(", "^"))
    )


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % part for part in range(2, int(number**0.5) + 1))


def _told(items: Sequence[Item], place: int, end: int, outcome: bool, context: Context) -> None:
    said = " ".join(item.text for item in items[place + 1 : end + 1])
    span = (items[place], items[end])
    context.add("arithmetic", span, items[place].text, said, arithmetic(outcome))


def _percentage(items: Sequence[Item], place: int, context: Context) -> None:
    """Read `10% of 60 is 6`."""
    at = place + 1
    if at + 2 < len(items) and items[at].text in ("%", "percent") and items[at + 1].lower == "of":
        whole = _number(items[at + 2])
        if whole is not None:
            _comes_to(items, place, at + 3, whole * items[place].value / 100, context)


def _divided(items: Sequence[Item], place: int, context: Context) -> None:
    """Read `83 divided by 4 leaves 3`, and `is 20 remainder 3`."""
    if tuple(item.lower for item in items[place + 1 : place + 3]) != _DIVIDED:
        return
    by = _number(items[place + 3]) if place + 3 < len(items) else None
    at = place + 4
    if not by or at + 1 >= len(items):
        return
    value = items[place].value
    if items[at].lower == "leaves":
        at += items[at + 1].lower in ("a", "remainder")
        while at + 2 < len(items) and items[at + 1].lower in ("a", "remainder", "of", "rest"):
            at += 1
        _compare(items, place, at + 1, value % by, context)
    elif items[at].lower in _COPULAS and (number := _number(items[at + 1])) is not None:
        if type(number) is int and type(value) is int and number == value // by:
            return  # an integer division is meant
        _comes_to(items, place, at, value / by, context)


def _leaves(items: Sequence[Item], place: int, context: Context) -> None:
    """Read `83 mod 4 leaves 3`."""
    node = items[place].node
    if place + 2 >= len(items) or items[place + 1].lower not in ("leaves", "leaving"):
        return
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and items[place].literal:
        at = place + 2 + (items[place + 2].lower == "a")
        while at < len(items) and items[at].lower in ("remainder", "rest", "of"):
            at += 1
        _compare(items, place, at, items[place].value, context)


def _of_many(items: Sequence[Item], place: int, word: str, context: Context) -> None:
    """Read `the minimum of 3, 6 and 8 is 3`."""
    if word not in _OF_MANY or place + 1 >= len(items) or items[place + 1].lower != "of":
        return
    at = place + 2
    numbers: list[float] = []
    while at < len(items) and (number := _number(items[at])) is not None:
        numbers.append(number)
        at += 1
        separated = at
        while at < len(items) and items[at].lower in (",", "and"):
            at += 1
        if at == separated:
            break
    if len(numbers) > 2:
        _comes_to(items, place, at, _OF_MANY[word](numbers), context)


def _operation(items: Sequence[Item], place: int, word: str, context: Context) -> None:
    """Read `the sum of 3 and 4 is 7` and `the gcd of 8 and 12 is 4`."""
    if word not in _OPERATIONS and word not in _FUNCTIONS:
        return
    if place + 5 >= len(items) or items[place + 1].lower not in ("of", "between"):
        return
    one, other = items[place + 2], items[place + 4]
    if items[place + 3].lower != "and" or _number(one) is None or _number(other) is None:
        return
    if one.node is None or other.node is None:
        return
    if word in _OPERATIONS:
        node: ast.expr = ast.BinOp(one.node, _OPERATIONS[word](), other.node)
    else:
        node = ast.Call(ast.Name(_FUNCTIONS[word], ast.Load()), [one.node, other.node], [])
    try:
        value = evaluate(node, {})
    except UnevaluableError:
        return
    if word == "difference":
        value = abs(value)
    _comes_to(items, place, place + 5, value, context)


def _comes_to(items: Sequence[Item], place: int, at: int, value: Any, context: Context) -> None:
    """Judge the number that a copula leads to."""
    if at + 1 < len(items) and items[at].lower in _COPULAS - {"leaves"}:
        _compare(items, place, at + 1, value, context)


def _compare(items: Sequence[Item], place: int, at: int, value: Any, context: Context) -> None:
    if at >= len(items) or _number(items[at]) is None:
        return
    after = items[at + 1].text if at + 1 < len(items) else ""
    if after in ("+", "-", "*", "/", "%", "=", "percent", "times"):
        return
    said: Stated = stated(items[at].value, items[at].text)
    subject = " ".join(item.text for item in items[place:at])
    span = (items[place], items[at])
    context.add("arithmetic", span, subject, said.text, arithmetic(said.holds(value)))
