"""The whole recipe with a real language model on the CPU, from raw files to a data set."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from codeio.v1.records_pb2 import Verdict
from tests.language_model.small_model import MODEL
from tests.pipeline.conftest import CODE
from tests.pipeline.test_language_model import Runs

SERVER = Path(__file__).parents[1] / "language_model/small_model.py"


# On two cores that others use too a model, even a small one, takes its time.
@pytest.mark.timeout(900)
async def test_a_real_model_reasons_and_revises_and_its_samples_are_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    for name in ("bisection.py", "letters.py"):
        (folder / name).write_text(CODE[name])
    runs = Runs(tmp_path)
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        SERVER,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert server.stdout
        url = (await server.stdout.readline()).decode().strip()
        assert url.startswith("http"), "the model could not be served"
        done = await runs.call(
            "run", "code", "--out", "out", "--teacher", "openai", "--normalizer", "static+teacher",
            url=url, model=MODEL, max_tokens=80, stream="true",
        )  # fmt: skip
    finally:
        server.terminate()
        await server.communicate()
    assert done.code == 0, done.stderr
    samples, report = runs.samples(), runs.report()
    assert len(samples) >= 8
    assert report["teacher"]["answered"] == report["attempts"]
    assert report["teacher"]["completion_tokens"] > 10 * report["attempts"]
    for sample in samples:
        last = sample.turns[-1]
        assert last.response
        assert last.usage.completion_tokens > 0
        assert last.finish_reason in {"stop", "length"}
        assert len(sample.turns) == 1 + (sample.turns[0].verdict != Verdict.VERDICT_CORRECT)
    rows = sum(report["dataset"]["rows"]["codeio"].values())
    assert rows == len(samples)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{MODEL}: {report['samples_correct']} of {len(samples)} samples right, "
            f"statements {report['statements']}, verdicts {report['verdicts']}\n"
        )
