"""The report of a run: its figures, its page and its lines in a terminal."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import codeio
from codeio.report import Report, summarise, terminal_summary, write_report
from codeio.report.figures import Spread
from codeio.report.page import render
from codeio.report.plots import columns, octaves
from codeio.report.reasons import MEANINGS, meaning
from codeio.runtime.errors import UsageError
from codeio.runtime.jsonl import write_records
from codeio.v1.records_pb2 import ExecutedProgram, IoPair, Rejection
from tests.dataset import factory
from tests.dataset.factory import CORRECT, INPUT, OUTPUT, WRONG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message

HOSTILE = (
    '</pre></script><script>alert(1)</script><img src=x onerror="alert(2)">{{ 7*7 }}[/red]&amp;'
)


def write_run(folder: Path, **files: Iterable[Message]) -> Path:
    for name, records in files.items():
        with write_records(folder / f"{name}.jsonl.zst") as write:
            for record in records:
                write(record)
    return folder


def executed(number: int, *, pairs: int, file_id: str = "f") -> ExecutedProgram:
    return ExecutedProgram(
        program=factory.program(number, file_id=file_id),
        pairs=[IoPair(input_json=f'{{"n": {n}}}', output_json=f"{n}") for n in range(pairs)],
        python_version="3.11.7",
        lock_hash="f00d",
        distinct_outputs=pairs - 1,
    )


def rejection(number: int, stage: str, reason: str, **more: Any) -> Rejection:
    return Rejection(record_id=f"{number:04}", stage=stage, reason=reason, **more)


def report_of(folder: Path, **more: Any) -> Report:
    given: dict[str, Any] = {"raw_files": 10, "seconds": {}, "settings": {}}
    return summarise(folder, **(given | more))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    refused = factory.program(9)
    return write_run(
        tmp_path / "run",
        programs=[factory.program(0), factory.program(1), refused],
        executions=[executed(0, pairs=5), executed(1, pairs=7), executed(1, pairs=7)],
        samples=[
            factory.sample(0),
            factory.sample(0, direction=INPUT, finish_reason="derived"),
            factory.sample(1, direction=INPUT, finish_reason="search"),
            factory.sample(1, verdicts=(WRONG, CORRECT)),
            factory.sample(1, pair=1, verdicts=(WRONG, WRONG)),
            factory.sample(0),
        ],
        rejections=[
            rejection(3, "executor", "missing_package:requests", detail="import requests"),
            rejection(2, "executor", "missing_package:torch", detail="import torch"),
            rejection(4, "executor", "missing_package:torch", detail="import torch"),
            Rejection(record_id=refused.program_id, stage="executor", reason="raised"),
            rejection(1, "collect", "duplicate"),
            rejection(1, "collect", "duplicate"),
        ],
    )


def test_the_figures_count_each_record_once(run: Path) -> None:
    found = report_of(run, seconds={"executor": 2.0, "collect": 1.0}).to_json()
    expected = {
        "raw_files": 10,
        "files_with_program": 1,
        "programs_normalised": 3,
        "programs": 2,
        "pairs": 12,
        "attempts": 7,
        "samples": 5,
        "samples_correct": 4,
        "python_version": "3.11.7",
        "lock_hash": "f00d",
        "input_predictions": {"derived": 1, "search": 1},
        "input_predictions_search_share": 0.5,
        "claims": 5,
        "samples_with_claims": 5,
        "samples_with_claims_checked": 4,
        "licences": {"MIT": 2},
    }
    assert {name: found[name] for name in expected} == expected
    assert found["rejections"] == {
        "collect": {"duplicate": 1},
        "executor": {"missing_package:torch": 2, "missing_package:requests": 1, "raised": 1},
    }
    assert found["verdicts"] == {
        "DIRECTION_OUTPUT_PREDICTION": {"VERDICT_CORRECT": 2, "VERDICT_WRONG": 1},
        "DIRECTION_INPUT_PREDICTION": {"VERDICT_CORRECT": 2},
    }
    assert found["first_verdicts"]["DIRECTION_OUTPUT_PREDICTION"] == {
        "VERDICT_CORRECT": 1,
        "VERDICT_WRONG": 2,
    }
    assert found["pairs_per_program"] == {"count": 2, "median": 5, "p95": 7, "max": 7}
    assert list(found["seconds"]) == ["collect", "executor"]


def test_a_count_of_attempts_that_is_known_is_taken(run: Path) -> None:
    assert report_of(run, attempts=9).attempts == 9


def test_reasons_of_one_family_stand_together_with_the_first_example(run: Path) -> None:
    refusals = {refusal.reason: refusal for refusal in report_of(run).refusals}
    missing = refusals["missing_package"]
    assert (missing.count, missing.example.record_id) == (3, "0002")
    assert missing.variants == {"torch": 2, "requests": 1}
    assert refusals["raised"].code == factory.code(9)
    assert [refusal.stage for refusal in report_of(run).refusals] == [
        "collect",
        "executor",
        "executor",
    ]


def test_json_and_page_are_written(run: Path) -> None:
    report = report_of(run)
    write_report(report, run)
    assert json.loads((run / "report.json").read_text()) == report.to_json()
    page = (run / "report.html").read_text()
    for said in ("missing_package", "torch", "import torch", meaning("raised"), "3.11.7"):
        assert said in page
    assert not list(run.glob(".*"))


def test_an_empty_run_has_a_report(tmp_path: Path) -> None:
    report = report_of(tmp_path, raw_files=0)
    write_report(report, tmp_path / "new")
    assert json.loads((tmp_path / "new" / "report.json").read_text())["samples"] == 0
    assert "Nothing was refused." in (tmp_path / "new" / "report.html").read_text()
    assert "0" in in_terminal(report)


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")


def hostile_run(folder: Path) -> Report:
    sample = factory.sample(factory.program(0, unit=HOSTILE, source=HOSTILE, licence=HOSTILE))
    sample.task.program.code = HOSTILE
    sample.turns[0].response = HOSTILE
    sample.turns[0].prompt = HOSTILE
    sample.task.pair.input_json = json.dumps(HOSTILE)
    refused = Rejection(
        record_id=sample.task.program.program_id,
        stage=HOSTILE,
        reason=f"{HOSTILE}:{HOSTILE}",
        detail=HOSTILE,
        origin=sample.task.program.origin,
    )
    done = executed(0, pairs=5)
    done.python_version = done.lock_hash = HOSTILE
    write_run(
        folder,
        programs=[sample.task.program],
        executions=[done],
        samples=[sample],
        rejections=[refused],
    )
    dataset = {
        "rows": {HOSTILE: {HOSTILE: 1}},
        "programs": {HOSTILE: 1},
        "licences": {HOSTILE: {"programs": 1, "samples": 1}},
        "samples_correct": 1,
        "duplicates_exact": 0,
        "duplicates_near": 0,
        "samples_of_duplicates": 0,
        "samples_repeated": 0,
    }
    return report_of(folder, seconds={HOSTILE: 1.0}, settings={HOSTILE: HOSTILE}, dataset=dataset)


def test_text_from_records_is_shown_and_never_obeyed(tmp_path: Path) -> None:
    report = hostile_run(tmp_path)
    page = render(report)
    seen = _Seen()
    seen.feed(page)
    assert not seen.tags & {"script", "img", "iframe", "object", "form"}
    assert not [name for name in seen.attributes if name.startswith("on")]
    assert "49" not in page
    assert page.count("&lt;script&gt;alert(1)") > 10
    assert "[/red]" in in_terminal(report)


def test_the_page_asks_for_nothing(run: Path) -> None:
    page = render(report_of(run))
    seen = _Seen()
    seen.feed(page)
    assert "default-src 'none'; style-src 'unsafe-inline'" in seen.attributes["content"]
    assert not seen.attributes.get("src")
    assert all(target.startswith("#") for target in seen.attributes["href"])
    assert not re.search(r"url\(|@import|https?://", page)
    targets = {target.removeprefix("#") for target in seen.attributes["href"]}
    assert targets <= seen.attributes["id"]


def test_the_same_run_gives_the_same_page(run: Path) -> None:
    assert render(report_of(run)) == render(report_of(run))


def test_samples_of_every_kind_are_there_to_read(run: Path) -> None:
    kinds = {
        (sample.task.direction, len(sample.turns), sample.verdict)
        for sample in report_of(run).reading
    }
    assert kinds == {
        (OUTPUT, 1, CORRECT),
        (INPUT, 1, CORRECT),
        (OUTPUT, 2, CORRECT),
        (OUTPUT, 2, WRONG),
    }


def test_a_damaged_record_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl.zst").write_bytes(b"no archive")
    with pytest.raises(UsageError, match=r"samples\.jsonl\.zst"):
        report_of(tmp_path)


def in_terminal(report: Report) -> str:
    console = Console(width=100, record=True, file=None, force_terminal=False, quiet=False)
    with console.capture() as capture:
        console.print(terminal_summary(report))
    return capture.get()


def test_the_terminal_says_the_yield_and_the_commonest_reasons(run: Path) -> None:
    said = in_terminal(report_of(run, seconds={"executor": 2.0}, dead_letters=3))
    assert "executor 2.0 s" in said
    assert re.search(r"past the bar +1 +10\.0%", said)
    assert re.search(r"executor +missing_package +3", said)
    assert "search alone: 1 of 2 (50.0%)" in said
    assert "records that broke a stage: 3" in said


counts = st.dictionaries(st.integers(0, 5000), st.integers(1, 1000), max_size=30)


@given(counts)
def test_plots_lose_nothing(found: dict[int, int]) -> None:
    spread = Spread(counts=found)
    for bars in (
        columns(spread, noun="programs"),
        octaves(spread, noun="prompts", unit="characters"),
    ):
        shown = sum(int(bar.text.replace(",", "") or 0) for bar in bars)
        assert shown == spread.total
        assert all(0 <= bar.share <= 1 for bar in bars)
        assert not bars or max(bar.share for bar in bars) == 1


@given(counts.filter(bool), st.floats(0, 1))
def test_a_quantile_is_a_value_that_enough_do_not_exceed(
    found: dict[int, int], share: float
) -> None:
    spread = Spread(counts=found)
    value = spread.quantile(share)
    assert value in found
    assert sum(n for other, n in found.items() if other <= value) >= share * spread.total


def test_an_unknown_reason_still_reads() -> None:
    assert meaning("some_new_reason:x") == "Some new reason."


def test_every_reason_that_a_stage_gives_has_a_meaning() -> None:
    given = re.compile(r'(?:Rejected|Refusal|Failed)\((?:[\w.]+,)?\s*f?"([a-z_]+)')
    # The trainer launcher is no stage: it refuses calls, not records.
    sources = [
        each
        for each in Path(codeio.__file__).parent.rglob("*.py")
        if "trainer_launcher" not in each.parts
    ]
    found = {reason for source in sources for reason in given.findall(source.read_text())}
    assert len(found) > 20
    assert found <= MEANINGS.keys(), "add them to codeio/report/reasons.py"
