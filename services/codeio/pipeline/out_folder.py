"""Where a command writes: never among what is not its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def check_folder(out: Path, *, mark: str, of: str) -> None:
    """Refuse a place that holds something else; a folder of ours is known by its file `mark`.

    Raises:
        UsageError: it is no folder, or neither empty nor one of `of`.
    """
    if not out.exists() or (out / mark).exists():
        return
    if not out.is_dir():
        raise UsageError(f"{out} is not a folder; name another one by --out")
    if any(out.iterdir()):
        raise UsageError(
            f"{out} holds other things than {of}; name an empty or a new folder by --out"
        )
