"""The messages of gRPC and the resource have the same fields."""

from __future__ import annotations

from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel

from codeio.trainer_launcher.conversion import message_of, resource_of
from codeio.training_run.spec import TrainingRunSpec
from codeio.training_run.status import TrainingRunStatus
from codeio.v1 import trainer_launcher_service_pb2 as contract
from tests.trainer_launcher.fake import TIME

KINDS = {
    FieldDescriptor.CPPTYPE_STRING: str,
    FieldDescriptor.CPPTYPE_BOOL: bool,
    FieldDescriptor.CPPTYPE_DOUBLE: float,
    FieldDescriptor.CPPTYPE_INT32: int,
    FieldDescriptor.CPPTYPE_INT64: int,
}


# What the launcher keeps for itself, and what follows from the scores.
OF_THE_RESOURCE_ALONE = {"status.stages.measured_by", "status.gain"}


def plain(annotation: Any) -> Any:
    """A type without what it may be besides, and without its bounds."""
    if hasattr(annotation, "__metadata__"):
        return plain(annotation.__origin__)
    if get_origin(annotation) in {Union, UnionType}:
        (kept,) = (each for each in get_args(annotation) if each is not type(None))
        return plain(kept)
    return str if get_origin(annotation) is Literal else annotation


def compare(model: type[BaseModel], message: Descriptor, where: str) -> None:
    fields = {field.json_name: field for field in message.fields}
    named = {
        info.alias or name: info
        for name, info in model.model_fields.items()
        if f"{where}.{name}" not in OF_THE_RESOURCE_ALONE
    }
    assert fields.keys() == named.keys(), where
    for name, info in named.items():
        compare_field(plain(info.annotation), fields[name], f"{where}.{name}")
        required = info.is_required() or where.startswith("status")
        if fields[name].message_type is None and not fields[name].is_repeated and not required:
            assert fields[name].has_presence, f"{where}.{name} cannot be left out"


def compare_field(kind: Any, field: FieldDescriptor, where: str) -> None:
    if get_origin(kind) is dict:
        assert field.message_type.GetOptions().map_entry, where
        compare_field(plain(get_args(kind)[1]), field.message_type.fields_by_name["value"], where)
    elif get_origin(kind) is tuple:
        assert field.is_repeated, where
        compare_kind(plain(get_args(kind)[0]), field, where)
    else:
        compare_kind(kind, field, where)


def compare_kind(kind: Any, field: FieldDescriptor, where: str) -> None:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        compare(kind, field.message_type, where)
    elif field.message_type is not None:
        assert field.message_type.full_name == Timestamp.DESCRIPTOR.full_name, where
        assert kind is str, where
    else:
        assert KINDS[field.cpp_type] is kind, where


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (TrainingRunSpec, contract.TrainingRunSpec.DESCRIPTOR),
        (TrainingRunStatus, contract.TrainingRunStatus.DESCRIPTOR),
    ],
)
def test_every_field_of_the_resource_is_in_the_contract(
    model: type[BaseModel], message: Descriptor
) -> None:
    compare(model, message, "spec" if model is TrainingRunSpec else "status")


def test_what_is_asked_for_by_grpc_comes_back_as_it_was() -> None:
    spec = contract.TrainingRunSpec(
        model={"name": "m"},
        data={"reasoning": [{"path": "p", "weight": 2.0, "select": {"pass_rate": {"max": 0.5}}}]},
        hyperparameters={"tokens": 1 << 40, "learning_rate": 1e-5},
        stages={"reasoning": {"batch_size": 8}},
        checkpoints={"path": "c"},
        workers={"env": {"NCCL_DEBUG": "INFO"}, "gpus_per_node": 8},
        suspend=True,
    )
    resource = resource_of("demo", spec)
    assert resource["spec"]["hyperparameters"] == {"tokens": 1 << 40, "learningRate": 1e-5}
    assert "recipe" not in resource["spec"]
    resource["metadata"] |= {"creationTimestamp": TIME, "generation": 1}
    assert message_of(resource).spec == spec
