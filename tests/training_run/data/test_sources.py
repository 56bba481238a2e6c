"""Which files hold the rows of a split."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from codeio.training_run.data.sources import find_split
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = ("codeio", "messages")


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (["train.jsonl", "test.jsonl"], ["train.jsonl"]),
        # Of two kinds that hold the same rows, one.
        (["train.jsonl", "train.parquet"], ["train.parquet"]),
        (["train.json", "train.jsonl.zst", "train.jsonl.gz"], ["train.jsonl.gz"]),
        (
            ["train-00001-of-00002.parquet", "train-00000-of-00002.parquet", "train.jsonl"],
            ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"],
        ),
        (["train-0.jsonl.gz", "train-1.jsonl.gz"], ["train-0.jsonl.gz", "train-1.jsonl.gz"]),
        (["training.jsonl", "train-notes.jsonl", "train.txt", "data/train.pq"], ["data/train.pq"]),
        (["messages/train.parquet", "codeio/train.parquet"], ["codeio/train.parquet"]),
        (["messages/train-0.jsonl", "codeio/test.parquet"], ["messages/train-0.jsonl"]),
        (["train.jsonl", "data/train.jsonl", "codeio/train.parquet"], ["train.jsonl"]),
        (["data/train.jsonl", "codeio/train.parquet"], ["data/train.jsonl"]),
    ],
)
def test_a_split_is_found(there: list[str], found: list[str], tmp_path: Path) -> None:
    files = find_split(made(tmp_path, *there), "train", formats=FORMATS)
    assert [file.relative_to(tmp_path).as_posix() for file in files] == found


def test_a_file_is_taken_whatever_its_split(tmp_path: Path) -> None:
    file = made(tmp_path, "chats.ndjson.zst", "train.jsonl") / "chats.ndjson.zst"
    assert find_split(file, "train") == [file]


def test_a_split_whose_name_has_signs_is_itself_alone(tmp_path: Path) -> None:
    made(tmp_path, "train.v1.jsonl", "trainxv1.jsonl")
    assert find_split(tmp_path, "train.v1") == [tmp_path / "train.v1.jsonl"]


@pytest.mark.parametrize(
    ("path", "there", "said"),
    [
        ("missing", [], "there is no file or folder .*missing: correct the path"),
        ("a.txt", ["a.txt"], r"a.txt is no file of rows: name one that ends in .parquet, .*\.json"),
        (
            "",
            ["README.md", "data/test.jsonl"],
            r"has no file train.parquet or train.jsonl \(it has README.md, data, test.jsonl\):"
            " correct the path or the split",
        ),
        (
            "",
            ["manifest.json", "joined/train.jsonl"],
            r"the snapshot .* has no folder codeio or messages \(it has joined, manifest.json\):"
            " take a format that it has, or export it with --format codeio",
        ),
        (
            "",
            ["manifest.json", "messages/test.jsonl"],
            r"has no file train.parquet .*\(it has manifest.json, messages, test.jsonl\): correct",
        ),
    ],
)
def test_what_is_not_there_is_told(path: str, there: list[str], said: str, tmp_path: Path) -> None:
    made(tmp_path, *there)
    with pytest.raises(RunError) as told:
        find_split(tmp_path / path, "train", formats=FORMATS)
    assert told.value.reason is Reason.INVALID_DATA
    assert re.search(said, str(told.value)), told.value
