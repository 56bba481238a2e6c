from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Direction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIRECTION_UNSPECIFIED: _ClassVar[Direction]
    DIRECTION_OUTPUT_PREDICTION: _ClassVar[Direction]
    DIRECTION_INPUT_PREDICTION: _ClassVar[Direction]

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_CORRECT: _ClassVar[Verdict]
    VERDICT_WRONG: _ClassVar[Verdict]
    VERDICT_UNPARSABLE: _ClassVar[Verdict]
    VERDICT_FAILED: _ClassVar[Verdict]
    VERDICT_TIMEOUT: _ClassVar[Verdict]
DIRECTION_UNSPECIFIED: Direction
DIRECTION_OUTPUT_PREDICTION: Direction
DIRECTION_INPUT_PREDICTION: Direction
VERDICT_UNSPECIFIED: Verdict
VERDICT_CORRECT: Verdict
VERDICT_WRONG: Verdict
VERDICT_UNPARSABLE: Verdict
VERDICT_FAILED: Verdict
VERDICT_TIMEOUT: Verdict

class Origin(_message.Message):
    __slots__ = ("source", "path", "licence", "repository", "file_id", "unit")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    source: str
    path: str
    licence: str
    repository: str
    file_id: str
    unit: str
    def __init__(self, source: _Optional[str] = ..., path: _Optional[str] = ..., licence: _Optional[str] = ..., repository: _Optional[str] = ..., file_id: _Optional[str] = ..., unit: _Optional[str] = ...) -> None: ...

class RawFile(_message.Message):
    __slots__ = ("file_id", "content", "source", "path", "licence", "repository", "program")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    content: str
    source: str
    path: str
    licence: str
    repository: str
    program: Program
    def __init__(self, file_id: _Optional[str] = ..., content: _Optional[str] = ..., source: _Optional[str] = ..., path: _Optional[str] = ..., licence: _Optional[str] = ..., repository: _Optional[str] = ..., program: _Optional[_Union[Program, _Mapping]] = ...) -> None: ...

class Program(_message.Message):
    __slots__ = ("program_id", "code", "entry_point", "io_description", "input_generator", "problem_statement", "seed_inputs", "origin", "scores")
    class ScoresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    PROGRAM_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ENTRY_POINT_FIELD_NUMBER: _ClassVar[int]
    IO_DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INPUT_GENERATOR_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_STATEMENT_FIELD_NUMBER: _ClassVar[int]
    SEED_INPUTS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    program_id: str
    code: str
    entry_point: str
    io_description: str
    input_generator: str
    problem_statement: str
    seed_inputs: _containers.RepeatedScalarFieldContainer[str]
    origin: Origin
    scores: _containers.ScalarMap[str, float]
    def __init__(self, program_id: _Optional[str] = ..., code: _Optional[str] = ..., entry_point: _Optional[str] = ..., io_description: _Optional[str] = ..., input_generator: _Optional[str] = ..., problem_statement: _Optional[str] = ..., seed_inputs: _Optional[_Iterable[str]] = ..., origin: _Optional[_Union[Origin, _Mapping]] = ..., scores: _Optional[_Mapping[str, float]] = ...) -> None: ...

class IoPair(_message.Message):
    __slots__ = ("input_json", "output_json")
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    input_json: str
    output_json: str
    def __init__(self, input_json: _Optional[str] = ..., output_json: _Optional[str] = ...) -> None: ...

class ExecutedProgram(_message.Message):
    __slots__ = ("program", "pairs", "python_version", "lock_hash", "distinct_outputs")
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    PYTHON_VERSION_FIELD_NUMBER: _ClassVar[int]
    LOCK_HASH_FIELD_NUMBER: _ClassVar[int]
    DISTINCT_OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    program: Program
    pairs: _containers.RepeatedCompositeFieldContainer[IoPair]
    python_version: str
    lock_hash: str
    distinct_outputs: int
    def __init__(self, program: _Optional[_Union[Program, _Mapping]] = ..., pairs: _Optional[_Iterable[_Union[IoPair, _Mapping]]] = ..., python_version: _Optional[str] = ..., lock_hash: _Optional[str] = ..., distinct_outputs: _Optional[int] = ...) -> None: ...

class PredictionTask(_message.Message):
    __slots__ = ("task_id", "program", "pair", "direction")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    PAIR_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    program: Program
    pair: IoPair
    direction: Direction
    def __init__(self, task_id: _Optional[str] = ..., program: _Optional[_Union[Program, _Mapping]] = ..., pair: _Optional[_Union[IoPair, _Mapping]] = ..., direction: _Optional[_Union[Direction, str]] = ...) -> None: ...

