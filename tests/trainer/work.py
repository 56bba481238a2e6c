"""What processes of the tests do."""

from __future__ import annotations

import math
import os
import shutil
import signal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.distributed import distributed_c10d as c10d
from torch.distributed.tensor import DTensor

from codeio.trainer import loop, parallel
from codeio.trainer import stage as stages
from codeio.trainer.checkpoints import Checkpoints
from codeio.trainer.data import MicroBatch
from codeio.trainer.group import Group
from codeio.trainer.model import Learner, empty_model, read_model
from codeio.trainer.optimiser import adamw, clip
from codeio.trainer.parallel import Parallel, spread
from codeio.trainer.stage import run_stage
from codeio.trainer.stopping import Stop
from codeio.trainer.throughput import Work
from codeio.trainer.trained import Position
from codeio.trainer.word import Word
from codeio.training_run.manifest import parse_manifest
from codeio.training_run.outcomes import RunError
from codeio.training_run.places import Places
from codeio.training_run.recipes import Stage
from codeio.training_run.spec import Execution, Model

if TYPE_CHECKING:
    from datetime import timedelta

    from transformers import PreTrainedModel

CPU = torch.device("cpu")
STAGE = Stage(
    name="reasoning",
    sources=(),
    learning_rate=0.01,
    final_learning_rate=0.01,
    schedule="Constant",
    warmup_steps=0,
    batch_size=4,
    steps=4,
    max_length=64,
    long_samples="Drop",
    loss="Answers",
    weight_decay=0.1,
    beta1=0.9,
    beta2=0.95,
    epsilon=1e-8,
    gradient_clipping=1.0,
)


def samples_of(step: int, *, count: int = 4) -> list[MicroBatch]:
    """Return samples, each in a row of its own, that say the same at each call."""
    random = np.random.default_rng(step)
    rows = []
    for number in range(count):
        ids = random.integers(5, 300, int(random.integers(3, 12)))
        labels = np.append(ids[1:], -100)
        labels[: number % 3] = -100
        rows.append(
            MicroBatch(
                samples=(number,),
                input_ids=ids,
                position_ids=np.arange(len(ids)),
                labels=labels,
                boundaries=np.array([0, len(ids)], dtype=np.int32),
            )
        )
    return rows


def packed(rows: list[MicroBatch]) -> MicroBatch:
    """Return one row that holds others."""
    ends = np.cumsum([len(each.input_ids) for each in rows])
    return MicroBatch(
        samples=tuple(each.samples[0] for each in rows),
        input_ids=np.concatenate([each.input_ids for each in rows]),
        position_ids=np.concatenate([each.position_ids for each in rows]),
        labels=np.concatenate([each.labels for each in rows]),
        boundaries=np.concatenate([[0], ends]).astype(np.int32),
    )


def learner_of(folder: Path, group: Group, execution: Execution) -> Learner:
    model = Model(path=str(folder))
    read = read_model if group.first else empty_model
    narrow = execution.precision == "BFloat16"
    return Learner(read(model, folder), dtype=torch.bfloat16 if narrow else torch.float32)


def take_steps(parallel: Parallel, optimiser: torch.optim.Optimizer, steps: range) -> list[Any]:
    """Train by hand: return loss and norm of each step."""
    group, figures = parallel.group, []
    for step in steps:
        rows = samples_of(step)
        learnt = sum(int((each.labels >= 0).sum()) for each in rows)
        own = rows[group.rank :: group.world]
        summed = torch.zeros(())
        for number, row in enumerate(own, 1):
            summed += parallel.backward(row, share=1 / learnt, last=number == len(own))
        norm = clip(parallel.learner, largest=1.0)
        optimiser.step()
        optimiser.zero_grad()
        figures.append((float(summed) / learnt, norm))
    return figures


