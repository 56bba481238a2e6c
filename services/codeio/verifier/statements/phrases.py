"""Statements in words: `n becomes 20`, `total is not 4`, `depth is greater than zero`."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from codeio.verifier.statements.chains import chain_at
from codeio.verifier.statements.conditions import is_condition
from codeio.verifier.statements.context import Context, arithmetic
from codeio.verifier.statements.foreign import is_alternative
from codeio.verifier.statements.items import NO_VALUE
from codeio.verifier.statements.links import COPULAS, Said, link
from codeio.verifier.statements.stated import (
    EMPTY,
    EVEN,
    FALSE,
    NOTHING,
    ODD,
    TRUE,
    Stated,
    stated,
    unlike,
)
from codeio.verifier.statements.vocabulary import FUNCTION_WORDS, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.sentences import Sentence

_NOT_OF = words(
    "of by in for from than on per between under over modulo times inside without except"
)
_COUNTING = words("more less times plus minus")
_ELEMENTS = words("element elements item items entry entries")
_NUMBERS, _TEXTS = words("numbers integers values"), words("strings words values")
_LETTERS = words("character characters char chars letter letters")
_CONTAINING = words("contains contain contained includes include has holds")
_MEASURES = {
    "length": "len", "size": "len", "sum": "sum", "maximum": "max", "minimum": "min",
    "largest": "max", "smallest": "min", "highest": "max", "lowest": "min", "biggest": "max",
}  # fmt: skip
_BORDERS = {"first": 0, "second": 1, "third": 2, "last": -1, "final": -1}
_BEFORE_IN = 2
_PARTS = words("element item entry value number character letter")
_PARTIAL = words("half even odd every each other twice times")
_MARKS = {
    "true": TRUE, "false": FALSE, "empty": EMPTY, "even": EVEN, "odd": ODD, "null": None,
    "none": NOTHING,
}  # fmt: skip


def read_phrases(sentence: Sentence, context: Context) -> None:
    """Find the statements in words of a sentence."""
    items = sentence.items
    for place, item in enumerate(items):
        if sentence.silent[place] or is_condition(item):
            continue
        _contents(items, place, context)
        counter = _counter(items, place, context)
        if counter is None and item.kind != "expression":
            continue
        measure = counter or _measure(items, place, context)
        if measure is None and _is_object(items, place):
            continue
        said = link(items, place)
        if said is None or said.end >= len(items) or sentence.silent[said.end]:
            continue
        subject = measure or _quoted_key(item, context) or item
        if subject.literal:
            _of_literal(items, place, said, context)
        else:
            _of_subject(items, place, subject, said, context)


def _quoted_key(item: Item, context: Context) -> Item | None:
    """Return what a quoted text names that is a key of what the program puts out."""
    key = item.value if item.literal else None
    if isinstance(key, str) and any(key in run.keys for run in context.runs):
        return replace(item, node=ast.Name(key, ast.Load()), value=NO_VALUE)
    return None


def _counter(items: Sequence[Item], place: int, context: Context) -> Item | None:
    """Return the variable `steps` that is meant by `the step count`."""
    if items[place].lower != "count" or not place or items[place - 1].kind != "word":
        return None
    name = ast.Name(items[place - 1].lower + "s", ast.Load())
    known = any(type(e.value) is int for run in context.runs for e in run.episodes(name))
    return replace(items[place], node=name, text=name.id) if known else None


def _contents(items: Sequence[Item], place: int, context: Context) -> None:
    """Read `seven numbers in ps`: at most so many, as others may be in it as well."""
    if items[place].lower != "in" or place < _BEFORE_IN or place + 1 >= len(items):
        return
    number, noun, where = items[place - 2], items[place - 1], items[place + 1]
    if type(number.value) is not int or noun.kind != "word" or where.node is None:
        return
    if not where.name or _is_text(where.node, context):
        return
    elements = _is_part(noun.lower, where.node, context)
    said = stated(number.value, number.text, relation="=" if elements else ">=")
    context.value((number, where), ast.Call(ast.Name("len", ast.Load()), [where.node], []), said)


def _measure(items: Sequence[Item], place: int, context: Context) -> Item | None:
    """Return `len(x)` for `the length of x`, `x[-1]` for `the last element of x`."""
    at = place - 1 - (place > 1 and items[place - 1].lower == "the")
    node = items[place].node
    if at < 1 or items[at].lower != "of" or not isinstance(node, ast.Name):
        return None
    word, before = items[at - 1].lower, items[at - 2].lower if at > 1 else ""
    name = _MEASURES.get(word) or (_MEASURES.get(before) if word in _PARTS else None)
    index = _BORDERS.get(before) if word in _PARTS else None
    if {item.lower for item in items[max(0, at - 5) : at]} & _PARTIAL:
        return None
    if word in ("number", "count") and not name:
        known = [e.value for run in context.runs for e in run.episodes(node)]
        held = bool(known) and all(isinstance(value, list | dict | set) for value in known)
        name = "len" if held else None
        if known and all(type(value) is int for value in known):
            return items[place]
    if name:
        measured: ast.expr = ast.Call(ast.Name(name, ast.Load()), [node], [])
    elif index is not None:
        last = ast.UnaryOp(ast.USub(), ast.Constant(1))
        measured = ast.Subscript(node, ast.Constant(index) if index >= 0 else last, ast.Load())
    else:
        return None
    return replace(items[place], node=measured, text=ast.unparse(measured))


def _is_object(items: Sequence[Item], place: int) -> bool:
    """Tell whether an expression is part of a larger phrase: `the sum of a and b is 5`."""
    if place == 0:
        return False
    before = items[place - 1]
    if before.literal and isinstance(before.value, int) and not isinstance(before.value, bool):
        return not items[place].code
    if before.kind == "sign":
        return before.text in ("+", "-", "*", "/", "//", "%", "**", "^", "(", "+=", "-=", "*=", ".")
    earlier = items[place - 2] if place >= 2 else None
    if before.lower in ("the", "a", "an", "this", "that") and earlier is not None:
        before, earlier = earlier, items[place - 3] if place >= 3 else None
    if before.lower == "of" and earlier is not None and earlier.lower == "value":
        return False
    if before.lower in ("and", "or", "nor"):
        joined = earlier is not None and earlier.kind == "expression" and not earlier.literal
        return joined and (place < 3 or items[place - 3].lower not in ("=", "is", "becomes", "→"))
    return before.kind == "word" and before.lower in _NOT_OF


def _value(items: Sequence[Item], said: Said, inputs: frozenset[str]) -> Stated | None:
    """Return what is said, from the item where the value stands."""
    item = items[said.end]
    if item.kind == "word":
        mark = item.lower in _MARKS
        return Stated(_MARKS[item.lower], item.text, negated=said.negated) if mark else None
    chain, _ = chain_at(items, said.end)
    literals = [one for one, _ in chain if one.literal]
    if not literals or not (chain[0][0].literal or len(chain) > 1):
        return None
    last = literals[-1]
    if last.plain and isinstance(last.value, dict) and last.value.keys() == inputs and inputs:
        return None
    if isinstance(last.node, ast.Compare | ast.BoolOp):
        return None
    about = said.about or any(approximate for _, approximate in chain)
    result = stated(last.value, last.text, relation=said.relation, about=about)
    return result.negation() if said.negated else result


def _counted(items: Sequence[Item], said: Said) -> str:
    """Return the word for what a number counts; empty where it stands for itself."""
    after = items[said.end + 1] if said.end + 1 < len(items) else None
    if after is None or type(items[said.end].value) not in (int, float):
        return ""
    if after.kind == "word":
        free = after.lower in FUNCTION_WORDS - _COUNTING
        return "" if free and not is_alternative(items, said.end) else after.lower
    named = after.kind == "expression" and not after.literal and not after.code
    return after.lower if named or after.text == "%" else ""


def _of_subject(
    items: Sequence[Item], place: int, subject: Item, said: Said, context: Context
) -> None:
    end, target = items[said.end], subject.node
    words = {item.lower for item in items[place + 1 : said.end]}
    if target is None or not _is_whole(items, said, target, context):
        return
    if said.length:
        target = ast.Call(ast.Name("len", ast.Load()), [target], [])
    if end.kind == "expression" and not end.literal and len(chain_at(items, said.end)[0]) == 1:
        _with_expression(subject, end, said, words, context)
        return
    value = _value(items, said, context.inputs)
    value = None if value is None else _related(value, said, words)
    if value is None or (value.relation == "=" and _is_unlike(target, value, context)):
        return
    if "from" in words:
        said.last = said.steady = False
        _to(items, subject, said, context)
    context.value(
        (subject, end),
        target,
        value,
        always=said.steady or (said.always and said.negated),
        last=said.last or (context.window is None and _ends_told(items, said.end)),
    )
    if said.negated and said.end + 1 < len(items):
        _instead(items, said, target, context)


def _is_whole(items: Sequence[Item], said: Said, target: ast.expr, context: Context) -> bool:
    """Tell whether a value is the subject's own, or counts the parts that it has."""
    if not (noun := _counted(items, said)):
        return True
    after = items[said.end + 2] if said.end + 2 < len(items) else None
    compared = after is not None and after.kind == "word" and after.lower not in FUNCTION_WORDS
    said.length = noun in _LETTERS if _is_text(target, context) else _is_part(noun, target, context)
    return said.length and not compared


