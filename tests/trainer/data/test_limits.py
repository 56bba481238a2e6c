"""What preparing needs of a machine, and what it says where there is no more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.trainer.data.making import pair

ROOT = Path(__file__).parents[3]


def told(*arguments: object, before: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    command = [*before, sys.executable, "-m", "tests.trainer.data.preparing", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def of_rows(path: Path, number: int, *, words: int) -> Path:
    """Write rows of one row group, so that no reader is helped by how they lie."""
    rows = [pair(f"Question {n}", f"{n} " + "word " * words) for n in range(number)]
    pq.write_table(pa.Table.from_pylist(rows), path, compression="none", use_dictionary=False)
    return path


def test_memory_does_not_grow_with_the_rows(tmp_path: Path, tiny_model: Path) -> None:
    few = of_rows(tmp_path / "few.parquet", 400, words=400)
    many = of_rows(tmp_path / "many.parquet", 8000, words=400)
    assert many.stat().st_size > 16e6
    first, second = told(tiny_model, tmp_path / "run" / "data", few, many)
    assert (first["samples"], second["samples"]) == (400, 8000)
    assert (second["peak_kib"] - first["peak_kib"]) * 1024 < many.stat().st_size / 4


def test_a_full_disk_is_one_clear_sentence(tmp_path: Path, tiny_model: Path) -> None:
    rows = of_rows(tmp_path / "rows.parquet", 400, words=400)
    disk = tmp_path / "disk"
    disk.mkdir()
    small = ("unshare", "--map-root-user", "--mount", "sh", "-c")
    mount = f'mount -t tmpfs -o size=128k none {disk} && exec "$@"'
    if subprocess.run([*small, mount, "sh", "true"], check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    [said] = told(tiny_model, disk / "data", rows, before=(*small, mount, "sh"))
    assert said["reason"] == "StorageFull"
    assert said["message"] == (
        f"the disk is full: the samples as tokens do not fit into {disk}; make room there, or give"
        " the run a larger volume"
    )
    assert said["left"] == []
