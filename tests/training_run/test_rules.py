"""The API server and Python hold a spec to the same rules."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from codeio.runtime.errors import UsageError
from codeio.training_run.definition import resource_schema, structural
from codeio.training_run.manifest import LONGEST_NAME, parse_manifest
from codeio.training_run.spec import (
    Data,
    Evaluation,
    HeldOut,
    Hyperparameters,
    Model,
    Part,
    TrainingRunSpec,
    Workers,
)
from codeio.training_run.training_data import Band, Source
from tests.training_run.api_server import broken_rules, defaulted, faults
from tests.training_run.specs import manifest, smoke, values

RESOURCE = resource_schema()
SPEC = RESOURCE["properties"]["spec"]
relaxed = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def refusal(model: type[Part], value: Any) -> str | None:
    """Return why Python refuses a value, or None if it takes it."""
    try:
        model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        return error.errors()[0]["msg"].removeprefix("Value error, ")
    return None


PARTS = [Model, Source, Data, HeldOut, Band, Hyperparameters, Workers, Evaluation]


@pytest.mark.parametrize("model", PARTS)
@relaxed
@given(data=st.data())
def test_a_parts_rules_agree(model: type[Part], data: st.DataObject) -> None:
    schema = structural(model)
    agree(schema, model, data.draw(values(schema, careful=False)))


@relaxed
@given(data=st.data())
def test_the_rules_of_a_spec_agree(data: st.DataObject) -> None:
    agree(SPEC, TrainingRunSpec, data.draw(values(SPEC)))


def agree(schema: dict[str, Any], model: type[Part], value: Any) -> None:
    """Assert that both refuse a value or neither does, and in the same words."""
    value = defaulted(schema, value)
    wrong = {each.partition(": ")[2] for each in faults(schema, value)}
    told = refusal(model, value)
    # Python stops at the first.
    assert told in wrong if wrong else told is None


@relaxed
@given(data=st.data())
def test_the_verdict_on_what_no_schema_allows_agrees(data: st.DataObject) -> None:
    """One value of a spec that is right is made something else."""
    spec = data.draw(values(SPEC))
    assume(not faults(SPEC, defaulted(SPEC, spec)))
    places = list(_places(spec))
    *path, last = data.draw(st.sampled_from(places))
    within = spec
    for each in path:
        within = within[each]
    odd: list[Any] = ["", "x" * 2000, "A b", -1, 0, 1, 0.5, 1e9, True, [], {}, [1], {"a": 1}]
    within[last] = data.draw(st.sampled_from(odd))
    wrong = faults(SPEC, defaulted(SPEC, spec))
    assert takes(manifest() | {"spec": spec}) is not bool(wrong), wrong


def takes(document: dict[str, Any]) -> bool:
    try:
        parse_manifest(document, source="run.yaml")
    except UsageError:
        return False
    return True


def _places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items:
        yield (*path, key)
        if isinstance(each, (dict, list)):
            yield from _places(each, (*path, key))


CHATS = {"reasoning": [{"path": "/d"}], "instruction": [{"path": "/c"}]}
COSINE = {"schedule": "Cosine"}
# What is wrong in a spec, and how the sentence begins that says so.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": {"name": "a/b", "path": "/m"}}, "name or path"),
    ({"data": {"reasoning": [{"path": "/d", "revision": "main"}]}}, "revision is of"),
    ({"recipe": "TwoStage"}, "the recipes TwoStage and Mixed need"),
    ({"data": CHATS}, "data.instruction needs the recipe TwoStage or Mixed"),
    ({"stages": {"instruction": {}}}, "stages may name"),
    ({"hyperparameters": {"epochs": 1, "steps": 5}}, "epochs, steps and tokens"),
    ({"workers": {"gpusPerNode": 4, "processesPerNode": 2}}, "processesPerNode must be"),
    ({"workers": {"gpusPerNode": 1, "processesPerNode": 2}}, "processesPerNode must be"),
    ({"workers": {"memory": "1023Mi"}}, "sharedMemory"),
    ({"workers": {"memory": "2G", "sharedMemory": "2Gi"}}, "sharedMemory"),
    ({"workers": {"env": {"2X": "a"}}}, "names in env"),
    ({"workers": {"env": {"A-B": "a"}}}, "names in env"),
    ({"workers": {"env": {"": "a"}}}, "names in env"),
    ({"evaluation": {}}, "evaluation needs suites or heldOut"),
    ({"evaluation": {"files": {"gsm8k": "f"}}}, "evaluation needs suites or heldOut"),
    ({"evaluation": {"suites": ["gsm8k"], "files": {"gsmk8": "f"}}}, "files may be given for bbh"),
    (
        {"data": {"reasoning": [{"path": "/d", "weight": 1}, {"path": "/e"}]}},
        "either each source has a weight",
    ),
    (
        {"recipe": "Mixed", "data": CHATS | {"reasoning": [{"path": "/d", "weight": 2}]}},
        "the recipe Mixed needs a weight",
    ),
    # The paper's first stage has a constant rate, and its second 3e-5 to 1e-6 in 700 steps.
    ({"hyperparameters": {"finalLearningRate": 1e-6}}, "finalLearningRate has no effect"),
    ({"stages": {"reasoning": {"finalLearningRate": 1e-6}}}, "finalLearningRate has no effect"),
    (
        {
            "hyperparameters": COSINE,
            "stages": {"reasoning": {"schedule": "Constant", "finalLearningRate": 1e-6}},
        },
        "finalLearningRate has no effect",
    ),
    (
        {"hyperparameters": COSINE | {"finalLearningRate": 0.2, "learningRate": 0.1}},
        "finalLearningRate must not exceed",
    ),
    ({"hyperparameters": COSINE | {"learningRate": 1e-6}}, "finalLearningRate must not exceed"),
    (
        {"recipe": "TwoStage", "data": CHATS, "stages": {"instruction": {"learningRate": 1e-7}}},
        "finalLearningRate must not exceed",
    ),
    ({"hyperparameters": {"warmupSteps": 5, "steps": 5}}, "warmupSteps must be fewer"),
    (
        {"hyperparameters": {"warmupSteps": 5}, "stages": {"reasoning": {"steps": 5}}},
        "warmupSteps must be fewer",
    ),
    (
        {"recipe": "TwoStage", "data": CHATS, "hyperparameters": {"warmupSteps": 700}},
        "warmupSteps must be fewer",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), WRONG)
def test_each_rule_is_there(change: dict[str, Any], sentence: str) -> None:
    spec = defaulted(SPEC, smoke() | change)
    [wrong] = faults(SPEC, spec)
    told = str(refusal(TrainingRunSpec, spec))
    assert wrong.endswith(told)
    assert told.startswith(sentence)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        *[(name, True) for name in ("a.b", "team.data-1", "a" * 253, "0")],
        *[(name, False) for name in ("a" * 254, "a..b", ".a", "a.", "a.-b", "A.b", "a/b")],
    ],
)
def test_claims_secrets_and_priority_classes_are_called_as_in_kubernetes(
    name: str, taken: bool
) -> None:
    place = {"path": "/p", "volume": name}
    for change in (
        {"model": place},
        {"checkpoints": place},
        {"evaluation": {"suites": ["gsm8k"], "volume": name}},
        {"workers": {"priorityClassName": name}},
        {"workers": {"envFrom": [{"secretRef": {"name": name}}]}},
    ):
        assert (not faults(SPEC, defaulted(SPEC, smoke() | change))) is taken
        assert takes(manifest(**change)) is taken


@pytest.mark.parametrize("nodes", [1, 2])
def test_what_a_run_writes_is_on_a_volume_unless_it_is_local(nodes: int) -> None:
    change = {"checkpoints": {"path": "/runs"}, "workers": {"nodes": nodes}}
    [wrong] = faults(SPEC, defaulted(SPEC, smoke() | change))
    assert wrong.startswith(": a run on a cluster needs checkpoints.volume")
    assert takes(manifest(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"workers": {"gpusPerNode": 4, "processesPerNode": 4}},
        {"workers": {"processesPerNode": 3}},
        {"workers": {"memory": "1Gi"}},
        {"workers": {"memory": "2Gi", "sharedMemory": "2G"}},
        {"workers": {"memory": "0.5Ti", "sharedMemory": "512Gi"}},
        {"workers": {"env": {"_A1": "a", "nccl": ""}}},
        {"evaluation": {"suites": ["logic", "gsm8k"], "files": {"korbench": "f"}}},
        {"evaluation": {"heldOut": {"path": "/d"}}},
        {
            "recipe": "TwoStage",
            "data": CHATS | {"instruction": [{"path": "/c", "weight": 2}]},
        },
        {"data": CHATS | {"instruction": []}},
        {"data": {"reasoning": [{"path": "/d"}, {"path": "/e"}]}},
        {"hyperparameters": COSINE | {"finalLearningRate": 1e-5}},
        # Each stage may have what is its own.
        {
            "recipe": "TwoStage",
            "data": CHATS,
            "hyperparameters": {"warmupSteps": 10, "steps": 5},
            "stages": {
                "reasoning": {"epochs": 1},
                "instruction": {"steps": 20, "finalLearningRate": 0.0},
            },
        },
        {"hyperparameters": {"warmupSteps": 1000}},
        {
            "recipe": "Mixed",
            "data": CHATS,
            "hyperparameters": {"warmupSteps": 1000, "finalLearningRate": 1e-7},
        },
    ],
)
def test_what_is_right_is_taken(change: dict[str, Any]) -> None:
    spec = smoke() | change
    assert faults(SPEC, defaulted(SPEC, spec)) == []
    assert takes(manifest(**change))


CHANGES: dict[str, tuple[Any, bool]] = {
    "model": ({"path": "/other"}, False),
    "data": ({"reasoning": [{"path": "/other"}]}, False),
    "recipe": ("Mixed", False),
    "hyperparameters": ({"steps": 3}, False),
    "stages": ({"reasoning": {"steps": 3}}, False),
    "checkpoints": ({"path": "/other", "volume": "runs"}, False),
    "seed": (1, False),
    "execution": ({"parallelism": "DDP"}, True),
    "workers": ({"cpu": "4"}, True),
    "evaluation": ({"suites": ["gsm8k"]}, True),
    "suspend": (True, True),
    "cancel": (True, True),
    "queueName": ("team", True),
    "deadlineSeconds": (60, True),
    "maxRestarts": (3, True),
}


@pytest.mark.parametrize("field", CHANGES)
@pytest.mark.parametrize("back", [False, True])
def test_what_decides_the_result_never_changes(field: str, back: bool) -> None:
    """Set where it was not, changed, and taken away: each is the same to a rule."""
    value, allowed = CHANGES[field]
    before = smoke()
    after = smoke() | {field: value}
    if field == "recipe":
        for each in (before, after):
            each["data"]["instruction"] = [{"path": "/chats"}]
    if back:
        before, after = after, before
    old, new = defaulted(SPEC, before), defaulted(SPEC, after)
    told = [each for each in faults(SPEC, new, old) if "cannot be changed" in each]
    assert told == ([] if allowed else [f": {field} cannot be changed: make another run"])


def test_a_run_is_cancelled_for_good() -> None:
    running, cancelled = (defaulted(SPEC, smoke() | {"cancel": each}) for each in (False, True))
    assert faults(SPEC, cancelled, running) == []
    assert faults(SPEC, running, cancelled) == [": cancel cannot be taken back: make another run"]


def test_every_field_is_known_to_change_or_not() -> None:
    assert CHANGES.keys() == SPEC["properties"].keys()


def test_what_stays_the_same_may_be_sent_again() -> None:
    spec = defaulted(SPEC, smoke())
    assert faults(SPEC, copy.deepcopy(spec), spec) == []


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        *[(name, True) for name in ("a", "a-1", "a" * LONGEST_NAME)],
        *[(name, False) for name in ("a" * (LONGEST_NAME + 1), "a.b", "7b-stage1", "a-", "A", "")],
    ],
)
def test_names_are_such_that_hosts_can_be_named_after_them(name: str, taken: bool) -> None:
    document = manifest() | {"metadata": {"name": name}}
    # What metadata holds is the API server's to know.
    schema = RESOURCE["properties"]["metadata"] | {"properties": {"name": {"type": "string"}}}
    resource = RESOURCE | {"properties": RESOURCE["properties"] | {"metadata": schema}}
    assert (not list(broken_rules(resource, document))) is taken
    assert takes(document) is taken
