"""The schema is one that the API server takes, and its defaults are those of Python."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from codeio.training_run.definition import resource_schema, structural
from codeio.training_run.spec import TrainingRunSpec
from codeio.training_run.status import Condition, Progress, TrainingRunStatus
from tests.training_run.api_server import broken_rules, defaulted, faults
from tests.training_run.specs import smoke

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = resource_schema()
_TAKEN = {
    *("type", "description", "default", "enum", "format", "pattern", "required"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("minLength", "maxLength", "minItems", "maxItems", "maxProperties"),
    *("properties", "additionalProperties", "items"),
    *("x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
}


def parts(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a schema and all that are within, each with where it is."""
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from parts(each, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from parts(schema[key], f"{path}[]")


def test_it_is_structural() -> None:
    """A type everywhere, nothing that refers or chooses, properties or other keys and not both."""
    for path, each in parts(SCHEMA):
        assert each["type"] in {"object", "array", "string", "integer", "number", "boolean"}, path
        assert each.keys() <= _TAKEN, path
        assert not {"properties", "additionalProperties"} <= each.keys(), path
        assert ("items" in each) == (each["type"] == "array"), path
        assert set(each.get("required", ())) <= each.get("properties", {}).keys(), path


def test_each_field_says_what_it_is() -> None:
    for path, each in parts(SCHEMA["properties"]["spec"], "spec"):
        if not path.endswith("[]") and not re.search(r"passRate\.(min|max)$", path):
            assert each.get("description") or "enum" in each or plain(path), path


def plain(path: str) -> bool:
    """Whether the name of a field says all."""
    name = path.rpartition(".")[2]
    return name in {
        *("warmupSteps", "batchSize", "weightDecay", "beta1", "beta2", "epsilon"),
        *("nodeSelector", "tolerations", "priorityClassName", "everySteps", "split"),
        *("key", "value", "tolerationSeconds", "heldOut", "maxNewTokens"),
    }


def test_what_rules_look_at_is_bounded() -> None:
    """The API server reckons what a rule may cost by the largest value that it may see."""
    spec = SCHEMA["properties"]["spec"]
    looked_at = {
        name
        for each in spec["x-kubernetes-validations"]
        for name in re.findall(r"(?:self|oldSelf)\.(\w+)", each["rule"])
    }
    assert {"model", "data", "stages", "checkpoints"} <= looked_at
    for name in looked_at - {"workers"}:  # of which a number alone
        for path, each in parts(spec["properties"][name], name):
            bound = {"string": "maxLength", "array": "maxItems"}.get(each["type"])
            if "additionalProperties" in each:
                bound = "maxProperties"
            assert bound is None or bound in each or "enum" in each, path


def test_defaults_keep_the_rules_before_they_are_filled_in() -> None:
    """The API server takes no definition otherwise."""
    held = [
        path
        for path, each in parts(SCHEMA)
        if "default" in each and not list(broken_rules(each, each["default"]))
    ]
    assert ".spec.workers" in held
    assert held == [path for path, each in parts(SCHEMA) if "default" in each]


def test_the_least_run_gets_the_defaults_of_python() -> None:
    filled = defaulted(structural(TrainingRunSpec), smoke())
    spec = TrainingRunSpec.model_validate(smoke())
    dumped = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert without_empty(dumped) == without_empty(filled)
    assert faults(structural(TrainingRunSpec), filled) == []


def without_empty(value: Any) -> Any:
    """Leave out empty lists and maps, which are the same as none."""
    if isinstance(value, dict):
        kept = {key: without_empty(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each not in ([], {})}
    if isinstance(value, list):
        return [without_empty(each) for each in value]
    return value


def test_optional_parts_are_not_there_unless_given_and_then_whole() -> None:
    schema = structural(TrainingRunSpec)
    assert "evaluation" not in defaulted(schema, smoke())
    asked = smoke() | {"evaluation": {"suites": ["gsm8k"]}}
    assert defaulted(schema, asked)["evaluation"]["before"] is True


def test_a_status_fits_its_schema() -> None:
    status = TrainingRunStatus(
        observed_generation=2,
        conditions=(
            Condition(
                type="Running",
                status="True",
                reason="Training",
                last_transition_time="2026-01-01T00:00:00Z",
            ),
        ),
        progress=Progress(stage="reasoning", step=3, loss=1.5),
    ).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert faults(SCHEMA["properties"]["status"], status) == []
    conditions = SCHEMA["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert "type" in conditions["items"]["required"]
