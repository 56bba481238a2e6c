"""Which store an address means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from codeio.language_model.store.sqlite import SqliteStore
from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from codeio.language_model.store import ResponseStore


def default_store() -> Path:
    """Return `codeio/responses.sqlite` in the user's data folder, by the XDG rules.

    No cache: what it holds was paid for.
    """
    data = os.environ.get("XDG_DATA_HOME", "")
    # A relative path is to be ignored, say the rules.
    folder = Path(data) if data.startswith("/") else Path.home() / ".local" / "share"
    return folder / "codeio" / "responses.sqlite"


def open_store(url: str, *, default: Path) -> ResponseStore:
    """Return the store at an address, to be opened with `async with`.

    The address is a path or `sqlite:///path` of an SQLite file,
    `postgresql://...`, another `scheme://...` that fsspec knows, or empty for
    the default path.

    Raises:
        UsageError: there is no such kind of store.
    """
    if not url:
        return SqliteStore(default)
    scheme, separator, rest = url.partition("://")
    if not separator:
        return SqliteStore(Path(url).expanduser())
    match scheme.lower():
        case "sqlite":
            if not rest.startswith("/") or rest == "/":
                raise UsageError(
                    f"{url} names no file; write sqlite:///path, with a fourth stroke before a "
                    "path from the root on"
                )
            return SqliteStore(Path(rest.removeprefix("/")).expanduser())
    raise UsageError(f"there is no store of responses for {scheme}://")
