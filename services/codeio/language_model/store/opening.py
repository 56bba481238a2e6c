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
    match scheme.lower():
        case _ if not separator:
            return SqliteStore(Path(url).expanduser())
        case "sqlite":
            if not rest.startswith("/") or rest == "/":
                raise UsageError(
                    f"{url} names no file; write sqlite:///PATH, where a PATH from the root on "
                    "begins with a stroke of its own"
                )
            return SqliteStore(Path(rest[1:]).expanduser())
        # Imported where they are needed: a run on a laptop starts faster without them.
        case "postgresql" | "postgres":
            from codeio.language_model.store.postgres import PostgresStore  # noqa: PLC0415

            return PostgresStore(url)
        case _:
            from codeio.language_model.store.objects import ObjectStore  # noqa: PLC0415

            return ObjectStore(url)
