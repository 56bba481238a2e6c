"""What a stage was asked for is compared setting by setting, in the words of its spec."""

from __future__ import annotations

from typing import Any

import pytest

from codeio.trainer.trained import asked_of, refuse_other
from codeio.training_run.manifest import parse_manifest
from codeio.training_run.outcomes import Reason, RunError
from tests.training_run.specs import manifest

FILES = {"a.jsonl": "1" * 64, "b.jsonl": "2" * 64}


def asked(**spec: Any) -> dict[str, Any]:
    return asked_of(parse_manifest(manifest(**spec), source="test"), "reasoning")


def refusal(was: dict[str, Any], now: dict[str, Any]) -> str:
    with pytest.raises(RunError) as caught:
        refuse_other(was, now, where="it")
    assert caught.value.reason is Reason.INVALID_SPEC
    said, _, advice = str(caught.value).rpartition(": ")
    assert advice == "put back what it was, give the run another name, or delete what is there"
    return said


@pytest.mark.parametrize(
    ("was", "now", "before", "after"),
    [
        (
            {"hyperparameters": {"learningRate": 0.01}},
            {"hyperparameters": {"learningRate": 0.02}},
            "with learningRate = 0.01",
            "with learningRate = 0.02",
        ),
        (
            {"hyperparameters": {}},
            {"hyperparameters": {"schedule": "Linear", "steps": 5}},
            "with schedule = Constant, epochs = 1.0",
            "with schedule = Linear, steps = 5",
        ),
        (
            {"data": {"reasoning": [{"path": "/d"}]}},
            {"data": {"reasoning": [{"path": "/d", "weight": 2}]}},
            "without data.reasoning[0].weight",
            "with data.reasoning[0].weight = 2.0",
        ),
        (
            {"data": {"reasoning": [{"path": "/d", "select": {}}]}},
            {"data": {"reasoning": [{"path": "/d"}]}},
            "with data.reasoning[0].select = {}",
            "without data.reasoning[0].select",
        ),
        ({}, {"model": {"path": "/o"}}, "with model.path = /models/tiny", "with model.path = /o"),
        ({}, {"seed": 3}, "with seed = 0", "with seed = 3"),
    ],
)
def test_the_settings_that_were_changed_are_named(
    was: dict[str, Any], now: dict[str, Any], before: str, after: str
) -> None:
    assert (
        refusal(asked(**was), asked(**now))
        == f"it was made {before}, and would now be made {after}"
    )


def test_what_decides_no_result_may_change() -> None:
    source = {"path": "/dataset", "format": "Messages", "split": "train"}
    now = asked(execution={"precision": "Float32"}, data={"reasoning": [source]})
    was = asked(data={"reasoning": [{"path": "/dataset"}]})
    refuse_other(was | {"files": FILES}, now | {"files": FILES}, where="it")


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (FILES | {"b.jsonl": "3" * 64}, "b.jsonl"),
        (FILES | {"c.jsonl": "3" * 64}, "c.jsonl"),
        ({"b.jsonl": FILES["b.jsonl"]}, "a.jsonl"),
    ],
)
def test_the_file_that_was_changed_is_named(files: dict[str, str], name: str) -> None:
    was, now = (asked() | {"tokenizer": "t", "files": each} for each in (FILES, files))
    said = f"the data have changed since it was made: {name} holds other rows"
    assert refusal(was, now) == said


def test_another_tokenizer_is_named() -> None:
    was, now = (asked() | {"tokenizer": each, "files": FILES} for each in ("4" * 64, "5" * 64))
    assert (
        refusal(was, now) == "the model's tokenizer or chat template has changed since it was made"
    )
