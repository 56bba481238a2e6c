"""Folders that are there whole or not at all, whatever kills the process or the machine.

Such a folder is written beside its place under a name with a dot before it, flushed to the disk,
and renamed. What a kill leaves behind has a dot before its name and is swept by the next one.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: OSError) -> bool:
    """Tell whether an error says that the disk is full, or the user's share of it."""
    return error.errno in _FULL


def begin(place: Path) -> Path:
    """Return an empty folder beside `place` to write into."""
    partial = place.with_name(f".{place.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    return partial


def finish(partial: Path, place: Path) -> None:
    """Give a written folder its name; what had the name before is replaced."""
    for folder, _, names in os.walk(partial):
        for name in names:
            _flush(Path(folder) / name)
        _flush(Path(folder))
    if place.exists():
        shutil.rmtree(place)
    partial.rename(place)
    _flush(place.parent)


def set_aside(place: Path) -> None:
    """Take a folder's name from it, so that it counts as a remnant."""
    aside = place.with_name(f".{place.name}.aside")
    shutil.rmtree(aside, ignore_errors=True)
    place.rename(aside)


def sweep(folder: Path) -> None:
    """Delete the remnants in a folder."""
    for each in folder.glob(".*"):
        shutil.rmtree(each, ignore_errors=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():  # not all file systems of clusters can flush a folder
            raise
    finally:
        os.close(descriptor)
