"""Equations, however long: `total = 3 + 4 = 7`, `83 // 4 = 20`, `n % 2 == 0 (4 % 2 == 0)`."""

from __future__ import annotations

import ast
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from codeio.verifier.statements.context import Context, arithmetic
from codeio.verifier.statements.evaluation import UnevaluableError, evaluate
from codeio.verifier.statements.judging import Support
from codeio.verifier.statements.numbers import decimals
from codeio.verifier.statements.stated import stated, unlike
from codeio.verifier.statements.vocabulary import ABOUT, NEGATIONS, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.sentences import Sentence

EQUAL = ("=", "≈", "==")
_SETTING = words("for with when where while if at")
_REMAINDER = words("remainder rest rem leaving")
_REACHING = words("reach reaches have has get gets hit hits become see at even ever with")


def read_chains(sentence: Sentence, context: Context) -> None:
    """Find the equations of a sentence."""
    items = sentence.items
    place = 0
    while place < len(items):
        if items[place].kind != "expression":
            place += 1
            continue
        chain, end = chain_at(items, place)
        denied = end < len(items) and items[end].lower in NEGATIONS
        if len(chain) > 1 and not denied and not any(sentence.silent[place:end]):
            if _leaves_rest(items, place, end):
                place = end
                continue
            moment = context.window
            if place and items[place - 1].lower in _SETTING:
                context.window = None  # `for x = 2` turns to another moment
            if _is_unpacking(items, place):
                _unpacking(items, place, chain, context)
            elif _is_denied(items, place):
                _denied(chain, context)
            else:
                _chain(chain, context)
            context.window = moment
        place = max(end, place + 1)


def chain_at(items: Sequence[Item], place: int) -> tuple[list[tuple[Item, bool]], int]:
    """Return the expressions of an equation, each with whether it is only about equal."""
    chain = [(items[place], False)]
    at = place + 1
    while at < len(items):
        link = items[at]
        following = at + 1
        if link.kind == "sign" and link.text in EQUAL:
            about = link.text == "≈"
        elif (
            link.text in ("→", "#")
            and following < len(items)
            and items[following].plain
            and _comes_to(items, at - 1)
            and not (following + 1 < len(items) and items[following + 1].text in EQUAL)
        ):
            about = False
        elif (
            link.text == ","
            and not items[at - 1].plain
            and following < len(items)
            and (
                items[following].lower in ("i.e.", "namely")
                or (items[following].lower == "or" and isinstance(items[at - 1].node, ast.BinOp))
            )
        ):
            about = False
            following += 1
        else:
            break
        while following < len(items) and items[following].lower in ABOUT:
            about = True
            following += 1
        if following >= len(items) or items[following].kind != "expression":
            break
        if link.text == "," and _is_noun(items, following):
            break
        if following + 1 < len(items) and items[following + 1].text in ("%", "percent"):
            break
        chain.append((items[following], about))
        at = following + 1
    return chain, at


def _leaves_rest(items: Sequence[Item], place: int, end: int) -> bool:
    """Tell whether `83 / 4 = 20 remainder 3` stands there: a division of integers."""
    node = items[place].node
    divides = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    return divides and bool(_REMAINDER & {item.lower for item in items[end : end + 3]})


def _is_denied(items: Sequence[Item], place: int) -> bool:
    """Tell whether `doesn't reach r = 1` stands there."""
    before = items[max(0, place - 3) : place]
    for item in reversed(before):
        if item.kind != "word":
            return False
        if item.lower in NEGATIONS:
            return item.lower not in ("neither", "nor")
        if item.lower not in _REACHING:
            return False
    return False


def _denied(chain: list[tuple[Item, bool]], context: Context) -> None:
    first, last = chain[0][0], chain[-1][0]
    if len(chain) == 2 and first.node is not None and not first.literal and last.plain:
        said = stated(last.value, last.text).negation()
        context.value((first, last), first.node, said, always=True)


def _is_noun(items: Sequence[Item], place: int) -> bool:
    """Tell whether a number counts what the next word names: `i.e. five calls`."""
    after = items[place + 1] if place + 1 < len(items) else None
    return not items[place].code and after is not None and after.kind == "word"


