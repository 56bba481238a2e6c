"""A checkpoint is whole or it does not count, and the one before stays until the next is whole."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
import torch
from torch.distributed import HashStore  # type: ignore[attr-defined]
from torch.distributed.checkpoint.api import CheckpointException

from codeio.trainer.checkpoints import Checkpoints
from codeio.trainer.failures import failure_of
from codeio.trainer.group import Group, Joined
from codeio.trainer.model import Learner, read_model
from codeio.trainer.optimiser import adamw
from codeio.trainer.parallel import spread
from codeio.trainer.trained import Position
from codeio.training_run.outcomes import Reason, RunError
from codeio.training_run.spec import Execution, Model
from tests.trainer.work import STAGE, take_steps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRECISE = Execution(precision="Float32")


class Training:
    """A model in training whose checkpoints can be tampered with."""

    def __init__(self, model: Path, folder: Path, joined: Joined, *, keep: int = 2) -> None:
        torch.manual_seed(0)
        learner = Learner(read_model(Model(path=str(model)), model), dtype=torch.float32)
        self.parallel = spread(learner, PRECISE, joined.group)
        self.optimiser = adamw(learner, STAGE, device=joined.group.device)
        self.said: list[str] = []
        self.checkpoints = Checkpoints(
            folder=folder, keep=keep, joined=joined, asked={"seed": 1}, say=self.said.append
        )

    def go_on(self, start: int, end: int) -> list[float]:
        return [loss for loss, _ in take_steps(self.parallel, self.optimiser, range(start, end))]

    def save(self, step: int) -> None:
        self.checkpoints.save(
            self.parallel.learner, self.optimiser, Position(step=step, tokens=step * 9, loss=0.5)
        )

    def load(self) -> Position:
        return self.checkpoints.load(self.parallel.learner, self.optimiser)


@pytest.fixture
def joined() -> Iterator[Joined]:
    group = Group(rank=0, world=1, device=torch.device("cpu"), store=HashStore())
    with group.joined() as collectives:
        yield collectives


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_what_is_loaded_trains_on_exactly(tiny_model: Path, tmp_path: Path, joined: Joined) -> None:
    one = Training(tiny_model, tmp_path, joined)
    assert one.load() == Position()
    one.go_on(0, 2)
    one.save(2)
    other = Training(tiny_model, tmp_path, joined)
    assert other.load() == Position(step=2, tokens=18, loss=0.5)
    assert other.go_on(2, 5) == one.go_on(2, 5)


def test_the_newest_are_kept(tiny_model: Path, tmp_path: Path, joined: Joined) -> None:
    one = Training(tiny_model, tmp_path, joined, keep=2)
    (tmp_path / ".step-00000009.partial").mkdir()
    for step in (8, 9, 100_000_000):
        one.save(step)
    assert names(tmp_path) == ["step-00000009", "step-100000000"]
    assert one.load().step == 100_000_000


@pytest.mark.parametrize("damage", ["flip", "cut", "missing", "manifest", "moved"])
def test_a_corrupt_checkpoint_gives_way_to_the_one_before(
    damage: str, tiny_model: Path, tmp_path: Path, joined: Joined
) -> None:
    one = Training(tiny_model, tmp_path, joined, keep=1)
    one.save(1)
    one.checkpoints = Checkpoints(**{**vars(one.checkpoints), "keep": 2})
    one.save(2)
    newest = tmp_path / "step-00000002"
    shard = newest / "__0_0.distcp"
    if damage == "flip":
        written = bytearray(shard.read_bytes())
        written[len(written) // 2] ^= 1
        shard.write_bytes(written)
    elif damage == "cut":
        os.truncate(shard, 10)
    elif damage == "missing":
        shard.unlink()
    elif damage == "manifest":
        (newest / "manifest.json").write_text("{", encoding="utf-8")
    else:
        newest.rename(tmp_path / "step-00000003")
    other = Training(tiny_model, tmp_path, joined, keep=1)
    assert other.load().step == 1
    [warning] = other.said
    assert warning.startswith("warning: ")
    assert "falling back" in warning
    other.save(2)  # and what was corrupt does not count among those that are kept
    assert names(tmp_path) == ["step-00000002"]
    assert other.load().step == 2


def test_no_whole_checkpoint_ends_the_run(tiny_model: Path, tmp_path: Path, joined: Joined) -> None:
    one = Training(tiny_model, tmp_path, joined)
    one.save(1)
    (tmp_path / "step-00000001" / ".metadata").write_bytes(b"")
    with pytest.raises(RunError, match=r"no checkpoint in .* is whole") as caught:
        one.load()
    assert caught.value.reason is Reason.CHECKPOINT_CORRUPT
    assert names(tmp_path) == ["step-00000001"]


def test_checkpoints_of_other_settings_are_refused(
    tiny_model: Path, tmp_path: Path, joined: Joined
) -> None:
    one = Training(tiny_model, tmp_path, joined)
    one.save(1)
    one.checkpoints = Checkpoints(**{**vars(one.checkpoints), "asked": {"seed": 2}})
    with pytest.raises(RunError, match="made with seed = 1, and would now be made with seed = 2"):
        one.load()


def test_a_disk_that_is_really_full(tiny_model: Path, tmp_path: Path, joined: Joined) -> None:
    Training(tiny_model, tmp_path / "room", joined).save(1)
    size = sum(each.stat().st_size for each in (tmp_path / "room/step-00000001").iterdir())
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size * 3 // 2}", "none", str(disk)], check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    try:
        one = Training(tiny_model, disk / "checkpoints", joined)
        one.save(1)
        with pytest.raises(CheckpointException) as caught:
            one.save(2)
        failure = failure_of(caught.value)
        assert failure.reason is Reason.STORAGE_FULL, repr(caught.value)
        assert names(disk / "checkpoints") == ["step-00000001"]
        assert one.load().step == 1
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_manifest_tells_what_it_is_of(tiny_model: Path, tmp_path: Path, joined: Joined) -> None:
    one = Training(tiny_model, tmp_path, joined)
    one.save(7)
    told = json.loads((tmp_path / "step-00000007/manifest.json").read_text(encoding="utf-8"))
    assert (told["step"], told["tokens"], told["loss"]) == (7, 63, 0.5)
    assert set(told["files"]) == {".metadata", "__0_0.distcp"}
