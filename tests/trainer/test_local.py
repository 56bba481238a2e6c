"""All steps of a run, one after another, on this machine."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from codeio import evaluation
from codeio.trainer import local
from codeio.trainer.launch import Node
from codeio.trainer.local import train_locally
from codeio.trainer.word import Ended
from codeio.training_run.manifest import parse_manifest
from codeio.training_run.outcomes import ExitCode, Outcome, Reason
from codeio.training_run.places import Places
from tests.command import exit_code
from tests.trainer.test_stage import manifest

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def interrupted(*_: object, **__: object) -> Any:
    signal.raise_signal(signal.SIGINT)
    pytest.fail("the signal was not heeded")


def done(*_: object, **__: object) -> Outcome:
    return Outcome(Reason.COMPLETED, "done", {"scores": []})


@pytest.mark.parametrize(
    ("module", "name", "said"),
    [
        (evaluation, "__getattr__", "interrupted"),  # while what evaluates is imported
        (evaluation, "evaluate_run", "told to stop: start it again to go on"),
        (local, "outcome_of_trained", "interrupted"),
    ],
)
def test_an_interrupt_is_told_in_a_line_wherever_it_comes(
    module: ModuleType,
    name: str,
    said: str,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "run.yaml"
    described = manifest(tmp_path, tmp_path, evaluation={"suites": ["gsm8k"]})
    file.write_text(yaml.safe_dump(described), encoding="utf-8")
    monkeypatch.setattr(evaluation, "evaluate_run", done)
    monkeypatch.setattr(module, name, interrupted, raising=False)
    if name == "__getattr__":
        monkeypatch.delattr(evaluation, "evaluate_run")
    assert exit_code("train", "-f", file, "--local") == 130
    assert capsys.readouterr().err.splitlines()[-1] == f"codeio: {said}"


def test_who_trains_locally_hears_that_secrets_are_a_clusters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = {"envFrom": [{"secretRef": {"name": "hub"}}]}
    described = manifest(tmp_path / "none", tmp_path, workers=workers)
    run = parse_manifest(described, source="test")
    monkeypatch.setattr(
        "codeio.trainer.local.run_step", lambda *_, **__: Outcome(Reason.DISRUPTED, "")
    )
    said: list[str] = []
    train_locally(run, Places(run=run), say=said.append)
    [told] = said
    assert "workers.envFrom" in told


@pytest.mark.parametrize(
    ("processes", "told"),
    [(1, "reasoning: starts 1 process"), (2, "reasoning: starts 2 processes")],
)
def test_processes_are_told_of_before_they_start(
    processes: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = manifest(tmp_path, tmp_path, workers={"processesPerNode": processes})
    run = parse_manifest(described, source="test")
    said: list[str] = []

    def launch(*_: object, **__: object) -> Ended:
        assert said == [told]
        return Ended(ExitCode.DONE, Outcome(Reason.COMPLETED, "done"))

    monkeypatch.setattr(local, "launch", launch)
    local.run_step(run, "reasoning", Places(run=run), node=Node(), say=said.append)
    assert said == [told]
