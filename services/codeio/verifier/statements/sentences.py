"""Sentences of a line, and which parts of them say nothing about this run.

What is asked, supposed, wished for or said of other cases is no statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.verifier.statements.vocabulary import NO, YES, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item


_SUPPOSING = words("suppose supposing imagine assume assuming unless hypothetically")
_CLAUSE_ONLY = words("would could might wouldn't couldn't it'd we'd they'd you'd")
_WISHING = words(
    "need needs want wants wanted must should require requires required has_to goal aim"
)
_GOING_ON = words("and so but hence therefore thus which then")
_GENERAL = words("whenever always generally general typically usually e.g. example instance")
_CASES = words("cases situations scenarios")
_NOUN_BEFORE_IF = words(
    "the inner outer an this that first second third last enter entering skip skipping nested"
)
_NOUN_AFTER_IF = words(
    "branch block statement condition check test body is isn't fires never fails holds was"
)


MAX_ITEMS = 200
"""Items after which a sentence ends in any case, so that a reader may look at all of them."""


@dataclass(frozen=True)
class Sentence:
    """Items up to a full stop, each with whether it is part of a statement about the run."""

    items: tuple[Item, ...]
    silent: tuple[bool, ...]
    """True for what is supposed, asked or wished for."""

    def words(self) -> set[str]:
        return {item.lower for item in self.items if item.kind == "word"}


def sentences(items: Sequence[Item], *, wishes: bool) -> list[Sentence]:
    """Split a line; `wishes`: what must or should be is a goal there, no statement."""
    found: list[Sentence] = []
    current: list[Item] = []
    for place, item in enumerate(items):
        current.append(item)
        if _ends(items, place) or len(current) >= MAX_ITEMS:
            found.append(_sentence(current, wishes=wishes))
            current = []
    if current:
        found.append(_sentence(current, wishes=wishes))
    return found


def _ends(items: Sequence[Item], place: int) -> bool:
    item = items[place]
    if item.kind != "sign" or item.text not in (".", "!", "?", "..."):
        return False
    if place + 1 >= len(items):
        return True
    after = items[place + 1]
    if item.text == "?":
        return not (after.lower in YES | NO or _is_truth(after))
    return after.spaced and (after.kind != "sign" or item.text == ".")


def _is_truth(item: Item) -> bool:
    return item.literal and isinstance(item.value, bool) and item.text in ("True", "False")


def _sentence(items: list[Item], *, wishes: bool) -> Sentence:
    silent = [False] * len(items)
    asked = bool(items) and items[-1].text == "?"
    question = _question_start(items)
    supposed = False
    clause = False
    for place, item in enumerate(items):
        word = item.lower if item.kind == "word" else ""
        if item.kind == "sign" and item.text in (",", ";", ":", "→"):
            following = items[place + 1].lower if place + 1 < len(items) else ""
            clause = clause and item.text == "," and following not in _GOING_ON
        if (
            word in _SUPPOSING
            or word in _GENERAL
            or (word in _CASES and place + 1 < len(items))
            or (word == "if" and _is_conjunction(items, place))
        ):
            supposed = True
        if (
            (word in _CLAUSE_ONLY and not _returns_next(items, place))
            or (wishes and word in _WISHING)
            or word in ("whether", "must")
        ):
            clause = True
            # What is wished or possible is said of what comes before it in the clause too.
            back = place
            while back and items[back - 1].text not in (",", ";", ":", "→"):
                back -= 1
            for earlier in range(back, place):
                silent[earlier] = True
        silent[place] = (asked and place >= question) or supposed or clause
    if any(item.lower in ("were", "had") for item in items) and supposed:
        silent = [True] * len(items)
    return Sentence(tuple(items), tuple(silent))


def _question_start(items: Sequence[Item]) -> int:
    """Return where the question begins that a sentence ends with."""
    for place in range(len(items) - 2, 0, -1):
        item = items[place]
        if item.kind == "sign" and (
            item.text in ("—", ";", ":") or (item.text == "-" and item.spaced)
        ):
            return place
    return 0


def _returns_next(items: Sequence[Item], place: int) -> bool:
    """Tell whether `would` is only a way to say what the function returns."""
    return place + 1 < len(items) and items[place + 1].lower in ("return", "output")


def _is_conjunction(items: Sequence[Item], place: int) -> bool:
    before = items[place - 1].lower if place else ""
    after = items[place + 1].lower if place + 1 < len(items) else ""
    return before not in _NOUN_BEFORE_IF and after not in _NOUN_AFTER_IF and not items[place].code
