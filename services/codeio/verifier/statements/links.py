"""From a subject to its value: the words that lead from `n` to `20` in `n then drops to 20`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.verifier.statements.chains import EQUAL
from codeio.verifier.statements.vocabulary import ABOUT, NEGATIONS, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item

COPULAS = words(
    "is are was were be been being isn't aren't wasn't become becomes became equal equals get gets "
    "stay stays stayed remain remains remained exceed exceeds doesn't does drops falls goes"
)
_LINKS = COPULAS | words(
    "got go went drop dropped fall fell rise rises rose grow grows grew increase increases "
    "increased decrease decreases decreased jump jumps jumped climb climbs climbed keep keeps "
    "kept stand stands start starts started begin begins began end ends ended finish finishes "
    "finished turn turns turned shrinks shrank amounts totals evaluates works computes computed "
    "calculated gives yields returns holds hold contains has had have reads reach reaches reached "
    "hit hits takes follows sits set reset incremented decremented bumped reduced raised lowered "
    "updated changed assigned initialized initialised stored held brought move moves moved "
    "advance advances advanced come comes came lands should will do did "
    "up down back out off to at as into on now then still also again just exactly only simply "
    "therefore thus hence so currently initially finally already the a an value with it's which "
    "indeed afterwards once more ultimately precisely both all actually really right clearly "
    "left unchanged same there here well"
)
_LAST = words("finally final ultimately end ends ended finishes finish eventual")
_STAYING = words("stays stay remains remain stayed remained")
_CONCLUDING = words("so thus hence therefore")
_STEADY = words("throughout always")
_BARE = words("make makes making leave leaves leaving give gives giving")
_BRINGING = _BARE | words(
    "bring brings bringing take takes taking raise raises raising drop drops set sets setting "
    "update updates updating change changes changing lower lowers move moves moving reset resets "
    "push pushes increment increments increase increases decrease decreases reduces"
)
_OUTCOMES = words("true false empty even odd null none nothing")
_NOUNS = words(
    "value count counter variable list array string amount number nesting level dict dictionary "
    "stack depth score"
)
_BEFORE_NAME = words("with and so then now the → where has have is giving")
_MOST_WORDS = 9

_RELATIONS: tuple[tuple[tuple[str, ...], str], ...] = tuple(
    sorted(
        (
            (tuple(words.split()), sign)
            for sign, phrases in {
                ">=": "greater than or equal to|at least|larger than or equal to|no less than|"
                "more than or equal to|bigger than or equal to",
                "<=": "less than or equal to|at most|no more than|smaller than or equal to|"
                "no greater than|within",
                ">": "greater than|larger than|bigger than|more than|higher than|above|exceeds|"
                "exceed|over|beyond|strictly greater than",
                "<": "less than|smaller than|lower than|below|under|fewer than|strictly less than",
                "!=": "different from|differs from|unequal to|not equal to",
                "=": "equal to|equals|equal|the same as|identical to|exactly",
            }.items()
            for words in phrases.split("|")
        ),
        key=lambda pair: -len(pair[0]),
    )
)


@dataclass
class Said:
    """What stands between a subject and its value."""

    negated: bool = False
    about: bool = False
    relation: str = "="
    last: bool = False
    """Whether it is said of the end of the run."""
    always: bool = False
    steady: bool = False
    """Whether it is said of the whole run, not of some moment."""
    length: bool = False
    words: int = 0
    end: int = 0
    """Place of the value."""


def link(items: Sequence[Item], place: int) -> Said | None:
    """Read on from a subject to its value; None when the words lead nowhere."""
    said = _setting(items, place)
    before = {item.lower for item in items[max(0, place - 3) : place]}
    at = place + 1
    if at < len(items) and items[at].text == ":" and items[place].name:
        return _after_colon(items, at + 1, said)
    while at < len(items) and said.words <= _MOST_WORDS:
        item = items[at]
        if item.kind == "expression":
            said.end = at
            if said.negated and {"from"} & {one.lower for one in items[place + 1 : at]}:
                return None  # `never moves from 0`
            led = said.words > 0 or bool(before & _BARE) or _adjacent(items, place, at)
            return said if led else None
        if item.kind == "sign":
            if not (item.text == "," and at + 1 < len(items) and items[at + 1].lower == "which"):
                return None
            at += 1
            continue
        if item.lower in _OUTCOMES:
            said.end = at
            return said if said.words else None
        taken = _take(items, place, at, said, bringing=bool(before & _BRINGING))
        if not taken:
            return None
        said.words += 1
        at += taken
    return None


def _setting(items: Sequence[Item], place: int) -> Said:
    """Return what the rest of the sentence tells of when its statement holds."""
    everything = {item.lower for item in items}
    opening = [item.lower for item in items[:3]]
    near = {item.lower for item in items[max(0, place - 3) : place]}
    following = {item.lower for item in items[place + 1 : place + 4]}
    return Said(
        last=bool(near & _LAST)
        or opening in (["at", "the", "end"], ["in", "the", "end"])
        or opening[:1] == ["finally"]
        or (bool(following & _STAYING) and items[0].lower in _CONCLUDING),
        steady=bool(everything & _STEADY),
        always=bool(everything & _STEADY) or "ever" in everything or {"any", "point"} <= everything,
    )


def _after_colon(items: Sequence[Item], at: int, said: Said) -> Said | None:
    """Read `total: 5`, where the value is not the first of a list or of an equation."""
    said.end, said.words = at, 1
    if at >= len(items) or items[at].kind != "expression":
        return None
    after = items[at + 1] if at + 1 < len(items) else None
    if after is None:
        return said
    if after.kind != "sign" or after.text in ("=", "≈", "→", "(", "?"):
        return None
    follows = items[at + 2] if at + 2 < len(items) else None
    return None if after.text == "," and follows is not None and follows.literal else said


def _take(items: Sequence[Item], place: int, at: int, said: Said, *, bringing: bool) -> int:
    """Note what a word says; return how many items it takes up, none when it does not link."""
    word = items[at].lower
    following = items[at + 1].lower if at + 1 < len(items) else ""
    if word in NEGATIONS or (word == "no" and following == "longer"):
        said.negated = not said.negated
        said.always = said.always or word == "never"
        return 2 if word == "no" else 1
    if matched := _relation(items, at):
        count, said.relation = matched
        return count
    if word in ABOUT:
        said.about = True
    elif word in ("length", "size"):
        said.length = True
    elif said.words == 0 and word in ("at", "on", "as", "to") and not bringing:
        return 0
    elif said.words == 0 and (
        (word == "of" and _is_measure(items, place, at))
        or (
            word in _NOUNS and any(item.lower == "the" for item in items[max(0, place - 2) : place])
        )
    ):
        return 1
    elif word not in _LINKS and word != "from":
        return 0
    said.last = said.last or word in ("ends", "ended", "finishes", "finish")
    return 1


def _is_measure(items: Sequence[Item], place: int, at: int) -> bool:
    """Tell whether `a subtotal of 54.0` says what the subtotal is."""
    before = items[place - 1].lower if place else ""
    after = items[at + 1] if at + 1 < len(items) else None
    named = bool(items[place].name) and before in ("a", "the", "final")
    return named and after is not None and after.plain


def _adjacent(items: Sequence[Item], place: int, at: int) -> bool:
    """Tell whether `total 5` says that total is 5."""
    after = items[at + 1] if at + 1 < len(items) else None
    before = items[place - 1] if place else None
    if before is not None and (
        (before.kind == "expression" and not before.literal)
        or (before.kind == "word" and before.lower not in _BEFORE_NAME)
    ):
        return False
    closed = after is None or (after.kind == "sign" and after.text not in ("(", *EQUAL, "-", "/"))
    return (
        len(items[place].name) > 1
        and items[at].plain
        and (closed or (after is not None and after.lower in ("and", "now", "so", "after")))
    )


def _relation(items: Sequence[Item], at: int) -> tuple[int, str] | None:
    for phrase, sign in _RELATIONS:
        if all(
            at + n < len(items) and items[at + n].lower == word and items[at + n].kind == "word"
            for n, word in enumerate(phrase)
        ):
            return len(phrase), sign
    return None
