"""Counts of things that no variable counts: `six vowels`, `three closing brackets`, `two 5s`."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codeio.verifier.statements.judging import Support
from codeio.verifier.statements.stated import stated
from codeio.verifier.statements.vocabulary import NEGATIONS, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence, Set

    from codeio.verifier.statements.context import Context
    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.occurrences import Occurrences
    from codeio.verifier.statements.sentences import Sentence

_BRACKETS = words("bracket brackets parenthesis parentheses paren parens one ones")
_OPENING = words("opening open left")
_CLOSING = words("closing close right closed")
_CHARACTERS: dict[str, Callable[[str], bool]] = {
    "vowel": lambda c: c.lower() in "aeiou",
    "consonant": lambda c: c.isalpha() and c.lower() not in "aeiou",
    "letter": str.isalpha,
    "space": str.isspace,
    "blank": str.isspace,
    "capital": str.isupper,
    "comma": lambda c: c == ",",
    "hyphen": lambda c: c == "-",
    "dash": lambda c: c == "-",
    "opening": lambda c: c in "([{",
    "closing": lambda c: c in ")]}",
}
_NUMBERS: dict[str, Callable[[int], bool]] = {
    "even": lambda n: n % 2 == 0,
    "odd": lambda n: n % 2 == 1,
    "negative": lambda n: n < 0,
    "positive": lambda n: n > 0,
    "zero": lambda n: n == 0,
    "one": lambda n: n == 1,
}
_NUMBER_NOUNS = words("number numbers element elements value values entry entries integers ones")
_DISTINCT = words("distinct unique different")
_TOTAL = words("total altogether overall counted there has have contains contain are")
_SHORTEST_STEM = 3
_TELLING = words("has have had contains contain are is there there's")
_HAVING = words("has have contains are is had")
_LISTS = words("list array dict dictionary tuple set stack queue text string word")
_ARGUMENTS = words("text word string s")
_STOPPING = words("stops ends finishes terminates breaks stopped ended finished")
_VISITING = words("visits loops goes over through iterates loop visited")
_UNITS = words("elements items entries numbers values keys words characters letters")
_COMPARING = words("less more fewer than too")
_VAGUE = words(
    "first next last another more least most than other every each per up until after within "
    "fewer less about roughly around some"
)
_APPEARING = words("appears appear appeared occurs occur occurred")


@dataclass(frozen=True)
class _Kind:
    """What is counted: characters or numbers of some sort."""

    name: str
    distinct: bool
    count: Callable[[Any], int] = field(compare=False)


def read_things(sentence: Sentence, context: Context, occurrences: Occurrences) -> None:
    """Find how many things of a kind a sentence says that there are."""
    items = sentence.items
    for place, item in enumerate(items):
        if sentence.silent[place]:
            continue
        if item.lower == "no" and item.kind == "word" and place + 1 < len(items):
            if _kind_after(items, place) and place and items[place - 1].lower in _HAVING:
                _counted(items, place, 0, context, occurrences)
        elif type(item.value) is int and item.plain and item.value >= 0:
            _of_list(items, place, item.value, context, occurrences)
            _taken(items, place, item.value, context)
            _counted(items, place, item.value, context, occurrences)
            if place and items[place - 1].lower in _APPEARING:
                _appearing(items, place, item.value, context, occurrences)
            _letters(items, place, item.value, context, occurrences)
        elif item.lower in ("once", "twice") and place and items[place - 1].lower in _APPEARING:
            number = 1 if item.lower == "once" else 2
            _appearing(items, place, number, context, occurrences)


def _counted(
    items: Sequence[Item], place: int, number: int, context: Context, occurrences: Occurrences
) -> None:
    before = [item.lower for item in items[max(0, place - 4) : place]]
    ending = before[-1:] == ["after"] and before[-2:-1] and before[-2] in _STOPPING
    if (set(before[-2:]) & _VAGUE and not ending) or set(before) & NEGATIONS:
        return
    if any(isinstance(item.value, str) for item in items[max(0, place - 3) : place]):
        return  # what is said of a quoted text is judged by itself
    total = bool({item.lower for item in items} & _TOTAL) or context.final
    told = set(before[-2:]) & _TELLING or ending
    if (found := _kind_after(items, place)) and not told:
        return
    if found := _kind_after(items, place):
        last, kind = found
        following = next((n for n, item in enumerate(items) if item is last), place) + 1
        if following < len(items) and items[following].lower in _COMPARING:
            return  # a difference is told
        span = (items[place], last)
    elif found := _kind_before(items, place):
        first, kind = found
        total = True
        span = (first, items[place])
    else:
        _named(items, place, number, context, occurrences)
        return
    counts, ends = _counts(kind, _owner(items, place), occurrences)
    if number in ends or (number in counts and not total):
        support = Support.SUPPORTED
    elif max(counts, default=0) == 0 or not occurrences.known:
        support = Support.UNKNOWN
    elif number > max(counts) or total:
        support = Support.CONTRADICTED
    else:
        support = Support.UNKNOWN
    context.add("value", span, "count", str(number), support)


def _counts(kind: _Kind, owner: str, occurrences: Occurrences) -> tuple[Set[int], Set[int]]:
    """Return how many there are in the values of a variable, or of all, and at their ends."""

    def found(*, last: bool) -> set[int]:
        values = occurrences.values(last=last)
        own = [v for name, v in values if name == owner] or [v for _, v in values]
        parts = [
            part
            for value in own
            if isinstance(value, list | tuple | dict) and not last
            for part in value
            if isinstance(part, str)
        ]
        return {kind.count(value) for value in (*own, *parts)}

    return (
        occurrences.counts((kind, owner), lambda: found(last=False)),
        occurrences.counts((kind, owner, "last"), lambda: found(last=True)),
    )


def _owner(items: Sequence[Item], place: int) -> str:
    """Return the variable that `text has two vowels` is about; empty for none."""
    if place < 2 or items[place - 1].lower not in _HAVING:
        return ""
    what = items[place - 2]
    return what.name or (what.text if what.kind == "word" and what.lower in _ARGUMENTS else "")


def _of_list(
    items: Sequence[Item], place: int, number: int, context: Context, occurrences: Occurrences
) -> None:
    """Read `the list has six elements` where the text does not say which list."""
    if place < 2 or place + 1 >= len(items) or items[place + 1].lower not in _UNITS:
        return
    what, verb = items[place - 2], items[place - 1].lower
    every = verb == "all" and bool({item.lower for item in items[:place]} & _VISITING)
    listed = verb in _HAVING and what.lower in _LISTS and not what.name
    if not (every or listed) or not occurrences.known:
        return
    lengths = occurrences.counts("lengths", lambda: _lengths(occurrences))
    if lengths and number not in lengths:
        context.add("value", (what, items[place + 1]), "len", str(number), Support.CONTRADICTED)


def _lengths(occurrences: Occurrences) -> set[int]:
    values = [v for _, v in occurrences.values()]
    parts = [part for v in values if isinstance(v, list | tuple) for part in v]
    return {len(v) for v in (*values, *parts) if hasattr(v, "__len__")}


def _taken(items: Sequence[Item], place: int, number: int, context: Context) -> None:
    """Read `two numbers are skipped` of a variable `skipped` that counts them."""
    verb = items[place + 3] if place + 3 < len(items) else None
    if verb is None or not isinstance(verb.node, ast.Name) or items[place + 1].kind != "word":
        return
    if items[place + 2].lower not in ("are", "is", "were", "was", "get"):
        return
    end = items[place + 4] if place + 4 < len(items) else None
    closed = end is None or (end.kind == "sign" and end.text in (".", ",", ";", ")"))
    before = {item.lower for item in items[max(0, place - 3) : place]}
    if closed and not before & (_VAGUE | NEGATIONS):
        context.value((items[place], verb), verb.node, stated(number, str(number)))


def _named(
    items: Sequence[Item], place: int, number: int, context: Context, occurrences: Occurrences
) -> None:
    """Read `two swaps` of a variable `swaps` that is a count, or holds the things counted."""
    if place + 1 >= len(items) or not occurrences.known:
        return
    noun = items[place + 1]
    stem = _stem(noun.lower)
    names = [name for name in sorted(occurrences.names) if _stem(name) == stem]
    if len(stem) < _SHORTEST_STEM or not names:
        return
    amounts = occurrences.counts(("amounts", stem), lambda: _amounts(names, occurrences))
    if not amounts:
        return
    ends = occurrences.values(last=True)
    others = [v for name, v in ends if name not in names and type(v) is int]
    total = context.final or bool({item.lower for item in items} & _TOTAL)
    if number in amounts:
        support = Support.SUPPORTED
    elif occurrences.has(number, digits=0, about=False) is False or (
        total and number > max(amounts) and number not in others
    ):
        support = Support.CONTRADICTED
    else:
        support = Support.UNKNOWN
    context.add("value", (items[place], noun), names[0], str(number), support)


def _amounts(names: Sequence[str], occurrences: Occurrences) -> set[int]:
    """Return the numbers that variables have, or of the things that they hold."""
    values = [v for name, v in occurrences.values() if name in names and not isinstance(v, str)]
    amounts = [len(v) if hasattr(v, "__len__") else v for v in values]
    return set(amounts) if all(type(amount) is int for amount in amounts) else set()


def _kind_after(items: Sequence[Item], place: int) -> tuple[Item, _Kind] | None:
    """Return what a number counts: `three distinct vowels`, `two closing brackets`."""
    at = place + 1
    distinct = at < len(items) and items[at].lower in _DISTINCT
    at += distinct
    if at >= len(items) or items[at].kind != "word":
        return None
    word = items[at].lower
    noun = items[at + 1].lower if at + 1 < len(items) else ""
    if word in _OPENING | _CLOSING:
        if noun not in _BRACKETS:
            return None
        name = "opening" if word in _OPENING else "closing"
        return items[at + 1], _characters(name, distinct=distinct)
    if word in ("even", "odd", "negative", "positive"):
        if noun not in _NUMBER_NOUNS:
            return None
        return items[at + 1], _numbers(word, distinct=distinct)
    if word in ("zeros", "zeroes"):
        return items[at], _numbers("zero", distinct=False)
    if word == "capital" and noun in ("letter", "letters"):
        return items[at + 1], _characters("capital", distinct=distinct)
    if (single := _singular(word)) in _CHARACTERS and single not in ("opening", "closing"):
        return items[at], _characters(single, distinct=distinct)
    return None


def _kind_before(items: Sequence[Item], place: int) -> tuple[Item, _Kind] | None:
    """Return what is counted by `the number of vowels is 3` and `count of ones = 3`."""
    if place < 4 or items[place - 1].lower not in ("=", "is", ":", "was"):
        return None
    what, of, count = items[place - 2], items[place - 3], items[place - 4]
    if of.lower != "of" or count.lower not in ("count", "number"):
        return None
    word = _singular(what.lower)
    if word in _CHARACTERS:
        return count, _characters(word, distinct=False)
    if word in _NUMBERS:
        return count, _numbers(word, distinct=False)
    return None


def _appearing(
    items: Sequence[Item], place: int, number: int, context: Context, occurrences: Occurrences
) -> None:
    """Read `5 appears three times` of the items of some list or the characters of some text."""
    times = items[place + 1].lower if place + 1 < len(items) else ""
    if place < 2 or (times != "times" and items[place].lower not in ("once", "twice")):
        return
    what = items[place - 2]
    if what.kind == "expression" and what.plain:
        sought = what.value
    elif len(what.text) == 1 and what.text.isalpha():
        sought = what.text
    else:
        return
    counts = occurrences.counts(
        ("appearing", repr(sought)),
        lambda: {_occurring(sought, value) for _, value in occurrences.values()} - {0},
    )
    if number in counts:
        support = Support.SUPPORTED
    elif not counts or not occurrences.known:
        support = Support.UNKNOWN
    else:
        support = Support.CONTRADICTED
    last = items[place + (times == "times")]
    context.add("value", (what, last), f"count of {what.text}", str(number), support)


def _letters(
    items: Sequence[Item], place: int, number: int, context: Context, occurrences: Occurrences
) -> None:
    """Read `there are 3 a's` where no text or list has so many, at any time."""
    noun = items[place + 1] if place + 1 < len(items) else None
    before = items[place - 1].lower if place else ""
    if noun is None or not noun.text.endswith("'s") or len(noun.text) != 3 or before in _VAGUE:
        return
    letter = noun.text[0]
    counts = occurrences.counts(
        ("appearing", repr(letter)),
        lambda: {_occurring(letter, value) for _, value in occurrences.values()} - {0},
    )
    if counts and occurrences.known:
        support = Support.CONTRADICTED if number > max(counts) else Support.UNKNOWN
        support = Support.SUPPORTED if number in counts else support
        context.add("value", (items[place], noun), f"count of {letter}", str(number), support)


def _occurring(sought: Any, value: Any) -> int:
    if isinstance(value, str):
        return value.lower().count(sought.lower()) if isinstance(sought, str) and sought else 0
    if isinstance(value, list | tuple):
        return sum(type(one) is type(sought) and one == sought for one in value)
    return 0


def _characters(name: str, *, distinct: bool) -> _Kind:
    test = _CHARACTERS[name]

    def count(value: Any) -> int:
        found = [c.lower() for c in _text(value) if test(c)]
        return len(set(found) if distinct else found)

    return _Kind(name, distinct, count)


def _numbers(name: str, *, distinct: bool) -> _Kind:
    test = _NUMBERS[name]

    def count(value: Any) -> int:
        items: Iterable[Any] = value if isinstance(value, list | tuple | set | range) else ()
        found = [n for n in items if type(n) is int and test(n)]
        return len(set(found) if distinct else found)

    return _Kind(name, distinct, count)


def _text(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from value
    elif isinstance(value, list | tuple):
        for part in value:
            if isinstance(part, str):
                yield from part


def _stem(word: str) -> str:
    """Return what `skips`, `skipped` and `skipping` have in common."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) > 2:
            word = word.removesuffix(ending)
            break
    return word[:-1] if word[-2:-1] == word[-1:] else word.removesuffix("e")


def _singular(word: str) -> str:
    return word.removesuffix("s")
