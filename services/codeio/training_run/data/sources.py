"""Where rows lie.

A path is a file of rows, whatever split it is, or a folder. In a folder a split is the file
`SPLIT.parquet` or `SPLIT.jsonl`, or shards of it, `SPLIT-00000-of-00008.parquet`. They are
looked for in the folder itself, then in its folder `data`, and then, since it may be a
snapshot, in the folder of each format that is wanted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from codeio.training_run.places import Places
    from codeio.training_run.training_data import Source

PARQUET_ENDINGS = (".parquet", ".pq")
_JSONL_ENDINGS = tuple(
    kind + compression for kind in (".jsonl", ".ndjson") for compression in ("", ".gz", ".zst")
)
# In order of preference: where a folder has several kinds, they hold the same rows.
_ENDINGS = (*PARQUET_ENDINGS, *_JSONL_ENDINGS, ".json")

FORMAT_FOLDERS = {
    "Messages": "messages",
    "PromptCompletion": "prompt-completion",
    "Joined": "joined",
    "ShareGpt": "sharegpt",
    "Codeio": "codeio",
}
"""The folder of a snapshot that holds a format, by the format's name in a source."""

_MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What one source is read from: files of this machine, or a data set at the hub."""

    source: Source
    title: str
    """What messages call it: its path or its name."""
    files: tuple[Path, ...] = ()
    """In the order of their names; none for a data set at the hub."""
    names: tuple[str, ...] = ()
    """Of the files: the same wherever a volume is."""


def locate(source: Source, places: Places) -> Rows:
    """Return where the rows of a source lie.

    Raises:
        RunError: there is nothing of this kind.
    """
    path = places.path(source)
    if path is None:
        assert source.name is not None
        return Rows(source=source, title=source.name)
    files = find_split(path, source.split, formats=(FORMAT_FOLDERS[source.format],))
    assert source.path is not None
    inside = PurePath(source.volume, source.path.lstrip("/")) if source.volume else source.path
    names = tuple(str(PurePath(inside, file.relative_to(path))) for file in files)
    return Rows(source=source, title=str(path), files=tuple(files), names=names)


def find_split(path: Path, split: str, *, formats: Sequence[str] = ()) -> list[Path]:
    """Return the files of a split, in order.

    `formats` are folders of a snapshot, the best first.

    Raises:
        RunError: there are none.
    """
    if path.is_file():
        if not path.name.endswith(_ENDINGS):
            raise RunError(
                Reason.INVALID_DATA,
                f"{path} is no file of rows: name one that ends in {', '.join(_ENDINGS)}",
            )
        return [path]
    if not path.is_dir():
        raise RunError(Reason.INVALID_DATA, f"there is no file or folder {path}: correct the path")
    folders = [path, path / "data", *(path / name for name in formats)]
    for folder in folders:
        if files := files_of_split(folder, split):
            return files
    present = [folder for folder in folders if folder.is_dir()]
    there = sorted({each.name for folder in present for each in folder.iterdir()})
    has = f"it has {', '.join(there[:10]) or 'nothing'}"
    if formats and (path / _MANIFEST).is_file() and not any(name in there for name in formats):
        raise RunError(
            Reason.INVALID_DATA,
            f"the snapshot {path} has no folder {' or '.join(formats)} ({has}): take a format that"
            f" it has, or export it with --format {formats[0]}",
        )
    raise RunError(
        Reason.INVALID_DATA,
        f"{path} has no file {split}.parquet or {split}.jsonl ({has}): correct the path or the"
        " split",
    )


def files_of_split(folder: Path, split: str) -> list[Path]:
    """Return the files of a split that lie in a folder, in order; none where it is not there."""
    if not folder.is_dir():
        return []
    names = re.compile(re.escape(split) + r"(-\d.*)?(" + "|".join(map(re.escape, _ENDINGS)) + ")")
    found = sorted(
        (path.name, match[2], path)
        for path in folder.iterdir()
        if (match := names.fullmatch(path.name))
    )
    kinds = {ending for _, ending, _ in found}
    best = next((ending for ending in _ENDINGS if ending in kinds), None)
    return [path for _, ending, path in found if ending == best]
