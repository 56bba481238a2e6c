"""What must hold of the hyperparameters of each stage of a run, as they are in the end.

A stage has what is set for it, else what is set for all stages, else what the paper has; in CEL
that is spelt out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codeio.training_run.hyperparameters import PAPER, STAGES
from codeio.training_run.part import Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeio.training_run.spec import TrainingRunSpec

_FOR_ALL = "self.hyperparameters"
_FOR_ONE = "self.stages[stage]"


def _of_each_stage(
    message: str, cel: str, holds: Callable[[dict[str, Any], set[str]], bool]
) -> Rule:
    """Return a rule that must hold of each stage of the recipe.

    In CEL it is about `stage`; in Python about its hyperparameters and the names of those that
    were set.
    """
    stages = [[recipe, stage] for recipe, names in STAGES.items() for stage in names]

    def hold(spec: TrainingRunSpec) -> bool:
        return all(
            holds(
                spec.hyperparameters_of(stage),
                {name for wishes in spec.wishes_for(stage) for name in wishes.given()},
            )
            for stage in STAGES[spec.recipe]
        )

    return Rule(
        message, f"{list(PAPER)}.all(stage, !([self.recipe, stage] in {stages}) || {cel})", hold
    )


def _set_for(place: str, *fields: str) -> str:
    """Return in CEL whether one of some fields is set for the stage, or for all stages."""
    there = " || ".join(f"has({place}.{field})" for field in fields)
    return (
        f"(has(self.stages) && stage in self.stages && ({there}))" if place == _FOR_ONE else there
    )


def _value(field: str, papers: str) -> str:
    """Return in CEL what a stage has of a field."""
    defaults = {stage: paper[papers] for stage, paper in PAPER.items()}
    return (
        f"({_set_for(_FOR_ONE, field)} ? {_FOR_ONE}.{field}"
        f" : {_set_for(_FOR_ALL, field)} ? {_FOR_ALL}.{field} : {defaults}[stage])"
    )


_SCHEDULE = _value("schedule", "schedule")
_RATE = _value("learningRate", "learning_rate")
_FINAL_RATE = _value("finalLearningRate", "final_learning_rate")
_WARMUP = _value("warmupSteps", "warmup_steps")
_LENGTHS = ("epochs", "steps", "tokens")
_PAPERS_STEPS = {stage: paper["steps"] for stage, paper in PAPER.items() if paper.get("steps")}

STAGE_RULES = (
    _of_each_stage(
        "finalLearningRate has no effect in a stage whose schedule is Constant, as that of"
        " reasoning is unless set: set schedule too, or finalLearningRate for another stage alone",
        f"!({_set_for(_FOR_ONE, 'finalLearningRate')} || {_set_for(_FOR_ALL, 'finalLearningRate')})"
        f" || {_SCHEDULE} != 'Constant'",
        lambda chosen, given: (
            "final_learning_rate" not in given or chosen["schedule"] != "Constant"
        ),
    ),
    _of_each_stage(
        "finalLearningRate must not exceed learningRate in any stage; what is not set is as the"
        " paper has it",
        f"{_SCHEDULE} == 'Constant' || {_FINAL_RATE} <= {_RATE}",
        lambda chosen, _: (
            chosen["schedule"] == "Constant"
            or chosen["final_learning_rate"] <= chosen["learning_rate"]
        ),
    ),
    _of_each_stage(
        "warmupSteps must be fewer than the steps of a stage; what is not set is as the paper has"
        " it",
        f"({_set_for(_FOR_ONE, *_LENGTHS)}"
        f" ? !has({_FOR_ONE}.steps) || {_WARMUP} < {_FOR_ONE}.steps"
        f" : {_set_for(_FOR_ALL, *_LENGTHS)}"
        f" ? !has({_FOR_ALL}.steps) || {_WARMUP} < {_FOR_ALL}.steps"
        f" : !(stage in {_PAPERS_STEPS}) || {_WARMUP} < {_PAPERS_STEPS}[stage])",
        lambda chosen, _: chosen.get("steps") is None or chosen["warmup_steps"] < chosen["steps"],
    ),
)
