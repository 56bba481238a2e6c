"""Text that two sources share: 13 tokens in a row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

GRAM = 13

_TOKEN = re.compile(r"\w+")


def grams(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield each 13 tokens in a row, and 64 bits in their place.

    A chance match of the bits is one in billions. They hold within one process.
    """
    tokens = tuple(_TOKEN.findall(text.lower()))
    for start in range(len(tokens) - GRAM + 1):
        gram = tokens[start : start + GRAM]
        yield hash(gram), gram


def strings(value: Any) -> Iterator[str]:
    """Yield every string in a value of JSON, but for keys."""
    match value:
        case str():
            yield value
        case list() | tuple():
            for item in value:
                yield from strings(item)
        case dict():
            for item in value.values():
                yield from strings(item)
