"""Statements in words: `n becomes 20`, `total is not 4`, `depth is greater than zero`."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from codeio.verifier.statements.chains import chain_at
from codeio.verifier.statements.conditions import is_condition
from codeio.verifier.statements.context import Context, arithmetic
from codeio.verifier.statements.instances import is_untested
from codeio.verifier.statements.judging import Support
from codeio.verifier.statements.links import Said, link
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
from codeio.verifier.statements.vocabulary import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.sentences import Sentence

_NOT_OF = words(
    "of by in for from than on per between under over modulo times inside without except"
)
_AFTER_VALUE = words(
    "times time more less larger smaller greater higher lower bigger fewer percent iterations "
    "iteration rounds passes rd th steps ways apart away plus minus or rounded"
)
_UNITS = words(
    "elements element items item entries entry characters character chars letters letter keys "
    "key numbers members words values integers symbols"
)
_LETTERS = words("characters character chars letters letter digits symbols")
_CONTAINING = words("contains contain contained includes include has holds")
_MEASURES = {
    "length": "len", "size": "len", "sum": "sum", "maximum": "max", "minimum": "min",
    "largest": "max", "smallest": "min", "highest": "max", "lowest": "min", "biggest": "max",
}  # fmt: skip
_BORDERS = {"first": 0, "second": 1, "third": 2, "last": -1, "final": -1}
_LAST = ast.UnaryOp(ast.USub(), ast.Constant(1))
_PARTS = words("element item entry value number character letter")
_PARTIAL = words("half even odd every each other half-length twice times")
_COPULAS = words(
    "is are was were isn't aren't wasn't exceeds exceed stays remains becomes equals doesn't "
    "does drops falls gets goes be"
)


def read_phrases(sentence: Sentence, context: Context) -> None:
    """Find the statements in words of a sentence."""
    items = sentence.items
    for place, item in enumerate(items):
        if item.lower == "it" and not sentence.silent[place]:
            _of_pronoun(items, place, context)
        if item.kind != "expression" or sentence.silent[place] or is_condition(item):
            continue
        if item.name:
            context.subject = item
        measure = _measure(items, place)
        if measure is None and _is_object(items, place):
            continue
        said = link(items, place)
        if said is None or said.end >= len(items) or sentence.silent[said.end]:
            continue
        if subject := measure or _quoted_key(item, context):
            _of_subject([*items[:place], subject, *items[place + 1 :]], place, said, context)
        elif item.literal:
            _of_literal(items, place, said, context)
        else:
            _of_subject(items, place, said, context)


def _of_pronoun(items: Sequence[Item], place: int, context: Context) -> None:
    """Read `it goes up to 1` of the variable named last; it may be something else, though."""
    subject = context.subject
    if subject is None or (place and items[place - 1].kind == "word" and not _opens(items, place)):
        return
    named = replace(subject, start=items[place].start, end=items[place].end)
    said = link(items, place)
    if said is None or said.end >= len(items):
        return
    _of_subject([*items[:place], named, *items[place + 1 :]], place, said, context, sure=False)


def _opens(items: Sequence[Item], place: int) -> bool:
    return items[place - 1].lower in ("so", "and", "then", "that", "because", "since", "but")


def _quoted_key(item: Item, context: Context) -> Item | None:
    """Return what a quoted text names that is a key of what the program puts out."""
    key = item.value if item.literal else None
    if isinstance(key, str) and any(key in run.keys for run in context.runs):
        return replace(item, node=ast.Name(key, ast.Load()), value=None)
    return None


def _measure(items: Sequence[Item], place: int) -> Item | None:
    """Return `len(x)` for `the length of x`, `x[-1]` for `the last element of x`."""
    at = place - 1 - (place > 1 and items[place - 1].lower == "the")
    node = items[place].node
    if at < 1 or items[at].lower != "of" or not isinstance(node, ast.Name):
        return None
    word, before = items[at - 1].lower, items[at - 2].lower if at > 1 else ""
    name = _MEASURES.get(word) or (_MEASURES.get(before) if word in _PARTS else None)
    index = _BORDERS.get(before) if word in _PARTS else None
    earlier = {item.lower for item in items[max(0, at - 5) : at]}
    if earlier & _PARTIAL:
        return None
    if name:
        measured: ast.expr = ast.Call(ast.Name(name, ast.Load()), [node], [])
    elif index is not None:
        measured = ast.Subscript(node, ast.Constant(index) if index >= 0 else _LAST, ast.Load())
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


def _value(  # noqa: C901  (one case per word)
    items: Sequence[Item], said: Said, inputs: frozenset[str]
) -> Stated | None:
    """Return what is said, from the item where the value stands."""
    item = items[said.end]
    text = item.text
    match item.lower if item.kind == "word" else "":
        case "true":
            return Stated(TRUE, text, negated=said.negated)
        case "false":
            return Stated(FALSE, text, negated=said.negated)
        case "empty":
            return Stated(EMPTY, text, negated=said.negated)
        case "even":
            return Stated(EVEN, text, negated=said.negated)
        case "odd":
            return Stated(ODD, text, negated=said.negated)
        case "null":
            return Stated(None, text, negated=said.negated)
        case "none":
            return Stated(NOTHING, text, negated=said.negated)
        case "nothing":
            return None
        case _:
            pass
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


def _is_counted(items: Sequence[Item], said: Said) -> bool:
    after = items[said.end + 1] if said.end + 1 < len(items) else None
    return after is not None and (
        (after.kind == "word" and after.lower in _AFTER_VALUE) or after.text == "%"
    )


def _of_subject(  # noqa: C901, PLR0912
    items: Sequence[Item], place: int, said: Said, context: Context, *, sure: bool = True
) -> None:
    subject, end = items[place], items[said.end]
    if subject.node is None or _is_counted(items, said):
        _of_percentage(items, place, said, context)
        return
    after = items[said.end + 1] if said.end + 1 < len(items) else None
    target = subject.node
    words = [item.lower for item in items[place + 1 : said.end]]
    if end.literal and isinstance(end.value, int) and after is not None and after.lower in _UNITS:
        if after.lower not in _LETTERS and _is_text_always(target, context):
            return  # words of a text, say
        said.length = True
    if said.length:
        target = ast.Call(ast.Name("len", ast.Load()), [target], [])
    if end.kind == "expression" and not end.literal:
        chain, _ = chain_at(items, said.end)
        if len(chain) == 1:
            _with_expression(subject, end, said, words, context)
            return
    value = _value(items, said, context.inputs)
    if value is None or (said.relation not in ("=", "!=") and not _COPULAS & set(words)):
        return
    if _CONTAINING & set(words) and value.relation == "=" and not said.length:
        value = replace(value, relation="contains")
    if subject.name in ("result", "output", "answer") and any(
        value.holds(run.output) for run in context.runs
    ):
        return
    if "from" in words:
        _from_to(items, place, said, context)
        return
    if "with" in words and not said.length:
        border = {"ends": "ends", "end": "ends", "starts": "starts", "begins": "starts"}
        sides = [border[word] for word in words if word in border]
        if not sides:
            return
        value, said.last = replace(value, relation=sides[0]), False
    if value.relation == "=" and _is_unlike(target, value, context):
        return
    support = context.value(
        (subject, end),
        target,
        value,
        always=said.steady or (said.always and said.negated),
        last=said.last or (context.window is None and _ends_told(items, said.end)),
    )
    if not sure:
        context.doubt()
        return
    if said.negated and support is not Support.UNKNOWN and after is not None:
        _instead(items, said, target, context)


def _is_text_always(target: ast.expr, context: Context) -> bool:
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


def _of_percentage(items: Sequence[Item], place: int, said: Said, context: Context) -> None:
    """Read `rate is 15%` of a variable that holds a share of 1."""
    subject, end = items[place], items[said.end]
    sign = items[said.end + 1] if said.end + 1 < len(items) else None
    if subject.node is None or sign is None or sign.text not in ("%", "percent"):
        return
    after = items[said.end + 2] if said.end + 2 < len(items) else None
    known = [episode.value for run in context.runs for episode in run.episodes(subject.node)]
    shares = bool(known) and all(type(v) in (int, float) and abs(v) <= 1 for v in known)
    closed = after is None or after.kind == "sign" or after.lower in ("and", "so", "because")
    if shares and closed and end.plain and type(end.value) in (int, float):
        share = stated(round(end.value / 100, 12), f"{end.text}%", about=said.about)
        share = replace(share, digits=15, negated=said.negated)
        context.value((subject, sign), subject.node, share)


def _instead(items: Sequence[Item], said: Said, target: ast.expr, context: Context) -> None:
    """Read the second half of `is not 3 but 4`."""
    at = said.end + 1
    if items[at].text == "," and at + 1 < len(items):
        at += 1
    if items[at].lower in ("but", "it's") and at + 1 < len(items) and items[at + 1].literal:
        value = items[at + 1]
        context.value((items[said.end], value), target, stated(value.value, value.text))


def _from_to(items: Sequence[Item], place: int, said: Said, context: Context) -> None:
    """Read `goes from 250 to 35`."""
    subject, first = items[place], items[said.end]
    if subject.node is None:
        return
    context.value((subject, first), subject.node, stated(first.value, first.text))
    at = said.end + 1
    if at + 1 < len(items) and items[at].lower in ("to", "→", "up", "down"):
        at += items[at].lower in ("up", "down")
        if at + 1 < len(items) and items[at + 1].literal:
            second = items[at + 1]
            if any(subject.name in loop.targets for run in context.runs for loop in run.loops):
                return
            context.value((subject, second), subject.node, stated(second.value, second.text))


_OPERATORS: dict[str, ast.cmpop] = {
    "=": ast.Eq(), "!=": ast.NotEq(), ">": ast.Gt(), "<": ast.Lt(), ">=": ast.GtE(),
    "<=": ast.LtE(),
}  # fmt: skip


def _with_expression(
    subject: Item, end: Item, said: Said, words: Sequence[str], context: Context
) -> None:
    """Read `amount exceeds balance`."""
    equal = "equals" in words or "matches" in words
    if (said.relation == "=" and not equal) or subject.node is None or end.node is None:
        return
    if said.relation != "=" and not _COPULAS & set(words):
        return
    node = ast.Compare(subject.node, [_OPERATORS[said.relation]], [end.node])
    outcome = Stated(FALSE if said.negated else TRUE, "false" if said.negated else "true")
    context.value((subject, end), node, outcome, kind="condition", always=said.always)


def _of_literal(items: Sequence[Item], place: int, said: Said, context: Context) -> None:
    """Read `15 does not exceed 12` and `10 + 2 is not 11`."""
    subject, end = items[place], items[said.end]
    parity = end.lower in ("even", "odd")
    if said.words == 0 or _is_counted(items, said) or not (end.literal or parity):
        return
    value = _value(items, said, context.inputs)
    after = items[said.end + 1] if said.end + 1 < len(items) else None
    denied = any(
        item.lower in ("neither", "nor", "no") for item in items[max(0, place - 4) : place]
    )
    if value is None or isinstance(subject.value, bool) or denied:
        return
    if value.value in (EVEN, ODD) and isinstance(subject.value, int):
        support = arithmetic(value.holds(subject.value))
        if support is Support.SUPPORTED and is_untested(subject.value, context.runs):
            support = Support.CONTRADICTED
        context.add("arithmetic", (subject, end), subject.text, value.text, support)
        return
    if isinstance(subject.value, str | list | dict | tuple | set | range):
        counted = _LETTERS if isinstance(subject.value, str) else _UNITS
        if after is not None and after.lower in counted and isinstance(end.value, int):
            support = arithmetic(value.holds(len(subject.value)))
            context.add("arithmetic", (subject, end), f"len({subject.text})", end.text, support)
        return
    if subject.plain and (said.relation == "=" or not _compares(items, place, said)):
        return
    support = arithmetic(value.holds(subject.value))
    context.add("arithmetic", (subject, end), subject.text, value.text, support)


def _compares(items: Sequence[Item], place: int, said: Said) -> bool:
    between = [item.lower for item in items[place + 1 : said.end]]
    return bool(_COPULAS & set(between))
