"""From a subject to its value: the words that lead from `n` to `20` in `n then drops to 20`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.verifier.statements.chains import EQUAL
from codeio.verifier.statements.vocabulary import NEGATIONS, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item

_LINKS = words(
    "amounts totals shrinks shrank advances computed calculated stored held climbs "
    "is are was were be been being become becomes became equal equals get gets got goes go "
    "went drop drops dropped fall falls fell rise rises rose grow grows grew increase "
    "increases increased decrease decreases decreased jump jumps jumped climb climbs climbed "
    "stay stays stayed remain remains remained keep keeps kept stand stands start starts "
    "started begin begins began end ends ended finish finishes finished turn turns turned "
    "evaluates works computes gives yields returns holds hold contains has had have reads "
    "reach reaches reached hit hits takes follows sits incremented decremented bumped reduced "
    "raised lowered updated changed set reset assigned initialized initialised brought moves "
    "moved advances advanced comes came sinks lands up down back out off to at as into on now "
    "then still also again just exactly only simply therefore thus hence so currently "
    "initially finally already the a an value with should will does do did it's which indeed "
    "consequently afterwards once more ultimately precisely both all actually really that's "
    "right clearly left unchanged after-all in-turn same there here well"
)

_ABOUT = words("about roughly approximately around approx nearly almost close circa")

_LAST = words("finally final ultimately end ends ended finishes finish eventual")

_STAYING = words("stays stay remains remain stayed remained")
_CONCLUDING = words("so thus hence therefore")

_ALWAYS = words("throughout always ever")

_STEADY = words("throughout always")
_BRINGING = words(
    "bring brings bringing take takes taking raise raises raising drop drops set sets setting "
    "update updates updating change changes changing lower lowers move moves moving reset "
    "resets increment increments incrementing initialize initializes initialise initialises "
    "make makes making push pushes pushing leave leaves leaving increase increases increasing "
    "decrease decreases reduces reducing decreasing"
)

_BARE = words("make makes making leave leaves leaving give gives giving")

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

_NOUNS = words(
    "value count counter variable list array string amount number nesting level dict "
    "dictionary stack depth score"
)

_MOST_WORDS = 9

_BEFORE_NAME = words("with and so then now the → where has have is giving")


@dataclass
class Said:
    """What stands between a subject and its value."""

    negated: bool = False
    about: bool = False
    relation: str = "="
    last: bool = False
    always: bool = False
    steady: bool = False
    """Whether it is said of the whole run, not of some moment."""
    length: bool = False
    colon: bool = False
    """Whether only a colon stands between."""
    words: int = 0
    end: int = 0


def link(  # noqa: C901, PLR0912, PLR0915  (one case per kind of word)
    items: Sequence[Item], place: int
) -> Said | None:
    """Read on from a subject to its value; None when the words lead nowhere."""
    said = Said()
    before = [item.lower for item in items[max(0, place - 3) : place]]
    said.last = any(word in _LAST for word in before) or _at_the_end(items)
    everything = {item.lower for item in items}
    stays = {items[at].lower for at in range(place + 1, min(len(items), place + 4))} & _STAYING
    said.last = said.last or (bool(stays) and items[0].lower in _CONCLUDING)
    said.steady = bool(everything & _STEADY) or {"all", "along"} <= everything
    said.always = (
        bool(everything & _ALWAYS)
        or {"at", "any", "point"} <= everything
        or ("along" in everything and "all" in everything)
    )
    bringing = any(word in _BRINGING for word in before)
    bare = any(word in _BARE for word in before)
    at = place + 1
    while at < len(items) and said.words <= _MOST_WORDS:
        item = items[at]
        word = item.lower
        if item.kind == "expression":
            said.end = at
            if said.colon and not _stands_alone(items, at):
                return None
            adjacent = said.words == 0
            return said if not adjacent or bare or _adjacent(items, place, at) else None
        if item.kind == "sign":
            if item.text == ":" and said.words == 0 and items[place].name:
                said.words += 1
                said.colon = True
            elif item.text in ("—", "-") and _is_text(items[place]) and said.words == 0:
                said.words += 1
            elif not (item.text == "," and at + 1 < len(items) and items[at + 1].lower == "which"):
                return None
            at += 1
            continue
        matched = _relation(items, at)
        if word in NEGATIONS or (
            word == "no" and at + 1 < len(items) and items[at + 1].lower == "longer"
        ):
            said.negated = not said.negated
            said.always = said.always or word == "never"
            if word == "no":
                at += 1
        elif matched is not None:
            words, said.relation = matched
            at += words - 1
        elif word in _ABOUT:
            said.about = True
        elif word in ("length", "size") and not said.words - said.negated > 4:
            said.length = True
        elif word in ("true", "false", "empty", "even", "odd", "null", "none", "nothing"):
            said.end = at
            return said if said.words else None
        elif said.words == 0 and (word in ("at", "on", "as") or (word == "to" and not bringing)):
            return None
        elif said.words == 0 and (
            (word == "of" and _is_measure(items, place, at))
            or (word in _NOUNS and _follows_the(items, place))
        ):
            pass
        elif word == "from":
            said.words += 1
        elif word not in _LINKS:
            return None
        said.last = said.last or word in ("ends", "ended", "finishes", "finish")
        said.words += 1
        at += 1
    return None


def _follows_the(items: Sequence[Item], place: int) -> bool:
    """Tell whether a variable stands in a phrase such as `the total amount`."""
    before = items[max(0, place - 2) : place]
    return bool(items[place].name) and any(item.lower == "the" for item in before)


def _is_measure(items: Sequence[Item], place: int, at: int) -> bool:
    """Tell whether `a subtotal of 54.0` says what the subtotal is."""
    before = items[place - 1].lower if place else ""
    after = items[at + 1] if at + 1 < len(items) else None
    follows = items[at + 2] if at + 2 < len(items) else None
    counted = follows is not None and follows.kind == "word" and follows.lower not in _LINKS
    return (
        before in ("a", "the", "final")
        and after is not None
        and after.plain
        and not counted
        and bool(items[place].name)
    )


def _is_text(item: Item) -> bool:
    return item.literal and isinstance(item.value, str | list)


def _at_the_end(items: Sequence[Item]) -> bool:
    words = [item.lower for item in items[:6]]
    if {"after", "all"} <= set(words):
        return True
    return words[:3] in (["at", "the", "end"], ["in", "the", "end"]) or words[:1] == ["finally"]


def _stands_alone(items: Sequence[Item], at: int) -> bool:
    """Tell whether a value after a colon is not the first of a list or of an equation."""
    after = items[at + 1] if at + 1 < len(items) else None
    if after is None:
        return True
    if after.kind != "sign" or after.text in ("=", "≈", "→", "(", "?"):
        return False
    follows = items[at + 2] if at + 2 < len(items) else None
    return not (after.text == "," and follows is not None and follows.literal)


def _adjacent(items: Sequence[Item], place: int, at: int) -> bool:
    """Tell whether `total 5` says that total is 5."""
    after = items[at + 1] if at + 1 < len(items) else None
    before = items[place - 1] if place else None
    if before is not None and (before.kind == "expression" and not before.literal):
        return False
    if before is not None and before.kind == "word" and before.lower not in _BEFORE_NAME:
        return False
    closed = after is None or (after.kind == "sign" and after.text not in ("(", *EQUAL, "-", "/"))
    return (
        bool(items[place].name)
        and len(items[place].name) > 1
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