def train_by_hand(folder: Path, execution: Execution, checkpoints: Path) -> dict[str, Any]:
    """Take four steps with a checkpoint after the second; tell what lies in this process."""
    group = Group.of_environment(gpus=False)
    with group.joined() as joined:
        learner = learner_of(folder, group, execution)
        parallel = spread(learner, execution, group)
        optimiser = adamw(learner, STAGE, device=group.device)
        store = Checkpoints(folder=checkpoints, keep=2, joined=joined, asked={}, say=print)
        position = store.load(learner, optimiser)
        figures = take_steps(parallel, optimiser, range(position.step, 2))
        if position.step < 2:
            store.save(learner, optimiser, Position(step=2))
        figures += take_steps(parallel, optimiser, range(2, 4))
        own = {
            name: (isinstance(each, DTensor), _own_size(each), each.numel())
            for name, each in learner.named_parameters()
        }
        moments = sum(_own_size(each["exp_avg"]) for each in optimiser.state.values())
        losses = [joined.total([loss])[0] for loss, _ in figures]
        return {
            "losses": losses,
            "norms": [norm for _, norm in figures],
            "parameters": own,
            "moments": moments,
        }


def _own_size(tensor: torch.Tensor) -> int:
    return tensor.to_local().numel() if isinstance(tensor, DTensor) else tensor.numel()


def stage(manifest: dict[str, Any], trap: str | None = None) -> dict[str, Any]:
    """Run a stage as a pod's process does; `trap` says what befalls it and when."""
    run = parse_manifest(manifest, source="test")
    stop = Stop()
    if trap:
        _set(trap, stop)
    said: list[str] = []
    Word.say = lambda _, line: said.append(line)  # type: ignore[method-assign]
    try:
        with TemporaryDirectory() as folder:
            word = Word(Path(folder), int(os.environ["RANK"]), "reasoning")
            outcome = run_stage(run, "reasoning", Places(run=run), stop=stop, word=word)
    except RunError as error:
        return {"reason": error.reason, "message": str(error), "code": error.exit_code}
    return {"reason": outcome.reason, "details": outcome.details, "code": 0, "said": said}


def deadlines(manifest: dict[str, Any]) -> dict[str, timedelta]:
    """Run a stage; return the deadline of collectives in its parts."""
    found = {}

    def noted(part: str, call: Any) -> Any:
        def noting(*arguments: Any, **options: Any) -> Any:
            found[part] = c10d._get_default_group()._get_backend(CPU).options._timeout
            return call(*arguments, **options)

        return noting

    for part, owner, name in (
        ("scatter", parallel, "set_model_state_dict"),
        ("step", loop, "_sow"),
        ("gather", stages, "get_model_state_dict"),
    ):
        setattr(owner, name, noted(part, getattr(owner, name)))
    assert stage(manifest)["code"] == 0
    return found


def losing_its_model(manifest: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Run a stage on a device whose peak is known, and take away the model that it began with.

    Returns:
        How it ended, and how often the model's work was counted.
    """
    models = []

    class Counted(Work):
        def __init__(self, model: PreTrainedModel) -> None:
            models.append(model)
            super().__init__(model)

    def lose(*_: int) -> None:
        shutil.rmtree(manifest["spec"]["model"]["path"], ignore_errors=True)

    loop.peak_of, loop.Work, loop._sow = lambda _: 1e12, Counted, lose  # type: ignore[misc]
    return stage(manifest), len(models)


_ERRORS = {"memory": MemoryError("too much"), "bug": KeyError("x")}


def _set(trap: str, stop: Stop) -> None:
    """Have something befall this process: `WHAT@STEP/RANK`."""
    what, _, when = trap.partition("@")
    step, rank = (int(each) for each in when.split("/"))
    if int(os.environ["RANK"]) != rank:
        return
    if what.endswith("-in-save"):
        _set_in_save(what, step)
        return
    sow, backward = loop._sow, Parallel.backward

    def befall(seed: int, now: int, own: int) -> None:
        sow(seed, now, own)
        if now == step:
            happen()

    def happen() -> None:
        match what:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stop":
                stop.asked = True
            case "nan":
                Parallel.backward = lambda *row, **how: backward(*row, **how) * math.nan  # type: ignore
            case _:
                raise _ERRORS[what]

    loop._sow = befall


def _set_in_save(what: str, step: int) -> None:
    own = Checkpoints._own

    def fail(self: Checkpoints, folder: Path) -> Any:
        if f"step-{step:08}" in folder.name:
            if what == "full-in-save":
                raise OSError(28, "No space left on device")
            os.kill(os.getpid(), signal.SIGKILL)
        return own(self, folder)

    Checkpoints._own = fail  # type: ignore[method-assign]
