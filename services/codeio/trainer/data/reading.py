"""Reads rows as streams: Parquet by batches, JSON Lines by lines, the hub by its own library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from codeio.runtime.errors import UsageError
from codeio.runtime.jsonl import open_bytes
from codeio.trainer.data.sources import PARQUET_ENDINGS
from codeio.training_run.outcomes import Reason, RunError
from codeio.training_run.places import FORMAT_FOLDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from codeio.trainer.data.sources import Rows

_BATCH_ROWS = 256

Wanted: TypeAlias = "Callable[[str, list[str]], list[str]]"
"""Is told a title and the columns that are there, and returns those to be read."""


@dataclass(frozen=True)
class Row:
    """A row and where it stands."""

    title: str
    number: int
    """From 1, in its file."""
    values: dict[str, Any]

    def refused(self, complaint: object) -> RunError:
        """Return the error that names this row."""
        return RunError(
            Reason.INVALID_DATA, f"row {self.number} of {self.title} is malformed: {complaint}"
        )


def read(rows: Rows, wanted: Wanted) -> Iterator[Row]:
    """Yield the rows of a source in order.

    `wanted` is asked once a file; it raises a RunError where a column is missing.

    Raises:
        RunError: a file or the hub cannot be read, or a line is no JSON object.
    """
    if not rows.files:
        yield from _hub(rows, wanted)
    for path in rows.files:
        one = _parquet if path.name.endswith(PARQUET_ENDINGS) else _json_lines
        yield from one(path, wanted)


def _parquet(path: Path, wanted: Wanted) -> Iterator[Row]:
    number = 0
    try:
        # Column chunks are read in pieces, or one row group could fill the memory.
        with pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False, memory_map=False) as table:
            columns = wanted(str(path), table.schema_arrow.names)
            for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(str(path), number, values)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        said = str(error).partition("\n")[0]
        raise RunError(
            Reason.INVALID_DATA, f"{path} cannot be read after row {number}: {said}; mend it"
        ) from error


def _json_lines(path: Path, wanted: Wanted) -> Iterator[Row]:
    asked = False
    try:
        with open_bytes(path) as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                row = Row(str(path), number, _parsed(line, path, number))
                if not asked:
                    wanted(str(path), list(row.values))
                    asked = True
                yield row
    except UsageError as error:
        raise RunError(Reason.INVALID_DATA, f"{error}; mend it") from error


def _parsed(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Row(str(path), number, {}).refused(f"it is no JSON ({error})") from error
    if not isinstance(values, dict):
        raise Row(str(path), number, {}).refused("it is no JSON object")
    return values


def _hub(rows: Rows, wanted: Wanted) -> Iterator[Row]:
    # Seconds to import, and only some runs need it.
    import datasets  # noqa: PLC0415

    source = rows.source
    try:
        # A snapshot at the hub has its formats as configurations; other data has no such names.
        folder = FORMAT_FOLDERS[source.format]
        there = datasets.get_dataset_config_names(source.name, revision=source.revision)
        stream = datasets.load_dataset(
            source.name,
            folder if folder in there else None,
            revision=source.revision,
            split=source.split,
            streaming=True,
        )
        for number, values in enumerate(stream, start=1):
            if number == 1:
                wanted(rows.title, list(values))
            yield Row(rows.title, number, values)
    except RunError:
        raise
    # The library, and what it reads with, tell of an absent network, of a name that is not there
    # and of a split that is not there by errors of many kinds.
    except Exception as error:
        said = str(error).partition("\n")[0]
        raise RunError(
            Reason.INVALID_DATA,
            f"{rows.title} cannot be read from the hub ({type(error).__name__}: {said}): check the"
            " name, the revision, the split and the network, or download it and name its path",
        ) from error
