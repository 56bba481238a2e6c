"""Makes the schema of the custom resource out of the classes of `spec` and `status`.

The API server takes structural schemas only: no references, no `null`, no
choice between types. `deploy/helm/generate.py` writes the result into the chart.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from codeio.training_run.manifest import LONGEST_NAME, NAME, NAME_IS
from codeio.training_run.part import Rule
from codeio.training_run.spec import TrainingRunSpec
from codeio.training_run.status import TrainingRunStatus

if TYPE_CHECKING:
    from pydantic import BaseModel

# What the API server knows of what JSON Schema has.
_KEPT = (
    "type",
    "description",
    "enum",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    "required",
    "x-kubernetes-validations",
)


def resource_schema() -> dict[str, Any]:
    """Return the OpenAPI v3 schema of a TrainingRun, structural and with defaults and CEL rules."""
    named = Rule(
        f"metadata.name is no name of a run: {NAME_IS}",
        f"size(self.metadata.name) <= {LONGEST_NAME} && self.metadata.name.matches('{NAME}')",
    )
    status = structural(TrainingRunStatus)
    conditions = status["properties"]["conditions"]
    conditions |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return {
        "type": "object",
        "required": ["spec"],
        "x-kubernetes-validations": [named.validation()],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(TrainingRunSpec),
            "status": status,
        },
    }


def structural(model: type[BaseModel]) -> dict[str, Any]:
    """Return the structural schema of a class and of all that it holds."""
    schema = model.model_json_schema(by_alias=True)
    return _structural(schema, schema.get("$defs", {}))


def known_fields(model: type[BaseModel], value: Any) -> Any:
    """Return a value of a resource without the fields that its class does not know.

    So the API server prunes what it stores, by its own definition, which may be a newer one.
    """
    return _pruned(_schema_of(model), value)


@functools.cache
def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return structural(model)


def _pruned(schema: dict[str, Any], value: Any) -> Any:
    if isinstance(value, list) and "items" in schema:
        return [_pruned(schema["items"], each) for each in value]
    if isinstance(value, dict) and "additionalProperties" in schema:
        return {key: _pruned(schema["additionalProperties"], each) for key, each in value.items()}
    if isinstance(value, dict) and "properties" in schema:
        properties = schema["properties"]
        return {
            key: _pruned(properties[key], each) for key, each in value.items() if key in properties
        }
    return value


def _structural(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = _resolved(schema, definitions)
    made = {key: schema[key] for key in _KEPT if key in schema} | _bounds(schema)
    if schema.get("type") == "integer":
        made["format"] = "int64"
    if "properties" in schema:
        made["properties"] = {
            name: _structural(each, definitions) | _default_part(schema, name, definitions)
            for name, each in schema["properties"].items()
        }
    if "items" in schema:
        made["items"] = _structural(schema["items"], definitions)
    if isinstance(schema.get("additionalProperties"), dict):
        made["additionalProperties"] = _structural(schema["additionalProperties"], definitions)
    if schema.get("default") not in (None, [], {}):
        made["default"] = schema["default"]
    return made


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with what it refers to in its place, and without the choice of null."""
    if "$ref" in schema:
        target: dict[str, Any] = definitions[schema["$ref"].rpartition("/")[2]]
        return target | {key: value for key, value in schema.items() if key != "$ref"}
    if "anyOf" in schema:  # with null: a field that may be left out
        (present,) = (each for each in schema["anyOf"] if each.get("type") != "null")
        around = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
        return _resolved(present | around, definitions)
    return schema


def _bounds(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what OpenAPI 3.0 says in another way than JSON Schema."""
    bounds: dict[str, Any] = {}
    if "const" in schema:
        bounds["enum"] = [schema["const"]]
    if "exclusiveMinimum" in schema:
        bounds |= {"minimum": schema["exclusiveMinimum"], "exclusiveMinimum": True}
    if "exclusiveMaximum" in schema:
        bounds |= {"maximum": schema["exclusiveMaximum"], "exclusiveMaximum": True}
    return bounds


def _default_part(schema: dict[str, Any], name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return an empty default for a part that is there in any case, made of defaults.

    Its own defaults are filled in only where it is there.
    """
    field = schema["properties"][name]
    optional = "anyOf" in field or name in schema.get("required", ())
    return {"default": {}} if "properties" in _resolved(field, definitions) and not optional else {}
