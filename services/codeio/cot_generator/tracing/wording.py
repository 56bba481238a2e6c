"""Words: the voice that varies them, the length of a text, and lists in English."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PIECES = re.compile(r"[A-Za-z]+|\d+|[^\sA-Za-z\d]")

_MAX_REPEATED = 200


def tokens(text: str) -> int:
    """Estimate a text's length in tokens, without a tokenizer.

    A word counts one token per seven letters, a number one per three digits, any
    other sign one; common tokenizers come within about 15 % of it on such texts.
    """
    return sum(
        -(-len(piece) // (7 if piece[0].isalpha() else 3)) for piece in _PIECES.findall(text)
    )


class Voice:
    """Chooses among ways to say a thing, the same way for the same seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311  (variety, not secrecy)
        self._last: dict[tuple[str, ...], str] = {}

    def pick(self, *ways: str) -> str:
        """Return one of the ways, not the one that was taken just before."""
        open_ways = [way for way in ways if way != self._last.get(ways)] or list(ways)
        chosen = self._random.choice(open_ways)
        self._last[ways] = chosen
        return chosen


def listed(parts: Sequence[str], conjunction: str = "and") -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {conjunction} {parts[-1]}"


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def code(text: str) -> str:
    """Return text as inline code; Markdown needs two marks around what holds one."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def brief(text: str, otherwise: str) -> str:
    """Return a value as inline code, or other words for one too long to be repeated."""
    return code(text) if len(text) <= _MAX_REPEATED else otherwise


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
