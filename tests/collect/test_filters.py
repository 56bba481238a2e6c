"""The filters, and that a collection goes on where it was interrupted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from codeio.collect import Collector
from codeio.runtime.errors import UsageError
from codeio.runtime.settings import CollectSettings
from codeio.v1.records_pb2 import RawFile, Rejection
from tests.collect.conftest import only_file, reasons

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.collect.conftest import Collect

LONG = "the quick brown fox jumps over the lazy dog and then it runs far away from here"


def test_a_file_over_the_limit_is_too_large(collect: Collect, rows: Callable[..., Path]) -> None:
    fits, over, wide = "x" * 100, "x" * 101, "#" + "é" * 50
    outcomes = collect(
        *(rows({"content": fits}, {"content": over}, {"content": wide}),), max_bytes=100
    )
    assert reasons(outcomes) == ["ok", "too_large", "too_large"]


def test_exact_duplicates_are_refused_whatever_their_line_ends(
    collect: Collect, rows: Callable[..., Path]
) -> None:
    source = rows({"content": "x = 1\n"}, {"content": "\ufeffx = 1\r\n"}, {"content": "x = 1"})
    outcomes = collect(source)
    assert reasons(outcomes) == ["ok", "duplicate", "ok"]
    first, second, _ = outcomes
    assert isinstance(first, RawFile)
    assert isinstance(second, Rejection)
    assert second.record_id != first.file_id


def test_contents_that_differ_are_never_duplicates(
    collect: Collect, rows: Callable[..., Path]
) -> None:
    source = rows(*({"content": f"x = {n}"} for n in range(2000)))
    assert reasons(collect(source)) == ["ok"] * 2000


def test_a_copy_of_a_refused_file_is_judged_for_itself(
    collect: Collect, rows: Callable[..., Path]
) -> None:
    source = rows(
        {"content": "x = 1", "license": "GPL-3.0-only"}, {"content": "x = 1", "license": "MIT"}
    )
    assert reasons(collect(source)) == ["licence:GPL-3.0-only", "ok"]


@pytest.mark.parametrize(
    ("licence", "reason"),
    [
        ("MIT", "ok"),
        (["MIT", "Apache-2.0"], "ok"),
        ("MIT OR GPL-3.0-only", "ok"),
        ("GPL-3.0-only", "licence:GPL-3.0-only"),
        (["MIT", "GPL-3.0-only"], "licence:GPL-3.0-only AND MIT"),
        ("unknown", "ok"),
        ("BSD", "ok"),
        ("ACME, all yours", "licence:LicenseRef-ACME-all-yours"),
        (None, "ok"),
        ([], "ok"),
    ],
)
def test_the_licence_of_a_row_is_heeded(
    collect: Collect, rows: Callable[..., Path], licence: Any, reason: str
) -> None:
    assert reasons(collect(rows({"content": "x = 1", "licenses": licence}))) == [reason]


def test_a_notice_in_the_file_goes_above_the_row(
    collect: Collect, rows: Callable[..., Path]
) -> None:
    content = "# SPDX-License-Identifier: GPL-2.0-only\nx = 1\n"
    outcomes = collect(rows({"content": content, "license": "MIT"}))
    assert reasons(outcomes) == ["licence:GPL-2.0-only"]


def test_unknown_licences_can_be_refused(collect: Collect, rows: Callable[..., Path]) -> None:
    source = rows({"content": "x = 1"}, {"content": "x = 2", "license": "MIT"})
    assert reasons(collect(source, unknown_licence="refuse")) == ["unknown_licence", "ok"]
    assert reasons(collect(source, licences=("ISC",))) == ["ok", "licence:MIT"]


def test_what_shares_thirteen_tokens_with_a_benchmark_is_refused(
    collect: Collect, rows: Callable[..., Path], tmp_path: Path
) -> None:
    text, table = tmp_path / "bench.txt", tmp_path / "bench.jsonl"
    text.write_text(LONG)
    table.write_text(json.dumps({"id": 1, "turns": [{"question": LONG.upper()}]}) + "\n")
    words = LONG.split()
    thirteen, twelve = "-".join(words[2:15]), " ".join(words[2:14])
    source = rows(
        {"content": f"x = '{thirteen}'"},
        {"content": f"x = '{twelve}'"},
        {"refcode": "def main_solution(): return 1", "problem_description": LONG},
    )
    for benchmark in (text, table):
        outcomes = collect(source, benchmarks=(benchmark,))
        assert reasons(outcomes) == ["contaminated", "ok", "contaminated"]
        assert isinstance(outcomes[0], Rejection)
        assert "brown fox jumps" in outcomes[0].detail
    assert reasons(collect(source)) == ["ok", "ok", "ok"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"not json"])
def test_a_benchmark_that_cannot_be_read_stops_the_collection(
    rows: Callable[..., Path], tmp_path: Path, content: bytes | None
) -> None:
    benchmark = tmp_path / "bench.jsonl"
    if content is not None:
        benchmark.write_bytes(content)
    collector = Collector(CollectSettings(benchmarks=(benchmark,)))
    with pytest.raises(UsageError, match=r"bench\.jsonl"):
        next(collector.collect([str(rows({"content": "x = 1"}))]))


def test_python_2_arrives_as_python_3(collect: Collect, rows: Callable[..., Path]) -> None:
    taken = only_file(collect(rows({"refcode": "def main_solution(a):\n    print a\n"})))
    assert taken.content == taken.program.code == "def main_solution(a):\n    print(a)\n"


def test_a_limit_counts_what_is_looked_at(collect: Collect, rows: Callable[..., Path]) -> None:
    source = rows(*({"content": f"x = {n // 2}"} for n in range(6)))
    assert reasons(collect(source, source, limit=3)) == ["ok", "duplicate", "ok"]
    assert collect(source, limit=0) == []
    assert len(collect(source, source, limit=100)) == 12


def test_a_resumed_collection_gives_exactly_the_rest(
    collect: Collect, rows: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "a.py").write_text("x = 0\n")
    (folder / "b.py").write_text("x = 'tree'\n")
    source = rows(
        {"content": "x = 0\n"},
        {"content": "def f(:"},
        {"content": "x = 1", "license": "GPL-3.0-only"},
        b"not json",
        {"content": "x = 1"},
        {"content": "def f(:"},
        {"content": "x = 1"},
        same := {"refcode": "def main_solution(): return 1"},
        same,
        {"content": "x = 'tree'\n"},
    )
    for limit in (None, 7):
        whole = collect(source, folder, limit=limit)
        for skip in range(len(whole) + 2):
            assert collect(source, folder, skip=skip, limit=limit) == whole[skip:]
