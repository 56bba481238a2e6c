"""Conditions and what is said of them: `5 > 3 is false`, `x > 2 holds`, `is 4 < 4? no`."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.verifier.statements.context import Context, arithmetic
from codeio.verifier.statements.evaluation import OPAQUE, literal_of
from codeio.verifier.statements.instances import differences
from codeio.verifier.statements.judging import Support
from codeio.verifier.statements.stated import FALSE, TRUE, Stated, stated
from codeio.verifier.statements.vocabulary import NEGATIONS, NO, YES, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.sentences import Sentence

_FILLING = words(
    "is are was which that this it condition check test comparison evaluates to gives yields "
    "returns now again also therefore still indeed clearly both becomes here there then comes "
    "out being came comes turned as no-longer longer be does do a so the turns in fact obviously "
    "trivially simply"
)
_FILLING_SIGNS = frozenset((")", ",", "→", "=", "?", ":", "-", "#"))
_MOST_FILLING = 8
_ANSWERS = words("true false yes yep yeah yup no nope")
_ASSERTING = words("since because as given so thus hence therefore that")
_ASKING = words(
    "if whether when while until check checks checking checked test tests testing condition "
    "is does compare compares long asks else elif do are was were guard only for not nor "
    "neither"
)


@dataclass(frozen=True)
class Telling:
    """That a condition is said to hold, or not."""

    outcome: bool
    place: int
    """Of the item that says it."""
    always: bool


def read_conditions(sentence: Sentence, context: Context) -> None:
    """Find what is said of the conditions of a sentence."""
    items = sentence.items
    place = 0
    while place < len(items):
        item = items[place]
        instances, end = _instances(items, place + 1)
        if sentence.silent[place] or not (
            is_condition(item) or _is_tested(items, place, instances, end)
        ):
            place += 1
            continue
        _read_condition(items, place, instances, end, context)
        place = end


def _is_tested(items: Sequence[Item], place: int, instances: Sequence[Item], end: int) -> bool:
    """Tell whether an expression of the program is told to hold, or not, as a condition."""
    item = items[place]
    if item.kind != "expression" or item.literal or not item.code:
        return False
    follows = items[end].lower if end < len(items) else ""
    return follows in ("holds", "fails") or (
        bool(instances) and telling_after(items, end) is not None
    )


def _read_condition(
    items: Sequence[Item], place: int, instances: Sequence[Item], end: int, context: Context
) -> None:
    item = items[place]
    telling = _neither(items, place, end) or telling_after(items, end)
    if telling is None and _asserted(items, place) and not _in_equation(items, place, end):
        follows = items[end] if end < len(items) else None
        asked = follows is not None and follows.text in ("?", "#")
        stands = follows is not None and follows.text in (":", ",") and bool(instances)
        if not asked and (item.literal or stands or _is_reason(items, place)):
            telling = Telling(True, end - 1, always=False)
        elif not asked and (claim := _said_equal(item, context)):
            left, said = claim
            context.value((item, item), left, said)
    if telling is not None:
        _judge(items, place, telling, context)
        said_at = items[max(end - 1, telling.place)]
        for instance in instances:
            _judge_instance(item, (instance, said_at), telling, context)


def is_condition(item: Item) -> bool:
    node = item.node
    return isinstance(node, ast.Compare | ast.BoolOp) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )


def telling_after(items: Sequence[Item], place: int) -> Telling | None:
    """Return what is said of a condition right after it."""
    negated = always = False
    for at in range(place, min(len(items), place + _MOST_FILLING)):
        item = items[at]
        word = item.lower
        if item.literal and isinstance(item.value, bool) and item.plain and item.text[:1] != "(":
            return Telling(item.value is not negated, at, always)
        if word in NEGATIONS or (word == "no" and _next(items, at) == "longer"):
            negated = not negated
            always = always or word == "never"
        elif word == "always":
            always = True
        elif word in YES or word in NO:
            if at and items[at - 1].text == "," and word not in _ANSWERS:
                return None  # `4 < 5, fail`: what the program does
            if word == "no" and _next(items, at) and items[at + 1].kind == "word":
                return None
            return Telling((word in YES) is not negated, at, always)
        elif item.kind == "expression" or not (
            word in _FILLING if item.kind == "word" else item.text in _FILLING_SIGNS
        ):
            return None
    return None


def _next(items: Sequence[Item], at: int) -> str:
    return items[at + 1].lower if at + 1 < len(items) else ""


def _asserted(items: Sequence[Item], place: int) -> bool:
    before = items[max(0, place - 3) : place]
    for item in reversed(before):
        if item.lower in _ASKING and item.kind == "word":
            return False
        if item.kind == "sign" and item.text in (",", ";", ":", "→", "."):
            return True
        if item.lower in _ASSERTING:
            return True
    return True


def _is_reason(items: Sequence[Item], place: int) -> bool:
    """Tell whether a condition of the program stands as a reason: `since x > 2, ...`."""
    if place >= 2 and items[place - 2].lower == "long":
        return False
    return (
        bool(place)
        and items[place - 1].lower in ("since", "because", "as", "and", "given")
        and (
            items[place - 1].lower != "and"
            or any(i.lower in ("since", "as") for i in items[:place])
        )
    )


def _in_equation(items: Sequence[Item], place: int, end: int) -> bool:
    if items[place].joined:
        return False
    sides = [items[place - 1].text if place else "", items[end].text if end < len(items) else ""]
    return "=" in sides


def _neither(items: Sequence[Item], place: int, end: int) -> Telling | None:
    """Read `neither A nor B holds` for each of the two."""
    if not place or items[place - 1].lower not in ("neither", "nor"):
        return None
    for at in range(end, len(items)):
        if items[at].lower in YES | NO and not items[at].literal:
            return Telling(items[at].lower in NO, at, always=False)
    return None


def _said_equal(item: Item, context: Context) -> tuple[ast.expr, Stated] | None:
    """Read `counts == {"a": 1}` as a statement where the program does not ask it itself."""
    match item.node:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            pass
        case _:
            return None
    if any(ast.unparse(item.node) in run.recorded for run in context.runs):
        return None
    value = literal_of(right)
    if value is OPAQUE:
        return None
    return left, stated(value, ast.unparse(right))


def _judge(items: Sequence[Item], place: int, telling: Telling, context: Context) -> None:
    item = items[place]
    end = items[max(place, telling.place)]
    if item.node is None:
        return
    word = "true" if telling.outcome else "false"
    if item.literal:
        support = arithmetic(bool(item.value) is telling.outcome)
        if support is Support.SUPPORTED and context.is_foreign(item):
            support = Support.CONTRADICTED
        context.add("condition", (item, end), item.text, word, support)
        return
    said = Stated(TRUE if telling.outcome else FALSE, word)
    context.value((item, end), item.node, said, kind="condition", always=telling.always)


def _instances(items: Sequence[Item], place: int) -> tuple[list[Item], int]:
    """Return the same condition with values put in, where it follows in brackets."""
    if place >= len(items):
        return [], place
    item = items[place]
    if (
        item.kind == "expression"
        and item.text.startswith("(")
        and (is_condition(item) or items[place - 1].code)
    ):
        return [item], place + 1
    found: list[Item] = []
    if item.kind == "sign" and item.text == "(":
        for at in range(place + 1, min(len(items), place + 8)):
            if items[at].text == ")":
                return (found, at + 1) if found else ([], place)
            if items[at].kind == "expression" and items[at].code:
                found.append(items[at])
            elif items[at].text != "," and items[at].lower != "i.e.":
                break
    return [], place


def _judge_instance(
    pattern: Item, span: tuple[Item, Item], telling: Telling, context: Context
) -> None:
    instance = span[0]
    if instance.literal:
        support = arithmetic(bool(instance.value) is telling.outcome)
        word = "true" if telling.outcome else "false"
        context.add("condition", span, instance.text, word, support)
    if pattern.node is not None and instance.node is not None and not pattern.literal:
        for part, value in differences(pattern.node, instance.node):
            context.value(span, part, stated(value, repr(value)))
