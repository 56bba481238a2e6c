"""The steps of a stage."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from codeio.trainer.optimiser import clip, learning_rate, set_learning_rate
from codeio.trainer.progress import Step
from codeio.trainer.stopping import stopped
from codeio.trainer.throughput import Work, peak_of
from codeio.trainer.trained import Position
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.trainer.checkpoints import Checkpoints
    from codeio.trainer.data import Corpus, MicroBatch
    from codeio.trainer.group import Joined
    from codeio.trainer.parallel import Parallel
    from codeio.trainer.progress import Reporter
    from codeio.trainer.stopping import Stop
    from codeio.training_run.recipes import Stage


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Trains a learner on a corpus; all processes run it together."""

    stage: Stage
    seed: int
    every_steps: int
    """Between checkpoints."""
    tokens_per_device: int
    parallel: Parallel
    optimiser: torch.optim.Optimizer
    corpus: Corpus
    checkpoints: Checkpoints
    joined: Joined
    stop: Stop
    reporter: Reporter | None
    """Of the first process alone."""

    def run(self, position: Position) -> Position:
        """Go on to the last step; each ends up in a checkpoint, or in one soon after.

        Raises:
            RunError: a loss or gradient is not finite, before anything is made of it; or the
                processes are told to stop, after they have saved.
            OSError: a checkpoint cannot be written.
        """
        with self.stop.deferred():
            while position.step < self.corpus.steps:
                position, told_to_stop = self._step(position)
                last = position.step == self.corpus.steps
                if told_to_stop or last or position.step % self.every_steps == 0:
                    seconds = self.checkpoints.save(self.parallel.learner, self.optimiser, position)
                    if self.reporter:
                        self.reporter.saved(position.step, seconds)
                if told_to_stop:
                    raise stopped(f" after step {position.step}, which is saved")
        return position

    def _step(self, position: Position) -> tuple[Position, bool]:
        begun = time.perf_counter()
        step, group = position.step, self.joined.group
        _sow(self.seed, step, group.rank)
        rate = learning_rate(self.stage, step, self.corpus.steps)
        set_learning_rate(self.optimiser, rate)
        batch = self.corpus.batch(
            step, rank=group.rank, world=group.world, tokens_per_device=self.tokens_per_device
        )
        summed = torch.zeros((), dtype=torch.float32, device=group.device)
        for number, row in enumerate(batch.rows, 1):
            last = number == len(batch.rows)
            summed += self.parallel.backward(row, share=1 / batch.learnt, last=last)
        norm = clip(self.parallel.learner, largest=self.stage.gradient_clipping)
        total, stops = self.joined.total([summed, float(self.stop.asked)])
        loss = total / batch.learnt
        if not (math.isfinite(loss) and math.isfinite(norm)):
            what = "loss" if not math.isfinite(loss) else "gradient"
            raise self._not_finite(what, step)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        seconds = time.perf_counter() - begun
        done = Position(step=step + 1, tokens=position.tokens + batch.tokens, loss=loss)
        if self.reporter:
            speed = batch.tokens / seconds
            self.reporter.stepped(
                Step(
                    step=done.step,
                    loss=loss,
                    learning_rate=rate,
                    gradient_norm=norm,
                    tokens=done.tokens,
                    tokens_per_second=speed,
                    seconds=seconds,
                    utilisation=self._utilisation(speed, batch.rows),
                )
            )
        return done, stops > 0

    def _not_finite(self, what: str, step: int) -> RunError:
        narrow = self.parallel.learner.dtype is not torch.float32
        return RunError(
            Reason.NON_FINITE_LOSS,
            f"the {what} of step {step + 1} of {self.stage.name} is not finite:"
            f" {'set execution.precision to Float32, or ' if narrow else ''}lower learningRate or"
            " add warmupSteps in a run of another name",
        )

    def _utilisation(self, speed: float, rows: Sequence[MicroBatch]) -> float | None:
        group = self.joined.group
        peak = peak_of(group.device)
        if peak is None:
            return None
        lengths = np.concatenate([np.diff(each.boundaries) for each in rows]).astype(np.float64)
        # The mean over tokens of how long their sample is: a token reads its sample alone.
        length = float((lengths**2).sum() / max(1.0, lengths.sum()))
        return self._work.flops(length) * speed / (peak * group.world)

    @cached_property
    def _work(self) -> Work:
        return Work(self.parallel.learner.model)


def _sow(seed: int, step: int, rank: int) -> None:
    """Seed all that is random in a step: dropout, if the model has any."""
    (drawn,) = np.random.SeedSequence([seed, step, rank]).generate_state(1).tolist()
    random.seed(drawn)
    np.random.seed(drawn)
    torch.manual_seed(drawn)
