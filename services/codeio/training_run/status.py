"""What the launcher says of a run: the `status` of the resource."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from codeio.training_run.part import Part

ConditionType = Literal["Suspended", "Running", "Succeeded", "Failed", "DataPrepared", "Evaluated"]
"""Of the first four at most one is true at a time, and it stands first in the list."""


class Condition(Part):
    """As Kubernetes has them."""

    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: str = Field(min_length=1, max_length=128)
    message: str = Field("", max_length=4096)
    last_transition_time: str = Field(json_schema_extra={"format": "date-time"})
    observed_generation: int | None = None


class Progress(Part):
    """How far the running stage is; the trainer serves the same as JSON at `/progress`."""

    stage: str
    step: int = 0
    steps: int | None = None
    loss: float | None = None
    learning_rate: float | None = None
    tokens: int = Field(0, description="Tokens trained on in this stage.")
    tokens_per_second: float | None = None
    seconds_left: float | None = None
    checkpoint_step: int | None = Field(None, description="Step of the last whole checkpoint.")


class StageStatus(Part):
    """A part of the run: one Job."""

    name: str
    state: Literal["Waiting", "Suspended", "Running", "Succeeded", "Failed"]
    job: str | None = None
    pod: str | None = Field(None, description="The first of its pods, which writes the log.")
    start_time: str | None = Field(None, json_schema_extra={"format": "date-time"})
    completion_time: str | None = Field(None, json_schema_extra={"format": "date-time"})
    restarts: int = 0
    loss: float | None = Field(None, description="At its last step.")
    tokens: int | None = None
    measured_by: str | None = Field(
        None, description="Sum of the evaluation and the precision by which it has measured."
    )


class Estimate(Part):
    """A share with its interval of 95 %."""

    value: float
    low: float
    high: float

    @model_validator(mode="before")
    @classmethod
    def _unpacked(cls, value: Any) -> Any:
        """Take the form that `scores.pack_scores` writes: thousandths in a list."""
        if isinstance(value, list):
            value = dict(
                zip(("value", "low", "high"), (each / 1000 for each in value), strict=True)
            )
        return value


class Score(Part):
    """The share of a suite's questions that were answered right, before and after."""

    category: str
    suite: str
    """Or `mean`: that of the category's suites."""
    questions: int
    before: Estimate | None = None
    after: Estimate | None = None
    gain: Estimate | None = Field(None, description="Of the differences question by question.")

    @model_validator(mode="before")
    @classmethod
    def _unpacked(cls, value: Any) -> Any:
        """Take the form that `scores.pack_scores` writes: the fields in a list."""
        if isinstance(value, list):
            value = dict(zip(cls.model_fields, value, strict=True))
        return value


class TrainingRunStatus(Part):
    """How a run stands."""

    observed_generation: int | None = None
    conditions: tuple[Condition, ...] = Field((), max_length=16)
    stages: tuple[StageStatus, ...] = Field((), max_length=8)
    progress: Progress | None = None
    checkpoint: str | None = Field(None, description="Path of the newest trained model.")
    scores: tuple[Score, ...] = Field((), max_length=128)
    gain: str | None = Field(None, description="By category, in points: symbolic +4.2, logic -0.3.")
    active_seconds: int = Field(
        0, description="Seconds that pods were asked for or have run, up to activeSince."
    )
    active_since: str | None = Field(
        None,
        description="Since when the pods of now were asked for.",
        json_schema_extra={"format": "date-time"},
    )
