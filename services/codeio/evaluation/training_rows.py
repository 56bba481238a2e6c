"""The rows that a run trains on, as they lie there, for the search for contamination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.training_run.data.reading import read, read_files
from codeio.training_run.data.sources import FORMAT_FOLDERS, find_split, locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeio.training_run.data.reading import Row, Values
    from codeio.training_run.manifest import TrainingRun
    from codeio.training_run.places import Places


def training_rows(run: TrainingRun, places: Places) -> Iterator[tuple[str, Values]]:
    """Yield the rows of all sources with their names, whether or not they are selected.

    Raises:
        HubError: a source is at the hub, and cannot be read from there.
        RunError: there is no such source, or it cannot be read.
    """
    for source in (*run.spec.data.reasoning, *run.spec.data.instruction):
        yield from map(_named, read(locate(source, places)))


def rows_in(path: Path, *, split: str) -> Iterator[tuple[str, Values]]:
    """Yield the rows of a file, or of a split in a folder, with their names.

    Any format of a snapshot will do: all have the programs.

    Raises:
        RunError: there are none, or they cannot be read.
    """
    files = find_split(path, split, formats=tuple(FORMAT_FOLDERS.values()))
    yield from map(_named, read_files(files))


def _named(row: Row) -> tuple[str, Values]:
    return str(row.values.get("sample_id") or f"{row.title}:{row.number}"), row.values
