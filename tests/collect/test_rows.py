"""Rows of data sets: what is recognised in them, and what is refused."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from codeio.runtime import jsonl
from codeio.runtime.records import file_id
from codeio.runtime.records import program_id as derive_program_id
from codeio.v1.records_pb2 import RawFile, Rejection
from tests.collect.conftest import only_file, reasons

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.collect.conftest import Collect

PARSED: dict[str, Any] = {
    "problem_description": "What is the sum?",
    "io_requirements": "Input: `a` (int)",
    "refcode": "def solve(a):\n    return a + 1\n",
    "funcname": "solve",
    "ios": [
        {"input": {"a": 1}, "output": 2},
        {"input": {"a": 12345678901234567890123}, "output": 0},
        {"input": {"a": 1}, "output": 2},
        {"input": {"a": float("nan")}, "output": None},
        {"input": [1], "output": None},
        {"output": None},
        "what is this",
    ],
    "category": None,
    "meta": {"msgidx": 93},
}
SAMPLED: dict[str, Any] = {
    "task_description": "What is twice the number?",
    "input_output_spec": "Input: `a` (int)",
    "code_sample": "def main_solution(a):\n    return 2 * a\n",
    "input_generator": "def generate_inputs(rng):\n    return {'a': rng.randint(1, 9)}\n",
    "clarity": 7,
    "difficulty": 2.5,
    "safe": True,
}


@pytest.mark.parametrize("column", ["content", "text"])
def test_a_row_with_code_is_a_raw_file(
    collect: Collect, rows: Callable[..., Path], column: str
) -> None:
    source = rows({column: "x = 1\n", "repo_name": "a/b", "path": "/c.py", "license": "mit"})
    taken = only_file(collect(source))
    assert taken == RawFile(
        file_id=file_id("x = 1\n"),
        content="x = 1\n",
        source=str(source),
        path="/c.py",
        repository="a/b",
        licence="MIT",
    )


def test_a_row_without_metadata_is_named_by_its_line(
    collect: Collect, rows: Callable[..., Path]
) -> None:
    first, second = collect(rows({"content": "x = 1"}, b"", {"content": "x = 2"}))
    assert isinstance(first, RawFile)
    assert isinstance(second, RawFile)
    assert (first.path, second.path) == ("line 1", "line 3")
    assert first.licence == ""


def test_a_row_with_refcode_is_a_program(collect: Collect, rows: Callable[..., Path]) -> None:
    taken = only_file(collect(rows(PARSED | {"repo_name": "a/b"})))
    program = taken.program
    assert taken.content == program.code == PARSED["refcode"]
    assert program.entry_point == program.origin.unit == "solve"
    assert program.problem_statement == "What is the sum?"
    assert program.io_description == "Input: `a` (int)"
    assert list(program.seed_inputs) == ['{"a": 1}', '{"a": 12345678901234567890123}']
    assert program.origin.repository == "a/b"
    assert program.origin.file_id == taken.file_id
    assert program.program_id == derive_program_id(
        code=program.code, entry_point="solve", origin=program.origin
    )


def test_a_row_with_code_sample_is_a_program_with_scores(
    collect: Collect, rows: Callable[..., Path]
) -> None:
    program = only_file(collect(rows(SAMPLED))).program
    assert program.entry_point == "main_solution"
    assert program.input_generator == SAMPLED["input_generator"]
    assert program.problem_statement == "What is twice the number?"
    assert dict(program.scores) == {"clarity": 7.0, "difficulty": 2.5}


def test_a_program_may_lack_everything_but_its_code(
    collect: Collect, rows: Callable[..., Path]
) -> None:
    program = only_file(collect(rows({"refcode": "def main_solution(): return 1\n"}))).program
    assert program.entry_point == "main_solution"
    assert not program.seed_inputs


def test_our_own_records_are_read_back_unchanged(
    collect: Collect, rows: Callable[..., Path], tmp_path: Path
) -> None:
    first = collect(rows(PARSED, {"content": "x = 1", "licenses": ["MIT", "ISC"]}))
    again = tmp_path / "again.jsonl.zst"
    with jsonl.write_records(again) as write:
        for record in first:
            write(record)
    assert collect(again) == first


def test_one_bad_row_among_many_is_refused_with_its_line(
    collect: Collect, rows: Callable[..., Path]
) -> None:
    bad = [b"{half", b"[1]", b"7", b'{"content": 7}', b"\xff\xfe", b"[" * 100_000, b"{}"]
    good = [{"content": f"x = {n}"} for n in range(3)]
    outcomes = collect(rows(good[0], *bad, *good[1:]))
    assert reasons(outcomes) == ["ok", *["bad_row"] * len(bad), "ok", "ok"]
    half = outcomes[1]
    assert isinstance(half, Rejection)
    assert half.stage == "collect"
    assert half.detail.startswith("line 2: it is not JSON")
    assert len({outcome.record_id for outcome in outcomes if isinstance(outcome, Rejection)}) == 7


def test_a_line_longer_than_any_row_is_passed_over(
    collect: Collect, rows: Callable[..., Path]
) -> None:
    long = json.dumps({"content": "x" * (17 << 20)}).encode()
    outcomes = collect(rows({"content": "x = 1"}, long, {"content": "x = 2"}))
    assert reasons(outcomes) == ["ok", "too_large", "ok"]


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_compressed_rows_are_read(
    collect: Collect, rows: Callable[..., Path], tmp_path: Path, ending: str
) -> None:
    plain = rows({"content": "x = 1"}, {"content": "x = 2"}).read_bytes()
    packed = gzip.compress(plain) if ending == "gz" else zstandard.compress(plain)
    path = tmp_path / f"packed.jsonl.{ending}"
    path.write_bytes(packed)
    assert reasons(collect(path)) == ["ok", "ok"]


def test_parquet_is_read_like_json_lines(
    collect: Collect, rows: Callable[..., Path], tmp_path: Path
) -> None:
    data = [
        SAMPLED | {"path": "a.py", "license": "mit", "embedding": [1.0]},
        SAMPLED | {"code_sample": None, "path": "b.py", "license": None, "embedding": None},
    ]
    parquet = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(data), parquet, row_group_size=1)
    first, second = collect(parquet)
    assert isinstance(first, RawFile)
    assert (first.path, first.licence) == ("a.py", "MIT")
    like = only_file(collect(rows(SAMPLED | {"license": "mit"}))).program
    assert (like.code, like.scores, like.entry_point, like.input_generator) == (
        first.program.code,
        first.program.scores,
        first.program.entry_point,
        first.program.input_generator,
    )
    assert reasons([second]) == ["bad_row"]
    assert isinstance(second, Rejection)
    assert "row 2" in second.detail


def test_a_parquet_row_that_is_not_utf8_is_refused_alone(collect: Collect, tmp_path: Path) -> None:
    broken = pa.array([b"x = 1", b"\xff\xfe", b"x = 2"]).view(pa.string())
    parquet = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"content": broken}), parquet)
    assert reasons(collect(parquet)) == ["ok", "bad_row", "ok"]


def test_a_folder_of_shards_is_read_in_the_order_of_names(
    collect: Collect, rows: Callable[..., Path], tmp_path: Path
) -> None:
    rows({"content": "x = 2"}, name="b.jsonl")
    rows({"content": "x = 1"}, name="a.jsonl")
    outcomes = collect(tmp_path)
    assert [outcome.content for outcome in outcomes if isinstance(outcome, RawFile)] == [
        "x = 1",
        "x = 2",
    ]
    assert isinstance(outcomes[0], RawFile)
    assert outcomes[0].path == "a.jsonl, line 1"


def test_the_measuring_data_are_recognised(collect: Collect, data: Path) -> None:
    parsed = collect(data / "pyedu_parsed.jsonl", limit=20)
    sampled = collect(data / "reasoning_gym_codeio.jsonl", limit=20)
    for outcome in (*parsed, *sampled):
        assert isinstance(outcome, RawFile)
        assert outcome.program.code
        assert outcome.program.problem_statement
        assert outcome.program.seed_inputs or outcome.program.input_generator
