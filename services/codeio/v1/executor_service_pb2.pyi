from codeio.v1 import execution_pb2 as _execution_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExecuteStreamRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _execution_pb2.ExecuteRequest
    def __init__(self, request: _Optional[_Union[_execution_pb2.ExecuteRequest, _Mapping]] = ...) -> None: ...

class ExecuteStreamResponse(_message.Message):
    __slots__ = ("index", "result")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    index: int
    result: _execution_pb2.CallResult
    def __init__(self, index: _Optional[int] = ..., result: _Optional[_Union[_execution_pb2.CallResult, _Mapping]] = ...) -> None: ...

class DescribeEnvironmentRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeEnvironmentResponse(_message.Message):
    __slots__ = ("python_version", "lock_hash", "slots", "max_calls", "max_message_bytes", "cpu_seconds", "load_cpu_seconds", "memory_bytes", "value_bytes", "container_items", "string_chars")
    PYTHON_VERSION_FIELD_NUMBER: _ClassVar[int]
    LOCK_HASH_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    MAX_CALLS_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CPU_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LOAD_CPU_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    VALUE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_ITEMS_FIELD_NUMBER: _ClassVar[int]
    STRING_CHARS_FIELD_NUMBER: _ClassVar[int]
    python_version: str
    lock_hash: str
    slots: int
    max_calls: int
    max_message_bytes: int
    cpu_seconds: float
    load_cpu_seconds: float
    memory_bytes: int
    value_bytes: int
    container_items: int
    string_chars: int
    def __init__(self, python_version: _Optional[str] = ..., lock_hash: _Optional[str] = ..., slots: _Optional[int] = ..., max_calls: _Optional[int] = ..., max_message_bytes: _Optional[int] = ..., cpu_seconds: _Optional[float] = ..., load_cpu_seconds: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., value_bytes: _Optional[int] = ..., container_items: _Optional[int] = ..., string_chars: _Optional[int] = ...) -> None: ...
