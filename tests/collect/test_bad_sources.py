"""Sources that cannot be read are told before anything is."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from codeio.collect import Collector
from codeio.runtime.errors import UsageError
from codeio.runtime.settings import CollectSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def complaint(source: object) -> str:
    with pytest.raises(UsageError) as error:
        Collector(CollectSettings()).check([str(source)])
    message = str(error.value)
    assert "\n" not in message
    return message


def test_a_missing_path(tmp_path: Path) -> None:
    assert complaint(tmp_path / "nowhere.jsonl").startswith(f"there is no {tmp_path}")


def test_no_source_at_all() -> None:
    with pytest.raises(UsageError, match="no source"):
        Collector(CollectSettings()).check([])


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    secret = tmp_path / "secret.jsonl"
    secret.write_text('{"content": "x"}')
    secret.chmod(0)
    assert "permissions" in complaint(secret)


def test_what_is_neither_file_nor_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert "neither a file nor a folder" in complaint(tmp_path / "pipe.jsonl")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"import os\nprint(1)\n", "no line of .* is JSON"),
        (b"\x80\x81\n", "no line of .* is JSON"),
        (b'{"code": "x = 1"}\n{"code": "x = 2"}\n', "no row of .* has any of refcode"),
    ],
)
def test_json_lines_without_a_row_that_can_be_used(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        Collector(CollectSettings()).check([str(path)])


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_compressed_files_that_are_none(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows.jsonl.{ending}"
    path.write_bytes(b'{"content": "x = 1"}\n')
    assert "cannot read" in complaint(path)


def test_a_compressed_file_that_was_cut_off(rows: Callable[..., Path], tmp_path: Path) -> None:
    whole = gzip.compress(rows(*({"content": f"x = {n}"} for n in range(5000))).read_bytes())
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="damaged"):
        list(Collector(CollectSettings()).collect([str(path)]))


def test_parquet_without_a_text_column(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"content": [1, 2], "code": ["a", "b"]}), path)
    message = complaint(path)
    assert "has no text column" in message
    assert "content, code" in message


def test_what_is_not_parquet(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 but no more")
    assert "not a Parquet file" in complaint(path)


def test_a_folder_without_code(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    assert "holds no Python" in complaint(tmp_path)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("ftpx://host/file.jsonl", "unknown scheme ftpx"),
        ("gs://bucket/file.jsonl", "pip install gcsfs"),
        ("pypi:not a name", "is not NAME or NAME==VERSION"),
        ("pypi:name @ file:///etc", "is not NAME or NAME==VERSION"),
        ("git+--upload-pack=x", "is not a repository's URL"),
    ],
)
def test_names_that_mean_nothing_here(source: str, said: str) -> None:
    assert said in complaint(source)


def test_nothing_is_read_when_one_source_is_bad(rows: Callable[..., Path], tmp_path: Path) -> None:
    good = rows({"content": "x = 1"})
    collection = Collector(CollectSettings()).collect([str(good), str(tmp_path / "nowhere")])
    with pytest.raises(UsageError):
        next(collection)
