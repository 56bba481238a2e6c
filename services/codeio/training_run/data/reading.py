"""Reads rows as streams: Parquet by batches, JSON Lines by lines, the hub by its own library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from codeio.runtime.errors import UsageError, first_line
from codeio.runtime.jsonl import open_bytes
from codeio.training_run.data.sources import FORMAT_FOLDERS, PARQUET_ENDINGS
from codeio.training_run.hub import UNREACHED, reach_hub
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import IO

    from codeio.training_run.data.sources import Rows

_BATCH_ROWS = 256

Values: TypeAlias = dict[str, Any]
"""What a row has, by column."""

Wanted: TypeAlias = "Callable[[str, list[str]], list[str]]"
"""Is told a title and the columns that are there, and returns those to be read."""


@dataclass(frozen=True)
class Row:
    """A row and where it stands."""

    title: str
    number: int
    """From 1, in its file."""
    values: Values

    def refused(self, complaint: object) -> RunError:
        """Return the error that names this row."""
        return RunError(
            Reason.INVALID_DATA, f"row {self.number} of {self.title} is malformed: {complaint}"
        )


class HubError(RunError):
    """The hub cannot be reached, or has no such rows."""


def read(rows: Rows, wanted: Wanted | None = None) -> Iterator[Row]:
    """Yield the rows of a source in order.

    `wanted` is asked once a file, and may raise a RunError; without it all columns are read.

    Raises:
        HubError: the hub cannot be read.
        RunError: a file cannot be read, or a row is no JSON object.
    """
    return read_files(rows.files, wanted) if rows.files else _hub(rows, wanted)


def read_files(files: Iterable[Path], wanted: Wanted | None = None) -> Iterator[Row]:
    """Yield the rows of files in order, in the manner of `read`.

    A file that ends in `.json` is read whole: a list of objects, or an object with such a list
    in `examples` or `data`.

    Raises:
        RunError: a file cannot be read, or a row is no JSON object.
    """
    for path in files:
        yield from (_parquet if path.name.endswith(PARQUET_ENDINGS) else _json)(path, wanted)


def _parquet(path: Path, wanted: Wanted | None) -> Iterator[Row]:
    number = 0
    try:
        # Column chunks are read in pieces, or one row group could fill the memory.
        with pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False, memory_map=False) as table:
            columns = wanted(str(path), table.schema_arrow.names) if wanted else None
            for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(str(path), number, values)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        said = first_line(error)
        raise RunError(
            Reason.INVALID_DATA, f"{path} cannot be read after row {number}: {said}; mend it"
        ) from error


def _json(path: Path, wanted: Wanted | None) -> Iterator[Row]:
    rows = _listed if path.name.endswith(".json") else _lines
    try:
        with open_bytes(path) as stream:
            for row in rows(path, stream):
                if not isinstance(row.values, dict):
                    raise row.refused("it is no JSON object")
                if wanted:
                    wanted(row.title, list(row.values))
                    wanted = None
                yield row
    except UsageError as error:
        raise RunError(Reason.INVALID_DATA, f"{error}; mend it") from error


def _lines(path: Path, stream: IO[bytes]) -> Iterator[Row]:
    for number, line in enumerate(stream, start=1):
        if line.strip():
            try:
                yield Row(str(path), number, json.loads(line.rstrip(b"\r\n")))
            except (ValueError, RecursionError) as error:
                raise Row(str(path), number, {}).refused(
                    f"it is no JSON ({_said(error)})"
                ) from error


def _said(error: Exception) -> str:
    """Return what is wrong with a line, of which the number is told already."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}: column {error.colno}"
    return str(error)


def _listed(path: Path, stream: IO[bytes]) -> Iterator[Row]:
    try:
        content = json.load(stream)
    except (ValueError, RecursionError) as error:
        raise RunError(
            Reason.INVALID_DATA,
            f"{path} is no JSON ({error}): mend it, or have it end in .jsonl if each line is a row",
        ) from error
    if isinstance(content, dict):  # as BBH's files are
        content = content.get("examples", content.get("data"))
    if not isinstance(content, list):
        raise RunError(
            Reason.INVALID_DATA, f"{path} holds no rows: make it a list of objects, a row each"
        )
    for number, values in enumerate(content, start=1):
        yield Row(str(path), number, values)


def _hub(rows: Rows, wanted: Wanted | None) -> Iterator[Row]:
    reached = reach_hub()
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
            if number == 1 and wanted:
                wanted(rows.title, list(values))
            yield Row(rows.title, number, values)
    except RunError:
        raise
    # The library, and what it reads with, tell of an absent network, of a name that is not there
    # and of a split that is not there by errors of many kinds.
    except Exception as error:
        said = f"{type(error).__name__}: {first_line(error)}" if reached else UNREACHED
        raise HubError(
            Reason.INVALID_DATA,
            f"{rows.title} cannot be read from the hub ({said}): check the name, the revision, the"
            " split and the network, or download it and name its path",
        ) from error
