"""The resource as the messages of gRPC, and back: both are the same JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from codeio.trainer_launcher.api import RUNS, generation_of
from codeio.training_run.manifest import KIND, parse_manifest
from codeio.v1.trainer_launcher_service_pb2 import TrainingRun

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from codeio.trainer_launcher.api import Resource
    from codeio.v1.trainer_launcher_service_pb2 import TrainingRunSpec


def resource_of(name: str, spec: TrainingRunSpec) -> Resource:
    """Return the resource that a request describes, with what the request sets and no more.

    Raises:
        UsageError: it describes none; the message names the field.
    """
    resource = {
        "apiVersion": RUNS.api_version,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": _with_integers(MessageToDict(spec), spec.DESCRIPTOR),
    }
    run = parse_manifest(resource, source=f"the run {name!r}")
    given = run.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {**resource, "spec": given}


def _with_integers(given: dict[str, Any], message: Any) -> dict[str, Any]:
    """Return JSON whose integers are such: those of 64 bits are strings in protobuf's mapping."""
    made = dict(given)
    for field in message.fields:
        value = given.get(field.json_name)
        if value is None:
            continue
        if field.cpp_type == FieldDescriptor.CPPTYPE_INT64:
            made[field.json_name] = int(value)
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            of = field.message_type.fields_by_name["value"].message_type
            if of is not None:
                made[field.json_name] = {
                    key: _with_integers(each, of) for key, each in value.items()
                }
        elif field.message_type is not None:
            of = field.message_type
            made[field.json_name] = (
                [_with_integers(each, of) for each in value]
                if isinstance(value, list)
                else _with_integers(value, of)
            )
    return made


def message_of(run: Resource) -> TrainingRun:
    """Return a run as it stands; without what a definition of another version has of it."""
    metadata = run["metadata"]
    message = TrainingRun(name=metadata["name"], generation=generation_of(run))
    message.create_time.FromJsonString(metadata["creationTimestamp"])
    _fill(message.spec, run.get("spec"))
    if run.get("status"):
        _fill(message.status, run["status"])
    return message


def _fill(message: Message, given: Any) -> None:
    try:
        ParseDict(given or {}, message, ignore_unknown_fields=True)
    except ParseError:
        message.Clear()
    # There, if empty: it is told apart from one that was left out.
    message.SetInParent()