def _comes_to(items: Sequence[Item], place: int) -> bool:
    """Tell whether an arrow after an expression points at its value: `2 + 25 → 27`."""
    item = items[place]
    if isinstance(item.node, ast.BinOp | ast.Call):
        return not item.plain
    return bool(items[place].code and isinstance(item.node, ast.Subscript))


def _is_unpacking(items: Sequence[Item], place: int) -> bool:
    """Tell whether the equation is part of `a, b = 1, 2`."""
    return (
        place >= 2
        and items[place - 1].text == ","
        and bool(items[place - 2].name)
        and (place < 3 or items[place - 3].text not in (*EQUAL, "→", "+="))
    )


def _unpacking(
    items: Sequence[Item], place: int, chain: list[tuple[Item, bool]], context: Context
) -> None:
    names = [items[place]]
    at = place
    while at >= 2 and items[at - 1].text == "," and items[at - 2].name:
        at -= 2
        names.insert(0, items[at])
    given = [chain[1][0]]
    at = next((n for n in range(place, len(items)) if items[n] is given[0]), place)
    while (
        len(chain) == 2
        and at + 2 < len(items)
        and items[at + 1].text == ","
        and items[at + 2].literal
        and len(given) < len(names)
    ):
        at += 2
        given.append(items[at])
    value = chain[-1][0].value if chain[-1][0].literal else None
    if len(given) == len(names) and all(item.literal for item in given):
        for name, item in zip(names, given, strict=True):
            if name.node is not None:
                context.value((name, item), name.node, stated(item.value, item.text))
    elif isinstance(value, tuple | list) and len(value) == len(names):
        for name, part in zip(names, value, strict=True):
            if name.node is not None:
                context.value((name, chain[-1][0]), name.node, stated(part, repr(part)))


def _chain(chain: list[tuple[Item, bool]], context: Context) -> None:
    for number, ((left, _), (right, about)) in enumerate(pairwise(chain)):
        if left.literal and right.literal:
            if not (left.plain and right.plain) or len(chain) > 2:
                _calculated(left, right, about, context)
            continue
        if not left.literal:
            rest = [pair for pair in chain[number + 1 :] if pair[0].literal]
            if rest:
                # A variable gets what comes out at the end, an expression what comes next.
                value, near = rest[-1] if left.name else rest[0]
                _equal(left, value, near, context)


def _left(item: Item) -> ast.expr | None:
    """Return what an equation with a comparison in it is about: the comparison's left side."""
    if isinstance(item.node, ast.Compare) and item.joined:
        return item.node.left
    return item.node


def _calculated(left: Item, right: Item, about: bool, context: Context) -> None:
    found = literal_side(right)
    if found is None or unlike(found[0], left.value):
        return
    said = stated(*found, about=about)
    support = arithmetic(said.holds(left.value))
    if support is Support.CONTRADICTED and isinstance(left.value, list | dict):
        # The program may have changed the container between two of its parts.
        support = Support.UNKNOWN
    context.add("arithmetic", (left, right), left.text, said.text, support)


def _equal(left: Item, right: Item, about: bool, context: Context) -> None:
    found = literal_side(right)
    if left.node is None or found is None:
        return
    if not left.name and _is_unlike(left.node, found[0], context):
        return
    said = stated(*found, about=about)
    if not right.plain and (digits := _rounded(right)):
        said = replace(said, digits=digits)
    context.value((left, right), left.node, said)


def _is_unlike(node: ast.expr, value: object, context: Context) -> bool:
    known = [episode.value for run in context.runs for episode in run.episodes(node)]
    return bool(known) and all(unlike(value, one) for one in known)


def _rounded(item: Item) -> int:
    """Return the most decimals of a calculation's numbers; they may have been rounded."""
    parts = ast.walk(item.node) if item.node is not None else ()
    numbers = [p.value for p in parts if isinstance(p, ast.Constant) and type(p.value) is float]
    return max((decimals(repr(number)) for number in numbers), default=0)


def literal_side(item: Item) -> tuple[object, str] | None:
    """Return the value and text of an expression; of `4 < 5` after a sign, the left side."""
    node = _left(item)
    if node is item.node or node is None:
        return item.value, item.text
    try:
        return evaluate(node, {}), ast.unparse(node)
    except UnevaluableError:
        return None
