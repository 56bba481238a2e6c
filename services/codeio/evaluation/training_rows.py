"""The rows that a run trains on, as they lie there, for the search for contamination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.evaluation.rows import NotMeasurable, Row, read_rows
from codeio.training_run.outcomes import Reason, RunError
from codeio.training_run.places import FORMAT_FOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeio.training_run.manifest import TrainingRun
    from codeio.training_run.places import Places

_ENDINGS = (".parquet", ".jsonl", ".jsonl.zst", ".jsonl.gz")


def training_rows(run: TrainingRun, places: Places) -> Iterator[tuple[str, Row]]:
    """Yield the rows of all sources with their names, whether or not they are selected.

    Raises:
        NotMeasurable: a source is at the hub, and cannot be read from there.
        RunError: there is no such source.
    """
    for source in (*run.spec.data.reasoning, *run.spec.data.instruction):
        path = places.path(source)
        if path is None:
            yield from _from_hub(str(source.name), source.revision, source.split)
        else:
            yield from rows_in(path, split=source.split, form=source.format)


def rows_in(path: Path, *, split: str, form: str = "Messages") -> Iterator[tuple[str, Row]]:
    """Yield the rows of a file, or of a split in a folder, with their names.

    Raises:
        RunError: there are none.
    """
    for file in _files(path, split, form):
        for number, row in enumerate(read_rows(file), start=1):
            yield str(row.get("sample_id") or f"{file.name}:{number}"), row


def _files(path: Path, split: str, form: str) -> list[Path]:
    if path.is_file():
        return [path]
    folders = [path / FORMAT_FOLDERS[form], path, path / "data"]
    if (path / "manifest.json").is_file():  # a snapshot: any of its formats has the programs
        folders += [path / name for name in FORMAT_FOLDERS.values()]
    for folder in folders:
        for ending in _ENDINGS:
            files = [*folder.glob(f"{split}{ending}"), *folder.glob(f"{split}-*{ending}")]
            if files:
                return sorted(files)
    raise RunError(
        Reason.INVALID_DATA, f"{path} has no rows of the split {split}: correct its path or split"
    )


def _from_hub(name: str, revision: str | None, split: str) -> Iterator[tuple[str, Row]]:
    import datasets  # noqa: PLC0415  (slow)

    try:
        rows = datasets.load_dataset(name, revision=revision, split=split, streaming=True)
        for number, row in enumerate(rows, start=1):
            yield str(row.get("sample_id") or f"{name}:{number}"), row
    except Exception as error:
        said = str(error).strip().partition("\n")[0][:200]
        raise NotMeasurable(f"{name} could not be read: {said}") from error
