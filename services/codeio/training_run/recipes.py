"""The paper's hyperparameters, and those of a stage once a user's wishes are laid over them.

From the paper's training setup (section 4.1, appendix on training): the first stage is one epoch
over the CodeI/O data at a constant learning rate of 1e-5, the second 700 steps over instruction
data with a cosine from 3e-5 to 1e-6, both with 1,024 samples a step, at most 4,096 tokens
a sample and no warm-up. The single-stage mixture of its ablation trains on both kinds of data with
the settings of the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from codeio.training_run.spec import (
    Hyperparameters,
    Source,
    StageName,
    TrainingRunSpec,
)

_ALWAYS: dict[str, Any] = {
    "warmup_steps": 0,
    "batch_size": 1024,
    "max_length": 4096,
    "long_samples": "Drop",
    "loss": "Answers",
    "weight_decay": 0.0,
    "beta1": 0.9,
    "beta2": 0.95,
    "epsilon": 1e-8,
    "gradient_clipping": 1.0,
}
_REASONING = _ALWAYS | {
    "learning_rate": 1e-5,
    "final_learning_rate": 1e-5,
    "schedule": "Constant",
    "epochs": 1.0,
}
_INSTRUCTION = _ALWAYS | {
    "learning_rate": 3e-5,
    "final_learning_rate": 1e-6,
    "schedule": "Cosine",
    "steps": 700,
}
PAPER: dict[StageName, dict[str, Any]] = {
    "reasoning": _REASONING,
    "instruction": _INSTRUCTION,
    "mixed": {**_INSTRUCTION, "steps": None, "epochs": 1.0},
}
"""Hyperparameters of the stages as the paper has them."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage with nothing left open. Of `epochs`, `steps` and `tokens` one is set."""

    name: StageName
    sources: tuple[Source, ...]
    learning_rate: float
    final_learning_rate: float
    schedule: Literal["Constant", "Linear", "Cosine"]
    warmup_steps: int
    batch_size: int
    epochs: float | None = None
    steps: int | None = None
    tokens: int | None = None
    max_length: int
    long_samples: Literal["Drop", "Fail"]
    loss: Literal["Answers", "LastAnswer", "Everything"]
    weight_decay: float
    beta1: float
    beta2: float
    epsilon: float
    gradient_clipping: float


def stage_of(spec: TrainingRunSpec, name: StageName) -> Stage:
    """Return a stage of the run's recipe with its data and its hyperparameters."""
    chosen: dict[str, Any] = dict(PAPER[name])
    for wishes in (spec.hyperparameters, spec.stages.get(name, Hyperparameters())):
        given = wishes.model_dump(exclude_none=True)
        if given.keys() & {"epochs", "steps", "tokens"}:
            chosen |= {"epochs": None, "steps": None, "tokens": None}
        chosen |= given
    if chosen["schedule"] == "Constant":
        chosen["final_learning_rate"] = chosen["learning_rate"]
    sources = {
        "reasoning": spec.data.reasoning,
        "instruction": spec.data.instruction,
        "mixed": (*spec.data.reasoning, *spec.data.instruction),
    }[name]
    return Stage(name=name, sources=sources, **chosen)
