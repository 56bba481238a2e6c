"""Record files: what is written is read, and nothing half-written is found."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from codeio.runtime.errors import UsageError
from codeio.runtime.jsonl import (
    BadLine,
    read_lines,
    read_records,
    write_records,
    write_rejections,
)
from codeio.v1.records_pb2 import Program, Rejection

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = [Program(program_id=str(n), code="ü\n", scores={"a": n}) for n in range(3)]


@pytest.mark.parametrize("name", ["p.jsonl", "p.jsonl.zst", "p.jsonl.gz", "deep/er/p.jsonl"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with write_records(path) as write:
        for record in RECORDS:
            write(record)
        assert not path.exists()
    assert list(read_records(path, Program)) == RECORDS


def test_after_an_error_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyError), write_records(tmp_path / "p.jsonl") as write:  # noqa: PT012
        write(RECORDS[0])
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with write_records(pipe) as write, write_rejections(pipe) as refuse:
        write(RECORDS[0])
        refuse(Rejection(reason="no"))
    assert b'"program_id": "0"' in os.read(reader, 1 << 16)
    os.close(reader)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_rejections_stand_beside_the_records(tmp_path: Path) -> None:
    with write_rejections(tmp_path / "p.jsonl.zst") as refuse:
        refuse(Rejection(reason="no"))
    [rejection] = read_records(tmp_path / "p.rejections.jsonl", Rejection)
    assert rejection.reason == "no"


@pytest.mark.parametrize("line", ["{}", "[]", "{broken", '"text"', '{"stranger": 1}', "\\xff"])
def test_a_line_that_is_no_record_is_told(tmp_path: Path, line: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(b'{"program_id": "1", "stranger": 2}\n\n' + line.encode() + b"\n")
    good, bad = read_lines(path, Program)
    assert good == Program(program_id="1")
    assert isinstance(bad, BadLine)
    assert bad.number == 3
    with pytest.raises(UsageError, match=r"p\.jsonl, line 3"):
        list(read_records(path, Program))


@pytest.mark.parametrize("name", ["missing.jsonl", "damaged.jsonl.gz", "damaged.jsonl.zst"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    if "damaged" in name:
        (tmp_path / name).write_bytes(b"neither gzip nor zstd")
    with pytest.raises(UsageError, match=name):
        list(read_records(tmp_path / name, Program))
