"""Which store an address means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codeio.language_model.store.sqlite import SqliteStore
from codeio.runtime.errors import UsageError
from codeio.runtime.settings import user_folder

if TYPE_CHECKING:
    from codeio.language_model.store import ResponseStore


def default_store() -> Path:
    """Return `codeio/responses.sqlite` in the user's data folder, by the XDG rules.

    No cache: what it holds was paid for.
    """
    return user_folder("XDG_DATA_HOME", otherwise=".local/share") / "responses.sqlite"


def open_store(url: str) -> ResponseStore:
    """Return the store at an address, to be opened with `async with`.

    The address is a path or `sqlite:///path` of an SQLite file,
    `postgresql://...`, another `scheme://...` that fsspec knows, or empty for
    `default_store`.

    Raises:
        UsageError: there is no such kind of store.
    """
    if not url:
        return SqliteStore(default_store())
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