def _related(value: Stated, said: Said, words: set[str]) -> Stated | None:
    """Return what is said, with how its words relate it to the subject."""
    if said.relation not in ("=", "!=") and not COPULAS & words:
        return None
    if said.length or value.relation != "=":
        return value
    if "with" in words:
        sides = {"ends": "ends", "end": "ends", "starts": "starts", "begins": "starts"}
        side = next((sides[word] for word in sides if word in words), None)
        said.last = False
        return None if side is None else replace(value, relation=side)
    return replace(value, relation="contains") if _CONTAINING & words else value


def _is_part(noun: str, target: ast.expr, context: Context) -> bool:
    """Tell whether a noun is for the elements of a container: `numbers`, where they are."""
    known = [episode.value for run in context.runs for episode in run.episodes(target)]
    held = [part for value in known if isinstance(value, list | tuple | set) for part in value]
    numbers = noun in _NUMBERS and all(type(part) in (int, float) for part in held)
    texts = noun in _TEXTS and all(type(part) is str for part in held)
    return noun in _ELEMENTS or (bool(held) and (numbers or texts))


def _is_text(target: ast.expr, context: Context) -> bool:
    known = [episode.value for run in context.runs for episode in run.episodes(target)]
    return bool(known) and all(isinstance(value, str) for value in known)