class Claim(_message.Message):
    __slots__ = ("kind", "input_json", "step", "line", "subject", "value_json")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Claim.Kind]
        KIND_VALUE: _ClassVar[Claim.Kind]
        KIND_BRANCH: _ClassVar[Claim.Kind]
        KIND_ITERATIONS: _ClassVar[Claim.Kind]
        KIND_RETURN: _ClassVar[Claim.Kind]
        KIND_OUTPUT: _ClassVar[Claim.Kind]
    KIND_UNSPECIFIED: Claim.Kind
    KIND_VALUE: Claim.Kind
    KIND_BRANCH: Claim.Kind
    KIND_ITERATIONS: Claim.Kind
    KIND_RETURN: Claim.Kind
    KIND_OUTPUT: Claim.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VALUE_JSON_FIELD_NUMBER: _ClassVar[int]
    kind: Claim.Kind
    input_json: str
    step: int
    line: int
    subject: str
    value_json: str
    def __init__(self, kind: _Optional[_Union[Claim.Kind, str]] = ..., input_json: _Optional[str] = ..., step: _Optional[int] = ..., line: _Optional[int] = ..., subject: _Optional[str] = ..., value_json: _Optional[str] = ...) -> None: ...

class StatementCounts(_message.Message):
    __slots__ = ("supported", "contradicted", "unknown")
    SUPPORTED_FIELD_NUMBER: _ClassVar[int]
    CONTRADICTED_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    supported: int
    contradicted: int
    unknown: int
    def __init__(self, supported: _Optional[int] = ..., contradicted: _Optional[int] = ..., unknown: _Optional[int] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("prompt_tokens", "completion_tokens", "cost_usd")
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COST_USD_FIELD_NUMBER: _ClassVar[int]
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    def __init__(self, prompt_tokens: _Optional[int] = ..., completion_tokens: _Optional[int] = ..., cost_usd: _Optional[float] = ...) -> None: ...

class Turn(_message.Message):
    __slots__ = ("prompt", "response", "reasoning", "answer_json", "feedback", "verdict", "claims", "usage", "finish_reason", "statements")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    ANSWER_JSON_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    response: str
    reasoning: str
    answer_json: str
    feedback: str
    verdict: Verdict
    claims: _containers.RepeatedCompositeFieldContainer[Claim]
    usage: Usage
    finish_reason: str
    statements: StatementCounts
    def __init__(self, prompt: _Optional[str] = ..., response: _Optional[str] = ..., reasoning: _Optional[str] = ..., answer_json: _Optional[str] = ..., feedback: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., claims: _Optional[_Iterable[_Union[Claim, _Mapping]]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., finish_reason: _Optional[str] = ..., statements: _Optional[_Union[StatementCounts, _Mapping]] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("sample_id", "sample_index", "prompt_format", "teacher", "task", "turns", "turns_left")
    SAMPLE_ID_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FORMAT_FIELD_NUMBER: _ClassVar[int]
    TEACHER_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    TURNS_LEFT_FIELD_NUMBER: _ClassVar[int]
    sample_id: str
    sample_index: int
    prompt_format: str
    teacher: str
    task: PredictionTask
    turns: _containers.RepeatedCompositeFieldContainer[Turn]
    turns_left: int
    def __init__(self, sample_id: _Optional[str] = ..., sample_index: _Optional[int] = ..., prompt_format: _Optional[str] = ..., teacher: _Optional[str] = ..., task: _Optional[_Union[PredictionTask, _Mapping]] = ..., turns: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ..., turns_left: _Optional[int] = ...) -> None: ...

class Sample(_message.Message):
    __slots__ = ("sample_id", "sample_index", "prompt_format", "teacher", "task", "turns", "verdict", "claims_checked")
    SAMPLE_ID_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FORMAT_FIELD_NUMBER: _ClassVar[int]
    TEACHER_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_CHECKED_FIELD_NUMBER: _ClassVar[int]
    sample_id: str
    sample_index: int
    prompt_format: str
    teacher: str
    task: PredictionTask
    turns: _containers.RepeatedCompositeFieldContainer[Turn]
    verdict: Verdict
    claims_checked: bool
    def __init__(self, sample_id: _Optional[str] = ..., sample_index: _Optional[int] = ..., prompt_format: _Optional[str] = ..., teacher: _Optional[str] = ..., task: _Optional[_Union[PredictionTask, _Mapping]] = ..., turns: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., claims_checked: _Optional[bool] = ...) -> None: ...

class Rejection(_message.Message):
    __slots__ = ("record_id", "stage", "reason", "detail", "origin")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    record_id: str
    stage: str
    reason: str
    detail: str
    origin: Origin
    def __init__(self, record_id: _Optional[str] = ..., stage: _Optional[str] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ..., origin: _Optional[_Union[Origin, _Mapping]] = ...) -> None: ...

class DeadLetter(_message.Message):
    __slots__ = ("key", "value", "headers", "topic", "partition", "offset", "stage", "error", "attempts", "cut")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value: bytes
    headers: _containers.ScalarMap[str, bytes]
    topic: str
    partition: int
    offset: int
    stage: str
    error: str
    attempts: int
    cut: bool
    def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ..., headers: _Optional[_Mapping[str, bytes]] = ..., topic: _Optional[str] = ..., partition: _Optional[int] = ..., offset: _Optional[int] = ..., stage: _Optional[str] = ..., error: _Optional[str] = ..., attempts: _Optional[int] = ..., cut: _Optional[bool] = ...) -> None: ...
