"""Exact duplicates, remembered on disk so that memory does not grow with the collection."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class SeenContents:
    """The set of contents seen so far, in a temporary file of about 30 bytes for each."""

    def __enter__(self) -> SeenContents:
        self._folder = tempfile.TemporaryDirectory(prefix="codeio-seen-")
        self._index = sqlite3.connect(Path(self._folder.name, "seen.sqlite"), isolation_level=None)
        # Thrown away at the end: nothing to be durable about.
        self._index.execute("PRAGMA journal_mode = OFF")
        self._index.execute("PRAGMA synchronous = OFF")
        self._index.execute("PRAGMA cache_size = -65536")
        self._index.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        self._index.execute("BEGIN")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._index.close()
        self._folder.cleanup()

    def add(self, file_id: str) -> bool:
        """Remember a content by its sha256 in hex; return whether it is new."""
        # Half of the sha256 is past any collision by chance and halves the file.
        digest = bytes.fromhex(file_id)[:16]
        return self._index.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,)).rowcount == 1