def _is_unlike(target: ast.expr, value: Stated, context: Context) -> bool:
    """Tell whether the subject is never of the value's kind: then the word meant something else."""
    known = [episode.value for run in context.runs for episode in run.episodes(target)]
    return bool(known) and all(unlike(value.value, one) for one in known)


def _ends_told(items: Sequence[Item], end: int) -> bool:
    """Tell whether `at the end` follows a value, and nothing of what."""
    following = [item.lower for item in items[end + 1 : end + 5]]
    return following[:3] in (["at", "the", "end"], ["in", "the", "end"]) and following[3:] in (
        [],
        ["."],
    )


def _instead(items: Sequence[Item], said: Said, target: ast.expr, context: Context) -> None:
    """Read the second half of `is not 3 but 4`."""
    at = said.end + 1 + (items[said.end + 1].text == ",")
    if at + 1 < len(items) and items[at].lower in ("but", "it's") and items[at + 1].literal:
        value = items[at + 1]
        context.value((items[said.end], value), target, stated(value.value, value.text))


def _to(items: Sequence[Item], subject: Item, said: Said, context: Context) -> None:
    """Read the second half of `goes from 250 to 35`; a loop's variable stops short of it."""
    at = said.end + 1
    at += at < len(items) and items[at].lower in ("up", "down")
    second = items[at + 1] if at + 1 < len(items) else None
    if second is None or not second.literal or items[at].lower not in ("to", "→"):
        return
    looping = any(subject.name in loop.targets for run in context.runs for loop in run.loops)
    if subject.node is not None and not looping:
        context.value((subject, second), subject.node, stated(second.value, second.text))


_OPERATORS: dict[str, ast.cmpop] = {
    "=": ast.Eq(), "!=": ast.NotEq(), ">": ast.Gt(), "<": ast.Lt(), ">=": ast.GtE(),
    "<=": ast.LtE(),
}  # fmt: skip


def _with_expression(
    subject: Item, end: Item, said: Said, words: set[str], context: Context
) -> None:
    """Read `amount exceeds balance`."""
    equal = said.relation == "=" and not words & {"equals", "matches"}
    if equal or subject.node is None or end.node is None or not COPULAS & words:
        return
    node = ast.Compare(subject.node, [_OPERATORS[said.relation]], [end.node])
    outcome = Stated(FALSE if said.negated else TRUE, "false" if said.negated else "true")
    context.value((subject, end), node, outcome, kind="condition", always=said.always)


def _of_literal(items: Sequence[Item], place: int, said: Said, context: Context) -> None:
    """Read `15 does not exceed 12`, `13 is odd` and `10 + 2 is not 11`."""
    subject, end = items[place], items[said.end]
    value = _value(items, said, context.inputs)
    near = {item.lower for item in items[max(0, place - 4) : place]}
    if value is None or not said.words or near & {"neither", "nor", "no"}:
        return
    parity = value.value in (EVEN, ODD) and type(subject.value) is int
    words = {item.lower for item in items[place + 1 : said.end]}
    compared = said.relation != "=" and bool(COPULAS & words)
    worked_out = not subject.plain and type(subject.value) in (int, float)
    if parity or (end.literal and not _counted(items, said) and (compared or worked_out)):
        if unlike(value.value, subject.value) and not parity:
            return
        support = arithmetic(value.holds(subject.value))
        context.add("arithmetic", (subject, end), subject.text, value.text, support)
