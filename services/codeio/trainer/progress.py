"""Figures of the steps, for all who look at them.

The first process tells them by HTTP (/metrics for Prometheus, /progress for the launcher, /livez),
as TensorBoard's events, as JSON Lines, and as a line for people now and then. One that goes on
from a checkpoint cuts off what had been told of steps after it.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge

from codeio.runtime.atomic import write_atomically
from codeio.training_run.serving import served
from codeio.training_run.status import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from codeio.trainer.trained import Position

_LINE_SECONDS = 5.0
"""Least time between two lines for people."""
_RECENT = 0.1
"""Weight of the last step in what the time that is left is reckoned from."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a step gave."""

    step: int
    """1, 2, ..."""
    loss: float
    """Mean over the learnt tokens of the step, in nats."""
    learning_rate: float
    gradient_norm: float
    """Before it was clipped."""
    tokens: int
    """Of the samples up to here."""
    tokens_per_second: float
    seconds: float
    utilisation: float | None
    """Model FLOPs utilisation, where the device's peak is known."""


_GAUGES = {
    "step": "Steps that are done.",
    "loss": "Mean cross-entropy of the last step in nats.",
    "learning_rate": "Of the last step.",
    "gradient_norm": "Of the last step, before clipping.",
    "tokens": "Tokens of the samples so far.",
    "tokens_per_second": "Of the last step, over all processes.",
    "seconds": "Seconds of the last step.",
    "utilisation": "Model FLOPs utilisation of the last step.",
    "checkpoint_seconds": "Seconds that the last checkpoint took.",
}


class Reporter:
    """Tells of one stage, first that it is there, and from `begin` on of its steps."""

    def __init__(self, stage: str, *, say: Callable[[str], None]) -> None:
        self.progress = Progress(stage=stage)
        self.say = say
        self._said = -math.inf
        self._step_seconds: float | None = None
        self._registry = CollectorRegistry()
        self._gauges = {
            name: Gauge(f"codeio_training_{name}", text, ["stage"], registry=self._registry)
            for name, text in _GAUGES.items()
        }

    def begin(self, position: Position, *, steps: int, folder: Path) -> None:
        """Tell of steps from a position on, by files in the run's folder too."""
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  (slow)

        stage = self.progress.stage
        self.progress = Progress(
            stage=stage,
            step=position.step,
            steps=steps,
            tokens=position.tokens,
            loss=position.loss,
            checkpoint_step=position.step or None,
        )
        if position.step:
            self.say(f"{stage}: goes on after step {position.step:,}")
        lines = folder / "metrics" / f"{stage}.jsonl"
        lines.parent.mkdir(parents=True, exist_ok=True)
        _cut(lines, after=position.step)
        self._lines = lines.open("a", encoding="utf-8")
        self._events = SummaryWriter(
            str(folder / "tensorboard" / stage), purge_step=position.step + 1
        )

    def stepped(self, step: Step) -> None:
        """Tell of a step."""
        before = self._step_seconds
        self._step_seconds = (
            step.seconds if before is None else before + _RECENT * (step.seconds - before)
        )
        steps = self.progress.steps or step.step
        left = (steps - step.step) * self._step_seconds
        self.progress = self.progress.model_copy(
            update={
                "step": step.step,
                "loss": step.loss,
                "learning_rate": step.learning_rate,
                "tokens": step.tokens,
                "tokens_per_second": step.tokens_per_second,
                "seconds_left": left,
            }
        )
        figures = {name: value for name, value in asdict(step).items() if value is not None}
        for name, value in figures.items():
            self._gauges[name].labels(self.progress.stage).set(value)
            if name != "step":
                self._events.add_scalar(name, value, step.step)
        self._events.flush()
        self._lines.write(json.dumps(figures) + "\n")
        self._lines.flush()
        now = time.monotonic()
        if now - self._said >= _LINE_SECONDS or step.step == steps:
            self._said = now
            self.say(
                f"{self.progress.stage}: step {step.step:,} of {steps:,}, loss {step.loss:.4f},"
                f" {step.tokens_per_second:,.0f} tokens/s, {_time_text(left)} left"
            )

    def saved(self, step: int, seconds: float) -> None:
        """Tell of a checkpoint."""
        self.progress = self.progress.model_copy(update={"checkpoint_step": step})
        self._gauges["checkpoint_seconds"].labels(self.progress.stage).set(seconds)
        self._events.add_scalar("checkpoint_seconds", seconds, step)

    def end(self) -> None:
        """Close the files."""
        self._events.close()
        self._lines.close()

    def served(self, port: int) -> AbstractContextManager[int]:
        """Answer HTTP for the time of the body; yield the port: 0 is a free one.

        Raises:
            UsageError: the port cannot be had.
        """
        return served(port, progress=lambda: self.progress, registry=self._registry)


def _cut(lines: Path, *, after: int) -> None:
    """Drop the lines of steps after one, and a line that was never finished."""
    if not lines.exists():
        return
    kept = []
    for line in lines.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] > after:
                break
        except ValueError:
            break
        kept.append(line + "\n")
    write_atomically(lines, "".join(kept).encode())


def _time_text(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
