"""A stage is the paper's, with a user's wishes laid over it; steps stand in their order."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codeio.training_run.hyperparameters import PAPER
from codeio.training_run.recipes import stage_of
from codeio.training_run.spec import STAGES, TrainingRunSpec, steps_of
from tests.training_run.specs import smoke

CHATS = [{"path": "/chats"}]
LENGTHS = ("epochs", "steps", "tokens")


def spec(**fields: Any) -> TrainingRunSpec:
    made = smoke() | fields
    if fields.get("recipe", "OneStage") != "OneStage":
        made["data"] = made["data"] | {"instruction": CHATS}
    return TrainingRunSpec.model_validate(made)


def test_the_first_stage_is_the_papers() -> None:
    stage = stage_of(spec(), "reasoning")
    assert (stage.learning_rate, stage.final_learning_rate) == (1e-5, 1e-5)
    assert (stage.schedule, stage.epochs, stage.batch_size, stage.max_length) == (
        "Constant", 1.0, 1024, 4096,
    )  # fmt: skip
    assert [source.path for source in stage.sources] == ["/data/dataset"]


def test_the_second_stage_is_the_papers() -> None:
    stage = stage_of(spec(recipe="TwoStage"), "instruction")
    assert (stage.learning_rate, stage.final_learning_rate) == (3e-5, 1e-6)
    assert (stage.schedule, stage.steps, stage.epochs) == ("Cosine", 700, None)
    assert [source.path for source in stage.sources] == ["/chats"]


def test_a_mixture_draws_from_both() -> None:
    stage = stage_of(spec(recipe="Mixed"), "mixed")
    assert [source.path for source in stage.sources] == ["/data/dataset", "/chats"]


def test_a_stages_wishes_stand_above_those_for_all() -> None:
    wished = spec(
        recipe="TwoStage",
        hyperparameters={"learningRate": 2e-5, "batchSize": 8, "weightDecay": 0.5},
        stages={"instruction": {"learningRate": 4e-5}},
    )
    first, second = (stage_of(wished, name) for name in STAGES["TwoStage"])
    assert (first.learning_rate, second.learning_rate) == (2e-5, 4e-5)
    # Of a constant rate there is no other end.
    assert first.final_learning_rate == 2e-5
    assert second.final_learning_rate == 1e-6
    assert (first.batch_size, second.weight_decay) == (8, 0.5)


@given(
    recipe=st.sampled_from(sorted(STAGES)),
    for_all=st.sampled_from([*LENGTHS, None]),
    for_one=st.sampled_from([*LENGTHS, None]),
)
def test_a_stage_has_one_length_whatever_is_wished(
    recipe: Any, for_all: str | None, for_one: str | None
) -> None:
    wished = spec(
        recipe=recipe,
        hyperparameters={for_all: 3} if for_all else {},
        stages={STAGES[recipe][0]: {for_one: 5} if for_one else {}},
    )
    stage = stage_of(wished, STAGES[recipe][0])
    lengths = {each: getattr(stage, each) for each in LENGTHS}
    there = {each: value for each, value in lengths.items() if value is not None}
    assert len(there) == 1
    if for_one or for_all:
        assert there == ({for_one: 5} if for_one else {for_all: 3})


def test_all_stages_of_all_recipes_have_hyperparameters() -> None:
    assert {name for names in STAGES.values() for name in names} == PAPER.keys()


def test_steps_are_the_stages_with_the_evaluations_around_them() -> None:
    stages = ("reasoning", "instruction")
    around = {"suites": ["gsm8k"]}
    assert steps_of(spec(recipe="TwoStage")) == stages
    assert steps_of(spec(recipe="TwoStage", evaluation=around)) == (
        "evaluate-before", *stages, "evaluate-after",
    )  # fmt: skip
    assert steps_of(spec(evaluation=around | {"before": False})) == ("reasoning", "evaluate-after")
