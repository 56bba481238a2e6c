"""A stage of a run: its data and its hyperparameters, with nothing left open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codeio.training_run.hyperparameters import LongSamples, Loss, Schedule, StageName
    from codeio.training_run.spec import TrainingRunSpec
    from codeio.training_run.training_data import Source


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage with nothing left open. Of `epochs`, `steps` and `tokens` one is set."""

    name: StageName
    sources: tuple[Source, ...]
    """Either each has a weight or none has."""
    learning_rate: float
    final_learning_rate: float
    schedule: Schedule
    warmup_steps: int
    batch_size: int
    epochs: float | None = None
    steps: int | None = None
    tokens: int | None = None
    max_length: int
    long_samples: LongSamples
    loss: Loss
    weight_decay: float
    beta1: float
    beta2: float
    epsilon: float
    gradient_clipping: float


def stage_of(spec: TrainingRunSpec, name: StageName) -> Stage:
    """Return a stage of the run's recipe with its data and its hyperparameters."""
    chosen = spec.hyperparameters_of(name)
    if chosen["schedule"] == "Constant":
        chosen["final_learning_rate"] = chosen["learning_rate"]
    sources = {
        "reasoning": spec.data.reasoning,
        "instruction": spec.data.instruction,
        "mixed": (*spec.data.reasoning, *spec.data.instruction),
    }[name]
    return Stage(name=name, sources=sources, **chosen)
