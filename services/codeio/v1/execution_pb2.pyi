from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_BATCH: _ClassVar[Priority]
    PRIORITY_INTERACTIVE: _ClassVar[Priority]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_OK: _ClassVar[Outcome]
    OUTCOME_RAISED: _ClassVar[Outcome]
    OUTCOME_NOT_JSON: _ClassVar[Outcome]
    OUTCOME_TOO_LARGE: _ClassVar[Outcome]
    OUTCOME_CPU_TIMEOUT: _ClassVar[Outcome]
    OUTCOME_WALL_TIMEOUT: _ClassVar[Outcome]
    OUTCOME_MEMORY: _ClassVar[Outcome]
    OUTCOME_OUTPUT_FLOOD: _ClassVar[Outcome]
    OUTCOME_EXITED: _ClassVar[Outcome]
    OUTCOME_CRASHED: _ClassVar[Outcome]
    OUTCOME_LOAD_FAILED: _ClassVar[Outcome]
PRIORITY_UNSPECIFIED: Priority
PRIORITY_BATCH: Priority
PRIORITY_INTERACTIVE: Priority
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_OK: Outcome
OUTCOME_RAISED: Outcome
OUTCOME_NOT_JSON: Outcome
OUTCOME_TOO_LARGE: Outcome
OUTCOME_CPU_TIMEOUT: Outcome
OUTCOME_WALL_TIMEOUT: Outcome
OUTCOME_MEMORY: Outcome
OUTCOME_OUTPUT_FLOOD: Outcome
OUTCOME_EXITED: Outcome
OUTCOME_CRASHED: Outcome
OUTCOME_LOAD_FAILED: Outcome

class ExecuteRequest(_message.Message):
    __slots__ = ("code", "entry_point", "calls", "replica", "trace_steps", "unlimited_sizes", "priority")
    CODE_FIELD_NUMBER: _ClassVar[int]
    ENTRY_POINT_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    TRACE_STEPS_FIELD_NUMBER: _ClassVar[int]
    UNLIMITED_SIZES_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    code: str
    entry_point: str
    calls: _containers.RepeatedCompositeFieldContainer[Call]
    replica: int
    trace_steps: int
    unlimited_sizes: bool
    priority: Priority
    def __init__(self, code: _Optional[str] = ..., entry_point: _Optional[str] = ..., calls: _Optional[_Iterable[_Union[Call, _Mapping]]] = ..., replica: _Optional[int] = ..., trace_steps: _Optional[int] = ..., unlimited_sizes: _Optional[bool] = ..., priority: _Optional[_Union[Priority, str]] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("input_json", "seed", "stdin")
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STDIN_FIELD_NUMBER: _ClassVar[int]
    input_json: str
    seed: int
    stdin: str
    def __init__(self, input_json: _Optional[str] = ..., seed: _Optional[int] = ..., stdin: _Optional[str] = ...) -> None: ...

class CallResult(_message.Message):
    __slots__ = ("outcome", "output_json", "error_type", "error_message", "error_line", "cpu_seconds", "effects", "stdout", "mutated_arguments", "arguments_after_json", "trace_json", "near_limit")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ERROR_LINE_FIELD_NUMBER: _ClassVar[int]
    CPU_SECONDS_FIELD_NUMBER: _ClassVar[int]
    EFFECTS_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    MUTATED_ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_AFTER_JSON_FIELD_NUMBER: _ClassVar[int]
    TRACE_JSON_FIELD_NUMBER: _ClassVar[int]
    NEAR_LIMIT_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    output_json: str
    error_type: str
    error_message: str
    error_line: int
    cpu_seconds: float
    effects: _containers.RepeatedScalarFieldContainer[str]
    stdout: str
    mutated_arguments: bool
    arguments_after_json: str
    trace_json: str
    near_limit: bool
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., output_json: _Optional[str] = ..., error_type: _Optional[str] = ..., error_message: _Optional[str] = ..., error_line: _Optional[int] = ..., cpu_seconds: _Optional[float] = ..., effects: _Optional[_Iterable[str]] = ..., stdout: _Optional[str] = ..., mutated_arguments: _Optional[bool] = ..., arguments_after_json: _Optional[str] = ..., trace_json: _Optional[str] = ..., near_limit: _Optional[bool] = ...) -> None: ...

class ExecuteResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[CallResult]
    def __init__(self, results: _Optional[_Iterable[_Union[CallResult, _Mapping]]] = ...) -> None: ...
