"""Files of rows: JSON Lines and Parquet, read as streams."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from codeio.collect.rows import CODE_COLUMNS, NAMED_COLUMNS, bad_row, parse_line, read_row
from codeio.runtime.errors import UsageError, first_line
from codeio.runtime.jsonl import open_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

    from codeio.collect.source import Candidate, Source, Unusable

JSONL_ENDINGS = (".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.zst", ".ndjson.gz", ".ndjson.zst")
PARQUET_ENDINGS = (".parquet", ".pq")
ROW_ENDINGS = JSONL_ENDINGS + PARQUET_ENDINGS

# A row may carry recorded pairs besides the file; a longer line is no row.
MAX_LINE_BYTES = 16 << 20
_BATCH_ROWS = 256


def row_source(name: str, path: Path) -> Source:
    """Return the source that reads a file of rows, by its ending."""
    if path.name.endswith(PARQUET_ENDINGS):
        return ParquetSource(name, path)
    return JsonLinesSource(name, path)


class JsonLinesSource:
    """One row a line."""

    keeps_unknown_licence = True

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path

    def check(self) -> None:
        """Read up to the first row that can be used, normally the first line."""
        lines = json_lines = 0
        with open_bytes(self._path) as stream:
            for _, line in _lines(stream):
                lines += 1
                try:
                    row = json.loads(line) if line is not None else None
                except (ValueError, RecursionError):
                    continue
                json_lines += line is not None
                if isinstance(row, dict) and any(name in row for name in CODE_COLUMNS):
                    return
        if not lines:
            raise UsageError(f"{self.name} is empty; name a file with one JSON object a line")
        if not json_lines:
            raise UsageError(
                f"no line of {self.name} is JSON; name a file with one JSON object a line"
            )
        raise UsageError(
            f"no row of {self.name} has any of {', '.join(CODE_COLUMNS)}; "
            "rename the field that holds the code to one of them"
        )

    def items(self) -> Iterator[Candidate | Unusable]:
        with open_bytes(self._path) as stream:
            for number, line in _lines(stream):
                location = f"line {number}"
                if line is None:
                    limit = f"it is longer than {MAX_LINE_BYTES >> 20} MiB"
                    yield bad_row(location, limit, reason="too_large")
                else:
                    yield parse_line(line, location)


class ParquetSource:
    """One row a row; read by record batches, only the columns that mean something here."""

    keeps_unknown_licence = True

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path

    def check(self) -> None:
        with self._opened() as table:
            schema = table.schema_arrow
        if not any(_is_text(schema, name) for name in CODE_COLUMNS):
            raise UsageError(
                f"{self.name} has no text column named {', '.join(CODE_COLUMNS)} "
                f"(it has {', '.join(schema.names[:20])}); rename the one that holds the code"
            )

    def items(self) -> Iterator[Candidate | Unusable]:
        number = 0
        with self._opened() as table:
            schema = table.schema_arrow
            columns = [
                field.name
                for field in schema
                if field.name in NAMED_COLUMNS or _is_number(field.type)
            ]
            try:
                for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
                    for row in _batch_rows(batch):
                        number += 1
                        yield _parquet_row(row, f"row {number}")
            except (pa.ArrowException, OSError) as error:
                raise UsageError(
                    f"{self.name} is damaged after row {number}: {first_line(error)}"
                ) from error

    def _opened(self) -> pq.ParquetFile:
        try:
            # Column chunks are read in pieces, or one row group could fill the memory.
            return pq.ParquetFile(
                self._path, buffer_size=1 << 20, pre_buffer=False, memory_map=False
            )
        except OSError as error:
            raise UsageError(
                f"cannot read {self.name}: {error.strerror or first_line(error)}"
            ) from error
        except pa.ArrowException as error:
            raise UsageError(
                f"{self.name} is not a Parquet file: {first_line(error)}; mend or rename it"
            ) from error


def _batch_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | UnicodeDecodeError]:
    try:
        yield from batch.to_pylist()
    except UnicodeDecodeError:
        # Once more, one by one, to find the row that is to blame.
        for index in range(batch.num_rows):
            try:
                yield batch.slice(index, 1).to_pylist()[0]
            except UnicodeDecodeError as error:
                yield error


def _parquet_row(row: dict[str, Any] | UnicodeDecodeError, location: str) -> Candidate | Unusable:
    if isinstance(row, UnicodeDecodeError):
        return bad_row(location, f"a column is not UTF-8: {row}")
    return read_row({name: value for name, value in row.items() if value is not None}, location)


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Yield the lines that are not blank with their numbers from 1; None for one too long."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            while not line.endswith(b"\n") and (line := stream.readline(MAX_LINE_BYTES)):
                pass
            yield number, None
        elif line.strip():
            yield number, line


def _is_text(schema: pa.Schema, name: str) -> bool:
    if name not in schema.names:
        return False
    kind = schema.field(name).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        test(kind)
        for test in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
        )
    )


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)
