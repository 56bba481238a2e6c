"""What files hold, which is known by a digest: when one was last written says nothing of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from codeio.training_run.data.sources import Rows


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a file held when it was read."""

    size: int
    modified_ns: int
    sha256: str


def contents_of(sources: Iterable[Rows], known: Mapping[str, Content]) -> dict[str, Content]:
    """Return what the files of sources hold, by name.

    One that is as large and as old as what is known of it is not read again.
    """
    return {
        name: _content(file, known.get(name))
        for rows in sources
        for name, file in zip(rows.names, rows.files, strict=True)
    }


def _content(file: Path, known: Content | None) -> Content:
    about = file.stat()
    if known and (known.size, known.modified_ns) == (about.st_size, about.st_mtime_ns):
        return known
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Content(size=about.st_size, modified_ns=about.st_mtime_ns, sha256=digest)
