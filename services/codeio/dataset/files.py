"""The rows of one split, written as Parquet and as JSON Lines in one pass.

Neither file holds a time, and rows are grouped by number, so the same rows give
the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from codeio.dataset.formats import Row

ROWS_AT_A_TIME = 1000


def write_split(rows: Iterable[Row], *, schema: pa.Schema, folder: Path, split: str) -> int:
    """Write `folder/SPLIT.parquet` and `folder/SPLIT.jsonl`; return the number of rows."""
    remaining = iter(rows)
    count = 0
    with (
        pq.ParquetWriter(folder / f"{split}.parquet", schema, compression="zstd") as parquet,
        (folder / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n") as lines,
    ):
        while group := list(islice(remaining, ROWS_AT_A_TIME)):
            parquet.write_table(pa.Table.from_pylist(group, schema=schema))
            lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in group)
            count += len(group)
    return count


def digests(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder, by relative path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(
                    stream, "sha256"
                ).hexdigest()
    return found
