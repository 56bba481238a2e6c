"""Rows of files of all kinds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from codeio.training_run.data.reading import read_files
from codeio.training_run.outcomes import Reason, RunError
from tests.training_run.data.files import KINDS, write

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [{"a": number, "b": {"text": f"é 😀 {number}"}} for number in range(600)]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_any_file_are_the_same(kind: str, tmp_path: Path) -> None:
    files = [write(tmp_path / f"one{kind}", ROWS), write(tmp_path / f"two{kind}", ROWS[:1])]
    rows = list(read_files(files))
    assert [row.values for row in rows] == [*ROWS, ROWS[0]]
    assert [row.number for row in rows] == [*range(1, 601), 1]
    assert [row.title for row in rows[-2:]] == list(map(str, files))


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_asked_for_once_a_file(kind: str, tmp_path: Path) -> None:
    files = [write(tmp_path / f"{name}{kind}", ROWS[:3]) for name in ("one", "two")]
    asked = []

    def wanted(title: str, there: list[str]) -> list[str]:
        asked.append((title, there))
        return ["a"]

    assert [row.values["a"] for row in read_files(files, wanted)] == [0, 1, 2, 0, 1, 2]
    assert asked == [(str(file), ["a", "b"]) for file in files]


def test_the_number_of_a_row_is_that_of_its_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\n\n{"a": 2}\n')
    assert [row.number for row in read_files([file])] == [1, 3]


@pytest.mark.parametrize("name", ["examples", "data"])
def test_json_may_have_its_rows_in_an_object(name: str, tmp_path: Path) -> None:
    file = write(tmp_path / "rows.json", {"canary": "", name: ROWS})
    assert [row.values for row in read_files([file])] == ROWS


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "a.jsonl",
            b'{"a": 1}\r\n\r\n{"no": \r\n',
            r"row 3 of .*a.jsonl is malformed: it is no JSON [(]Expecting value: column 8[)]$",
        ),
        ("a.jsonl", b'{"a": 1}\n[2]\n', "row 2 of .*a.jsonl is malformed: it is no JSON object"),
        ("a.jsonl", b'{"a": "\xff"}', "row 1 of .*a.jsonl is malformed: it is no JSON [(]"),
        ("a.jsonl", b"[" * 200_000, "row 1 of .*a.jsonl is malformed: it is no JSON [(]"),
        ("a.json", b'[{"a": 1}, 2]', "row 2 of .*a.json is malformed: it is no JSON object"),
        ("a.json", b'{"a": 1}', "a.json holds no rows: make it a list of objects"),
        (
            "a.json",
            b'{"a": 1}\n{"a": 2}',
            "a.json is no JSON .*: mend it, or have it end in .jsonl",
        ),
        ("a.jsonl.gz", b"\x1f\x8b no", "cannot read .*a.jsonl.gz: .*; mend it"),
        ("a.jsonl.zst", b"no", "cannot read .*a.jsonl.zst: .*; mend it"),
        ("a.parquet", b"PAR1 no", "a.parquet cannot be read after row 0: .*; mend it"),
        ("a.parquet", None, "a.parquet cannot be read after row 0: .*; mend it"),
        ("a.jsonl", None, "cannot read .*a.jsonl: No such file.*; mend it"),
    ],
)
def test_what_cannot_be_read_names_file_and_row(
    name: str, content: bytes | None, said: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError) as told:
        list(read_files([tmp_path / name]))
    assert told.value.reason is Reason.INVALID_DATA
    assert re.search(said, str(told.value)), told.value
