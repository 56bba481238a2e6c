"""Two do not work in the folder of one run at once."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from codeio.trainer import local, lock
from codeio.trainer.launch import Node
from codeio.trainer.local import run_step, train_locally
from codeio.trainer.lock import run_alone, step_alone
from codeio.training_run.manifest import parse_manifest
from codeio.training_run.outcomes import ExitCode, Outcome, Reason, RunError
from codeio.training_run.places import Places
from tests.trainer.ranks import run_ranks
from tests.trainer.test_stage import manifest
from tests.trainer.work import stage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Of a run that trains and is evaluated before and after."""
    described = manifest(tmp_path / "none", tmp_path, evaluation={"suites": ["gsm8k"]})
    return Places(run=parse_manifest(described, source="test"))


def test_a_run_is_trained_by_one_command_from_its_first_step_to_its_last(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []

    def at_once(_: object, step: str, *__: object, **___: object) -> Outcome:
        with pytest.raises(RunError, match="another process trains this run in") as caught:
            train_locally(places.run, places, say=print)
        assert caught.value.exit_code is ExitCode.USER_ERROR
        steps.append(step)
        return Outcome(Reason.DISRUPTED, "")

    monkeypatch.setattr(local, "run_step", at_once)
    for _ in range(2):  # and then another one may
        train_locally(places.run, places, say=print)
    assert steps == ["evaluate-before", "reasoning", "evaluate-after"] * 2


def test_a_stage_does_not_begin_beside_what_is_left_of_an_earlier_start(
    tiny_model: Path, tmp_path: Path
) -> None:
    described = manifest(tiny_model, tmp_path)
    with step_alone(tmp_path / "runs/tiny"):
        [ended] = run_ranks(1, stage, described)
    assert (ended["reason"], ended["code"]) == (Reason.DISRUPTED, ExitCode.DISRUPTED)
    assert "started earlier still works in" in ended["message"]
    assert not (tmp_path / "runs/tiny/data").exists()


def test_an_evaluation_does_not_either(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codeio.evaluation.evaluate_run", lambda *_, **__: Outcome("", "done"))

    def evaluated() -> Outcome:
        return run_step(places.run, "evaluate-after", places, node=Node(), say=print)

    with step_alone(places.folder), pytest.raises(RunError, match="still works in") as caught:
        evaluated()
    assert caught.value.exit_code is ExitCode.DISRUPTED
    assert evaluated().message == "done"


def test_where_nothing_can_be_locked_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with run_alone(tmp_path / "file"):  # where no file can be made
        pass

    def flock(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with run_alone(tmp_path), run_alone(tmp_path):
        pass
