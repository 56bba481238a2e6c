"""The paper's hyperparameters, and what a user may want of them.

From the paper's training setup (section 4.1, appendix on training): the first stage is one epoch
over the CodeI/O data at a constant learning rate of 1e-5, the second 700 steps over instruction
data with a cosine from 3e-5 to 1e-6, both with 1,024 samples a step, at most 4,096 tokens
a sample and no warm-up. The single-stage mixture of its ablation trains on both kinds of data with
the settings of the second.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from codeio.training_run.part import Part, Rule

Recipe = Literal["TwoStage", "Mixed", "OneStage"]
StageName = Literal["reasoning", "instruction", "mixed"]
Schedule = Literal["Constant", "Linear", "Cosine"]
LongSamples = Literal["Drop", "Fail"]
Loss = Literal["Answers", "LastAnswer", "Everything"]

STAGES: dict[Recipe, tuple[StageName, ...]] = {
    "TwoStage": ("reasoning", "instruction"),
    "Mixed": ("mixed",),
    "OneStage": ("reasoning",),
}
"""The stages of a recipe, in order."""

_LENGTHS = {"epochs", "steps", "tokens"}


class Hyperparameters(Part):
    """What decides the result of a stage. What is not set is as the recipe has it."""

    rules = (
        Rule(
            "epochs, steps and tokens exclude one another",
            "[has(self.epochs), has(self.steps), has(self.tokens)].filter(x, x).size() <= 1",
            lambda wishes: len(_LENGTHS & wishes.given().keys()) <= 1,
        ),
    )

    learning_rate: float | None = Field(None, gt=0, le=1, description="The highest.")
    final_learning_rate: float | None = Field(
        None, ge=0, le=1, description="What a schedule ends with."
    )
    schedule: Schedule | None = None
    warmup_steps: int | None = Field(None, ge=0)
    batch_size: int | None = Field(None, ge=1, le=1 << 20, description="Samples a step, in all.")
    epochs: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="Length of the stage; one epoch draws as many samples as its sources have"
        " together: each of them once, unless the sources have weights. Or:",
    )
    steps: int | None = Field(None, ge=1, description="Length of the stage, or:")
    tokens: int | None = Field(
        None, ge=1, description="Length: all tokens of the samples, those without loss included."
    )
    max_length: int | None = Field(None, ge=8, le=1 << 20, description="Tokens of a sample.")
    long_samples: LongSamples | None = Field(
        None, description="What becomes of a sample that is longer."
    )
    loss: Loss | None = Field(
        None, description="Answers: of all turns; LastAnswer: not of those that were wrong."
    )
    weight_decay: float | None = Field(None, ge=0, le=1)
    beta1: float | None = Field(None, ge=0, lt=1)
    beta2: float | None = Field(None, ge=0, lt=1)
    epsilon: float | None = Field(None, gt=0, le=1)
    gradient_clipping: float | None = Field(None, gt=0, description="Largest norm.")

    def given(self) -> dict[str, Any]:
        """Return what is set."""
        return self.model_dump(exclude_none=True)


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


def laid_over(name: StageName, *wishes: Hyperparameters) -> dict[str, Any]:
    """Return the paper's hyperparameters of a stage with wishes above them, the last on top."""
    chosen: dict[str, Any] = dict(PAPER[name])
    for each in wishes:
        given = each.given()
        if given.keys() & _LENGTHS:
            chosen |= dict.fromkeys(_LENGTHS)
        chosen |= given
    return chosen
