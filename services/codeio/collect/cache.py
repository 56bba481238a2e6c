"""The folder in which fetched sources stay, so that a resumed run sees the same bytes."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


class Cache:
    """Entries by name; each is written once, whole or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, name: str) -> Path:
        """Return the place of an entry: a readable name with a digest that keeps it apart."""
        readable = re.sub(r"[^A-Za-z0-9.=_-]+", "-", name)[:60].strip("-.")
        return self.root / f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"

    def fetch(self, name: str, into: Callable[[Path], None]) -> Path:
        """Return the folder of an entry; `into` fills it where it is not there yet.

        Raises:
            UsageError: the cache cannot be written.
        """
        entry = self.folder(name)
        if entry.is_dir():
            return entry
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=self.root))
        except OSError as error:
            raise UsageError(
                f"cannot write to the cache {self.root}: {error.strerror or error}"
            ) from error
        try:
            into(partial)
            try:
                partial.rename(entry)
            except OSError:
                # Another process was faster; its entry is as good.
                if not entry.is_dir():
                    raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return entry


def only_file(folder: Path) -> Path:
    """Return the one file of an entry that holds one."""
    (file,) = folder.iterdir()
    return file
