"""Where the rows of a source lie, and what tells whether they are the same as before."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.training_run.outcomes import Reason, RunError
from codeio.training_run.places import FORMAT_FOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from codeio.training_run.places import Places
    from codeio.training_run.spec import Source

PARQUET_ENDINGS = (".parquet", ".pq")
JSONL_ENDINGS = tuple(
    kind + compression for kind in (".jsonl", ".ndjson") for compression in ("", ".gz", ".zst")
)
# Parquet comes first: where a snapshot has both, they hold the same rows.
_ENDINGS = PARQUET_ENDINGS + JSONL_ENDINGS

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What one source is read from: files of this machine, or a data set at the hub."""

    source: Source
    title: str
    """What messages call it: its path or its name."""
    files: tuple[Path, ...] = ()
    """In the order of their names; none for a data set at the hub."""
    identity: tuple[str, ...]
    """Changes when the rows do. A name at the hub without a revision stays the same: a run
    that goes on keeps the rows it began with."""


def locate(source: Source, places: Places) -> Rows:
    """Return where the rows of a source lie.

    A path is a snapshot's folder, then `FORMAT/SPLIT.parquet` is read; a folder with
    `SPLIT.parquet`, `SPLIT.jsonl` or shards of them, `SPLIT-00000-of-00008.parquet`, there
    or in its folder `data`; or a file, whatever split it is.

    Raises:
        RunError: there is nothing of this kind.
    """
    path = places.path(source)
    if path is None:
        assert source.name is not None
        identity: tuple[str, ...] = ("hub", source.name, source.revision or "", source.split)
        return Rows(source=source, title=source.name, identity=identity)
    if path.is_dir():
        files = _in_folder(path, source)
    elif path.is_file():
        if not path.name.endswith(_ENDINGS):
            raise RunError(
                Reason.INVALID_DATA,
                f"{path} is no file of rows: name one that ends in {', '.join(_ENDINGS)}",
            )
        files = [path]
    else:
        raise RunError(
            Reason.INVALID_DATA, f"there is no file or folder {path}: correct the source's path"
        )
    identity = tuple(_identity(file) for file in files)
    return Rows(source=source, title=str(path), files=tuple(files), identity=identity)


def _in_folder(folder: Path, source: Source) -> list[Path]:
    place = folder
    if (folder / MANIFEST).is_file():
        place = folder / FORMAT_FOLDERS[source.format]
        if not place.is_dir():
            there = [name for name, sub in FORMAT_FOLDERS.items() if (folder / sub).is_dir()] or [
                "none of them"
            ]
            raise RunError(
                Reason.INVALID_DATA,
                f"the snapshot {folder} has no rows of the format {source.format}: take one that"
                f" it has ({', '.join(there)}), or export it with --format {place.name}",
            )
    for within in (place, place / "data"):
        files = _of_split(within.iterdir(), source.split) if within.is_dir() else []
        if files:
            return files
    there = sorted(each.name for each in place.iterdir())[:10]
    raise RunError(
        Reason.INVALID_DATA,
        f"{place} has no file {source.split}.parquet or {source.split}.jsonl (it has"
        f" {', '.join(there) or 'nothing'}): correct the source's path or split",
    )


def _of_split(paths: Iterable[Path], split: str) -> list[Path]:
    names = re.compile(re.escape(split) + r"(-\d.*)?(" + "|".join(map(re.escape, _ENDINGS)) + ")")
    found = sorted(
        ((path, match[2]) for path in paths if (match := names.fullmatch(path.name))),
        key=lambda each: each[0].name,
    )
    kinds = {ending for _, ending in found}
    first = next((ending for ending in _ENDINGS if ending in kinds), None)
    return [path for path, ending in found if ending == first]


def _identity(file: Path) -> str:
    """Return the file's digest where a snapshot's manifest tells it, else its size and time."""
    about = file.stat()
    for folder in (file.parent, file.parent.parent):
        try:
            digests = json.loads((folder / MANIFEST).read_text())["sha256"]
            return f"{digests[file.relative_to(folder).as_posix()]} {about.st_size}"
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return f"{file.name} {about.st_size} {about.st_mtime_ns}"
