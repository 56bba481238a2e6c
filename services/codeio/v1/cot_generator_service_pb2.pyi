from codeio.v1 import records_pb2 as _records_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GenerateRequest(_message.Message):
    __slots__ = ("task", "samples")
    TASK_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    task: _records_pb2.PredictionTask
    samples: int
    def __init__(self, task: _Optional[_Union[_records_pb2.PredictionTask, _Mapping]] = ..., samples: _Optional[int] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("attempts",)
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    attempts: _containers.RepeatedCompositeFieldContainer[_records_pb2.Attempt]
    def __init__(self, attempts: _Optional[_Iterable[_Union[_records_pb2.Attempt, _Mapping]]] = ...) -> None: ...

class ReviseRequest(_message.Message):
    __slots__ = ("attempt",)
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    attempt: _records_pb2.Attempt
    def __init__(self, attempt: _Optional[_Union[_records_pb2.Attempt, _Mapping]] = ...) -> None: ...

class ReviseResponse(_message.Message):
    __slots__ = ("attempt",)
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    attempt: _records_pb2.Attempt
    def __init__(self, attempt: _Optional[_Union[_records_pb2.Attempt, _Mapping]] = ...) -> None: ...
