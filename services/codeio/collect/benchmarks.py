"""Decontamination: what shares 13 tokens in a row with a benchmark is refused.

Memory grows with the benchmarks (about 100 bytes a token), not with the collection.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from codeio.runtime.errors import UsageError
from codeio.runtime.jsonl import open_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

GRAM = 13

_TOKEN = re.compile(r"\w+")


class Benchmarks:
    """The 13-grams of the benchmark files that the user named."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Read the files: JSON Lines, of which every string counts, or plain text.

        Raises:
            UsageError: one of them cannot be read.
        """
        self._grams: set[int] = set()
        for path in paths:
            for text in _texts(path):
                self._grams.update(gram for gram, _ in _grams(text))

    def shared_with(self, text: str) -> str | None:
        """Return the first 13 tokens that the text shares with a benchmark."""
        if not self._grams:
            return None
        return next(
            (" ".join(tokens) for gram, tokens in _grams(text) if gram in self._grams), None
        )


def _grams(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    tokens = tuple(_TOKEN.findall(text.lower()))
    for start in range(len(tokens) - GRAM + 1):
        gram = tokens[start : start + GRAM]
        # 64 bits in place of the text: a chance match is one in billions.
        yield hash(gram), gram


def _texts(path: Path) -> Iterator[str]:
    is_rows = {".jsonl", ".ndjson"} & set(path.suffixes)
    try:
        with open_text(path) as lines:
            if not is_rows:
                yield lines.read()
                return
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield from _strings(_row(path, number, line))
    except UnicodeDecodeError as error:
        raise UsageError(f"the benchmark file {path} is not text; name one that is") from error


def _row(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"line {number} of the benchmark file {path} is not JSON; mend it or leave it out"
        ) from error


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _strings(item)
        case dict():
            for item in value.values():
                yield from _strings(item)
