"""What the API server does with an object of a custom resource, as far as our schema asks for it.

It fills in defaults, holds the object to the structural schema, and evaluates the CEL rules.
"""

from __future__ import annotations

import copy
import functools
import re
from typing import TYPE_CHECKING, Any

import celpy
from celpy import celtypes

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

# It raises the limit of recursion, which hypothesis minds in a test.
_ENVIRONMENT = celpy.Environment()
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def defaulted(schema: Schema, value: Any) -> Any:
    """Return a copy of a value with the schema's defaults filled in."""
    if isinstance(value, dict) and schema.get("type") == "object":
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        missing = {
            name: copy.deepcopy(each["default"])
            for name, each in properties.items()
            if "default" in each and name not in value
        }
        return {
            name: defaulted(properties.get(name, others), each)
            for name, each in (value | missing).items()
        }
    if isinstance(value, list) and schema.get("type") == "array":
        return [defaulted(schema["items"], each) for each in value]
    return value


def faults(schema: Schema, value: Any, old: Any = None) -> list[str]:
    """Return what the API server finds wrong with a value, each time with where it is.

    It evaluates rules only of what fits the schema otherwise.
    """
    return list(_misfits(schema, value, "")) or list(_broken_within(schema, value, old, ""))


def _misfits(schema: Schema, value: Any, path: str) -> Iterator[str]:
    wrong = list(_faults_of_value(schema, value, path))
    yield from wrong
    if wrong:
        return
    for within, each, _, here in _children(schema, value, None, path):
        if within is None:
            yield f"{here}: unknown field"
        else:
            yield from _misfits(within, each, here)


def _broken_within(schema: Schema, value: Any, old: Any, path: str) -> Iterator[str]:
    yield from (f"{path}: {message}" for message in broken_rules(schema, value, old))
    for within, each, before, here in _children(schema, value, old, path):
        yield from _broken_within(within, each, before, here)


def _children(
    schema: Schema, value: Any, old: Any, path: str
) -> Iterator[tuple[Any, Any, Any, str]]:
    """Yield what is within: schema, value, the value before, and where it is."""
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        before = old if isinstance(old, dict) else {}
        for name, each in value.items():
            yield properties.get(name, others), each, before.get(name), f"{path}.{name}"
    if isinstance(value, list):
        for number, each in enumerate(value):
            # Of a list it does not know which item was which before.
            yield schema["items"], each, None, f"{path}[{number}]"


def _faults_of_value(schema: Schema, value: Any, path: str) -> Iterator[str]:
    kind = schema["type"]
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{path}: must be of type {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: unsupported value"
    if kind in ("integer", "number"):
        yield from _faults_of_number(schema, value, path)
    size = {"string": "Length", "array": "Items", "object": "Properties"}.get(kind)
    if size and not schema.get(f"min{size}", 0) <= len(value) <= schema.get(f"max{size}", 1e9):
        yield f"{path}: too few or too many"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path}: should match {schema['pattern']}"
    if kind == "object":
        yield from (
            f"{path}.{name}: required" for name in schema.get("required", ()) if name not in value
        )


def _faults_of_number(schema: Schema, value: float, path: str) -> Iterator[str]:
    least, most = schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))
    if value < least or (schema.get("exclusiveMinimum") and value == least):
        yield f"{path}: too small"
    if value > most or (schema.get("exclusiveMaximum") and value == most):
        yield f"{path}: too large"


def broken_rules(schema: Schema, value: Any, old: Any = None) -> Iterator[str]:
    """Yield the messages of the rules of this very place that a value breaks."""
    for each in schema.get("x-kubernetes-validations", ()):
        of_change = re.search(r"\boldSelf\b", each["rule"])
        if of_change and old is None:
            continue
        activation = {"self": _as_cel(schema, value)}
        if of_change:
            activation["oldSelf"] = _as_cel(schema, old)
        if not _program(each["rule"]).evaluate(activation):
            yield each["message"]


@functools.cache
def _program(rule: str) -> celpy.Runner:
    functions = {"quantity": _quantity, "compareTo": _compared}
    return _ENVIRONMENT.program(_ENVIRONMENT.compile(rule), functions=functions)


# Of the API server's own library: the form and the order of quantities.


def _quantity(text: celtypes.StringType) -> celtypes.DoubleType:
    number, suffix = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", text).groups()
    powers = {"": 1, "m": 1e-3, "k": 1e3, "Ki": 2**10, "M": 1e6, "Mi": 2**20}
    powers |= {"G": 1e9, "Gi": 2**30, "T": 1e12, "Ti": 2**40}
    return celtypes.DoubleType(float(number) * powers[suffix])


def _compared(one: celtypes.DoubleType, other: celtypes.DoubleType) -> celtypes.IntType:
    return celtypes.IntType((one > other) - (one < other))


def _as_cel(schema: Schema, value: Any) -> Any:
    """Return a value as CEL has it: whether a number is whole is the schema's to say."""
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        return celtypes.MapType(
            {
                celtypes.StringType(name): _as_cel(properties.get(name, others), each)
                for name, each in value.items()
            }
        )
    if isinstance(value, list):
        return celtypes.ListType([_as_cel(schema["items"], each) for each in value])
    if schema["type"] == "number":
        return celtypes.DoubleType(value)
    return celpy.json_to_cel(value)
