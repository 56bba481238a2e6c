"""`codeio run` and its stages one by one, on real sandboxes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from codeio.runtime.jsonl import read_records
from codeio.v1.records_pb2 import ExecutedProgram, Rejection, Sample, Verdict
from tests.pipeline.conftest import COMMAND

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.conftest import Codeio

FILES = (
    "programs.jsonl.zst",
    "executions.jsonl.zst",
    "samples.jsonl.zst",
    "rejections.jsonl.zst",
)


def contents(folder: Path) -> dict[str, bytes]:
    """Return what must not depend on how a run went: its records and its data set."""
    made = {name: (folder / name).read_bytes() for name in FILES}
    for path in sorted((folder / "dataset").rglob("*")):
        # The card names the run's own folder in its command.
        if path.is_file() and path.suffix in {".parquet", ".jsonl"}:
            made[str(path.relative_to(folder))] = path.read_bytes()
    return made


def test_run_makes_a_verified_data_set(codeio: Codeio, code: Path, tmp_path: Path) -> None:
    done = codeio("run", code, "--out", "out", "--json")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    report = json.loads((out / "report.json").read_text())
    assert report["raw_files"] == 5
    assert report["files_with_program"] == 3
    assert report["programs"] >= 4
    assert report["samples"] == report["samples_correct"] == 4 * report["programs"]
    assert report["rejections"]["collect"] == {"not_parseable": 1}
    assert report["rejections"]["normalizer"] == {"impure:file": 1}
    assert set(report["seconds"]) >= {"collect", "normalizer", "executor", "verifier"}
    assert "<html" in (out / "report.html").read_text()
    samples = list(read_records(out / "samples.jsonl.zst", Sample))
    assert all(s.verdict == Verdict.VERDICT_CORRECT and s.claims_checked for s in samples)
    assert json.loads(done.stdout)["samples"] == len(samples)


def test_a_killed_run_goes_on_and_ends_as_one_that_nobody_touched(
    codeio: Codeio, code: Path, tmp_path: Path
) -> None:
    untouched, killed = tmp_path / "untouched", tmp_path / "killed"
    assert codeio("run", code, "--out", untouched).returncode == 0
    command = [COMMAND, "run", code, "--out", killed]
    for _ in range(3):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        # Long enough to be in the middle of it, whatever the machine is busy with.
        try:
            process.wait(timeout=4)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    done = codeio("run", code, "--out", killed)
    assert done.returncode == 0, done.stderr
    assert contents(killed) == contents(untouched)


def test_ctrl_c_ends_a_run_that_can_go_on(code: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        [COMMAND, "run", code, "--out", out], stderr=subprocess.PIPE, text=True
    )
    while not (out / "log.sqlite").exists() and process.poll() is None:
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130, told
    assert "goes on" in told
    assert "Traceback" not in told


def test_a_folder_of_a_run_with_other_settings_is_refused(
    codeio: Codeio, code: Path, tmp_path: Path
) -> None:
    assert codeio("run", code, "--out", "out", "--limit", "1").returncode == 0
    before = (tmp_path / "out" / "report.json").read_bytes()
    done = codeio("run", code, "--out", "out", "--limit", "1", "--seed", "7")
    assert done.returncode == 2
    assert "seed was 0, is 7" in done.stderr
    assert (tmp_path / "out" / "report.json").read_bytes() == before


def test_stages_one_by_one_make_what_the_run_makes(
    codeio: Codeio, code: Path, tmp_path: Path
) -> None:
    steps = (
        ("collect", code, "--out", "raw.jsonl.zst"),
        ("normalize", "raw.jsonl.zst", "--out", "programs.jsonl.gz"),
        ("execute", "programs.jsonl.gz", "--out", "executions.jsonl", "--tasks", "tasks.jsonl"),
        ("generate", "tasks.jsonl", "--out", "attempts.jsonl"),
        ("verify", "attempts.jsonl", "--out", "samples.jsonl"),
        ("export", "samples.jsonl", "--out", "dataset", "--format", "messages"),
    )
    for step in steps:
        done = codeio(*step)
        assert done.returncode == 0, done.stderr
    assert codeio("run", code, "--out", "out").returncode == 0

    def ids(path: str) -> Counter[str]:
        return Counter(s.sample_id for s in read_records(tmp_path / path, Sample))

    assert ids("samples.jsonl") == ids("out/samples.jsonl.zst")
    reasons = [r.reason for r in read_records(tmp_path / "raw.rejections.jsonl", Rejection)]
    assert reasons == ["not_parseable"]
    executed = list(read_records(tmp_path / "executions.jsonl", ExecutedProgram))
    assert all(len(e.pairs) >= 5 and e.distinct_outputs > 1 for e in executed)


def test_verify_writes_one_sample_per_attempt_in_order(codeio: Codeio, tmp_path: Path) -> None:
    program = {
        "program_id": "p",
        "code": "def main_solution(n):\n    return n * n\n",
        "entry_point": "main_solution",
    }

    def attempt(number: int, direction: str, response: str) -> str:
        return json.dumps(
            {
                "sample_id": f"foreign-{number}",
                "task": {
                    "task_id": f"t{number}",
                    "program": program,
                    "pair": {"input_json": '{"n": 3}', "output_json": "9"},
                    "direction": direction,
                },
                "turns": [{"response": response}],
                "turns_left": 1,
            }
        )

    output, given = "DIRECTION_OUTPUT_PREDICTION", "DIRECTION_INPUT_PREDICTION"
    answers = [
        (output, '```json\n{"output": 9}\n```', "VERDICT_CORRECT"),
        (output, '{"output": 10}', "VERDICT_WRONG"),
        (output, "I do not know.", "VERDICT_UNPARSABLE"),
        (given, '{"input": {"n": -3}}', "VERDICT_CORRECT"),
        (given, '{"input": {"n": 4}}', "VERDICT_WRONG"),
        (given, '{"input": {"n": "x"}}', "VERDICT_FAILED"),
    ]
    lines = [attempt(i, d, r) for i, (d, r, _) in enumerate(answers)]
    done = codeio("verify", "-", "--out", "-", stdin="\n".join(lines) + "\n")
    assert done.returncode == 0, done.stderr
    samples = [json.loads(line) for line in done.stdout.splitlines()]
    assert [s["sample_id"] for s in samples] == [f"foreign-{i}" for i in range(len(answers))]
    assert [s["verdict"] for s in samples] == [verdict for _, _, verdict in answers]


@pytest.mark.parametrize("command", ["run", "collect", "normalize", "execute", "verify", "export"])
def test_help_has_an_example(codeio: Codeio, command: str) -> None:
    assert f"codeio {command}" in codeio(command, "--help").stdout.split("Example:")[1]
