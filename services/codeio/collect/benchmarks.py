"""Decontamination: what shares 13 tokens in a row with a benchmark is refused.

Memory grows with the benchmarks (about 100 bytes a token), not with the collection.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from codeio.runtime.errors import UsageError
from codeio.runtime.grams import grams, strings
from codeio.runtime.jsonl import open_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


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
                self._grams.update(gram for gram, _ in grams(text))

    def shared_with(self, text: str) -> str | None:
        """Return the first 13 tokens that the text shares with a benchmark."""
        if not self._grams:
            return None
        return next((" ".join(tokens) for gram, tokens in grams(text) if gram in self._grams), None)


def _texts(path: Path) -> Iterator[str]:
    is_rows = {".jsonl", ".ndjson"} & set(path.suffixes)
    try:
        with open_text(path) as lines:
            if not is_rows:
                yield lines.read()
                return
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield from strings(_row(path, number, line))
    except UnicodeDecodeError as error:
        raise UsageError(f"the benchmark file {path} is not text; name one that is") from error


def _row(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"line {number} of the benchmark file {path} is not JSON; mend it or leave it out"
        ) from error
