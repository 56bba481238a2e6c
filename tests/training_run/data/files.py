"""Writes files of rows."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

if TYPE_CHECKING:
    from pathlib import Path

KINDS = (".parquet", ".pq", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".json")


def write(path: Path, rows: Any) -> Path:
    """Write rows, or another value as JSON, in the form that the ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in {".parquet", ".pq"}:
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    if path.suffix == ".json":
        text = json.dumps(rows)
    else:
        text = "".join(json.dumps(row) + "\n" for row in rows)
    pack = {".gz": gzip.compress, ".zst": zstandard.compress}.get(path.suffix, bytes)
    path.write_bytes(pack(text.encode()))
    return path
