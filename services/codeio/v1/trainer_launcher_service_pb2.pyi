import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrainingRun(_message.Message):
    __slots__ = ("name", "spec", "status", "create_time", "generation")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    name: str
    spec: TrainingRunSpec
    status: TrainingRunStatus
    create_time: _timestamp_pb2.Timestamp
    generation: int
    def __init__(self, name: _Optional[str] = ..., spec: _Optional[_Union[TrainingRunSpec, _Mapping]] = ..., status: _Optional[_Union[TrainingRunStatus, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., generation: _Optional[int] = ...) -> None: ...

class TrainingRunSpec(_message.Message):
    __slots__ = ("model", "data", "recipe", "hyperparameters", "stages", "execution", "workers", "checkpoints", "evaluation", "seed", "suspend", "cancel", "queue_name", "deadline_seconds", "max_restarts")
    class StagesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: TrainingHyperparameters
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[TrainingHyperparameters, _Mapping]] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    HYPERPARAMETERS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SUSPEND_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MAX_RESTARTS_FIELD_NUMBER: _ClassVar[int]
    model: TrainingModel
    data: TrainingData
    recipe: str
    hyperparameters: TrainingHyperparameters
    stages: _containers.MessageMap[str, TrainingHyperparameters]
    execution: TrainingExecution
    workers: TrainingWorkers
    checkpoints: TrainingCheckpoints
    evaluation: TrainingEvaluation
    seed: int
    suspend: bool
    cancel: bool
    queue_name: str
    deadline_seconds: int
    max_restarts: int
    def __init__(self, model: _Optional[_Union[TrainingModel, _Mapping]] = ..., data: _Optional[_Union[TrainingData, _Mapping]] = ..., recipe: _Optional[str] = ..., hyperparameters: _Optional[_Union[TrainingHyperparameters, _Mapping]] = ..., stages: _Optional[_Mapping[str, TrainingHyperparameters]] = ..., execution: _Optional[_Union[TrainingExecution, _Mapping]] = ..., workers: _Optional[_Union[TrainingWorkers, _Mapping]] = ..., checkpoints: _Optional[_Union[TrainingCheckpoints, _Mapping]] = ..., evaluation: _Optional[_Union[TrainingEvaluation, _Mapping]] = ..., seed: _Optional[int] = ..., suspend: _Optional[bool] = ..., cancel: _Optional[bool] = ..., queue_name: _Optional[str] = ..., deadline_seconds: _Optional[int] = ..., max_restarts: _Optional[int] = ...) -> None: ...

class TrainingModel(_message.Message):
    __slots__ = ("name", "revision", "path", "volume")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: str
    path: str
    volume: str
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[str] = ..., path: _Optional[str] = ..., volume: _Optional[str] = ...) -> None: ...

class TrainingData(_message.Message):
    __slots__ = ("reasoning", "instruction")
    REASONING_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    reasoning: _containers.RepeatedCompositeFieldContainer[TrainingSource]
    instruction: _containers.RepeatedCompositeFieldContainer[TrainingSource]
    def __init__(self, reasoning: _Optional[_Iterable[_Union[TrainingSource, _Mapping]]] = ..., instruction: _Optional[_Iterable[_Union[TrainingSource, _Mapping]]] = ...) -> None: ...

class TrainingSource(_message.Message):
    __slots__ = ("name", "revision", "path", "volume", "format", "split", "weight", "select")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SELECT_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: str
    path: str
    volume: str
    format: str
    split: str
    weight: float
    select: TrainingSelection
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[str] = ..., path: _Optional[str] = ..., volume: _Optional[str] = ..., format: _Optional[str] = ..., split: _Optional[str] = ..., weight: _Optional[float] = ..., select: _Optional[_Union[TrainingSelection, _Mapping]] = ...) -> None: ...

class TrainingSelection(_message.Message):
    __slots__ = ("verdicts", "direction", "statements", "pass_rate", "min_scores", "max_turns")
    class MinScoresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    PASS_RATE_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORES_FIELD_NUMBER: _ClassVar[int]
    MAX_TURNS_FIELD_NUMBER: _ClassVar[int]
    verdicts: _containers.RepeatedScalarFieldContainer[str]
    direction: str
    statements: str
    pass_rate: TrainingBand
    min_scores: _containers.ScalarMap[str, float]
    max_turns: int
    def __init__(self, verdicts: _Optional[_Iterable[str]] = ..., direction: _Optional[str] = ..., statements: _Optional[str] = ..., pass_rate: _Optional[_Union[TrainingBand, _Mapping]] = ..., min_scores: _Optional[_Mapping[str, float]] = ..., max_turns: _Optional[int] = ...) -> None: ...

class TrainingBand(_message.Message):
    __slots__ = ("min", "max")
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    min: float
    max: float
    def __init__(self, min: _Optional[float] = ..., max: _Optional[float] = ...) -> None: ...

class TrainingHyperparameters(_message.Message):
    __slots__ = ("learning_rate", "final_learning_rate", "schedule", "warmup_steps", "batch_size", "epochs", "steps", "tokens", "max_length", "long_samples", "loss", "weight_decay", "beta1", "beta2", "epsilon", "gradient_clipping")
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    FINAL_LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    WARMUP_STEPS_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_LENGTH_FIELD_NUMBER: _ClassVar[int]
    LONG_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: _ClassVar[int]
    BETA1_FIELD_NUMBER: _ClassVar[int]
    BETA2_FIELD_NUMBER: _ClassVar[int]
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_CLIPPING_FIELD_NUMBER: _ClassVar[int]
    learning_rate: float
    final_learning_rate: float
    schedule: str
    warmup_steps: int
    batch_size: int
    epochs: float
    steps: int
    tokens: int
    max_length: int
    long_samples: str
    loss: str
    weight_decay: float
    beta1: float
    beta2: float
    epsilon: float
    gradient_clipping: float
    def __init__(self, learning_rate: _Optional[float] = ..., final_learning_rate: _Optional[float] = ..., schedule: _Optional[str] = ..., warmup_steps: _Optional[int] = ..., batch_size: _Optional[int] = ..., epochs: _Optional[float] = ..., steps: _Optional[int] = ..., tokens: _Optional[int] = ..., max_length: _Optional[int] = ..., long_samples: _Optional[str] = ..., loss: _Optional[str] = ..., weight_decay: _Optional[float] = ..., beta1: _Optional[float] = ..., beta2: _Optional[float] = ..., epsilon: _Optional[float] = ..., gradient_clipping: _Optional[float] = ...) -> None: ...

class TrainingExecution(_message.Message):
    __slots__ = ("precision", "parallelism", "activation_checkpointing", "compile", "tokens_per_device")
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    PARALLELISM_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_CHECKPOINTING_FIELD_NUMBER: _ClassVar[int]
    COMPILE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_DEVICE_FIELD_NUMBER: _ClassVar[int]
    precision: str
    parallelism: str
    activation_checkpointing: bool
    compile: bool
    tokens_per_device: int
    def __init__(self, precision: _Optional[str] = ..., parallelism: _Optional[str] = ..., activation_checkpointing: _Optional[bool] = ..., compile: _Optional[bool] = ..., tokens_per_device: _Optional[int] = ...) -> None: ...

class TrainingWorkers(_message.Message):
    __slots__ = ("nodes", "gpus_per_node", "processes_per_node", "gpu_resource", "cpu", "memory", "shared_memory", "node_selector", "tolerations", "priority_class_name", "env", "image", "env_from")
    class NodeSelectorEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class EnvEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NODES_FIELD_NUMBER: _ClassVar[int]
    GPUS_PER_NODE_FIELD_NUMBER: _ClassVar[int]
    PROCESSES_PER_NODE_FIELD_NUMBER: _ClassVar[int]
    GPU_RESOURCE_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    SHARED_MEMORY_FIELD_NUMBER: _ClassVar[int]
    NODE_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    TOLERATIONS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_CLASS_NAME_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    ENV_FROM_FIELD_NUMBER: _ClassVar[int]
    nodes: int
    gpus_per_node: int
    processes_per_node: int
    gpu_resource: str
    cpu: str
    memory: str
    shared_memory: str
    node_selector: _containers.ScalarMap[str, str]
    tolerations: _containers.RepeatedCompositeFieldContainer[TrainingToleration]
    priority_class_name: str
    env: _containers.ScalarMap[str, str]
    image: str
    env_from: _containers.RepeatedCompositeFieldContainer[TrainingEnvironmentSource]
    def __init__(self, nodes: _Optional[int] = ..., gpus_per_node: _Optional[int] = ..., processes_per_node: _Optional[int] = ..., gpu_resource: _Optional[str] = ..., cpu: _Optional[str] = ..., memory: _Optional[str] = ..., shared_memory: _Optional[str] = ..., node_selector: _Optional[_Mapping[str, str]] = ..., tolerations: _Optional[_Iterable[_Union[TrainingToleration, _Mapping]]] = ..., priority_class_name: _Optional[str] = ..., env: _Optional[_Mapping[str, str]] = ..., image: _Optional[str] = ..., env_from: _Optional[_Iterable[_Union[TrainingEnvironmentSource, _Mapping]]] = ...) -> None: ...

class TrainingEnvironmentSource(_message.Message):
    __slots__ = ("secret_ref",)
    SECRET_REF_FIELD_NUMBER: _ClassVar[int]
    secret_ref: TrainingSecretReference
    def __init__(self, secret_ref: _Optional[_Union[TrainingSecretReference, _Mapping]] = ...) -> None: ...

class TrainingSecretReference(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class TrainingToleration(_message.Message):
    __slots__ = ("key", "operator", "value", "effect", "toleration_seconds")
    KEY_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    TOLERATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    key: str
    operator: str
    value: str
    effect: str
    toleration_seconds: int
    def __init__(self, key: _Optional[str] = ..., operator: _Optional[str] = ..., value: _Optional[str] = ..., effect: _Optional[str] = ..., toleration_seconds: _Optional[int] = ...) -> None: ...

class TrainingCheckpoints(_message.Message):
    __slots__ = ("path", "volume", "every_steps", "keep")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    EVERY_STEPS_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    path: str
    volume: str
    every_steps: int
    keep: int
    def __init__(self, path: _Optional[str] = ..., volume: _Optional[str] = ..., every_steps: _Optional[int] = ..., keep: _Optional[int] = ...) -> None: ...

class TrainingEvaluation(_message.Message):
    __slots__ = ("suites", "held_out", "files", "volume", "before", "limit", "max_new_tokens", "batch_size")
    class FilesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SUITES_FIELD_NUMBER: _ClassVar[int]
    HELD_OUT_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    MAX_NEW_TOKENS_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    suites: _containers.RepeatedScalarFieldContainer[str]
    held_out: TrainingHeldOut
    files: _containers.ScalarMap[str, str]
    volume: str
    before: bool
    limit: int
    max_new_tokens: int
    batch_size: int
    def __init__(self, suites: _Optional[_Iterable[str]] = ..., held_out: _Optional[_Union[TrainingHeldOut, _Mapping]] = ..., files: _Optional[_Mapping[str, str]] = ..., volume: _Optional[str] = ..., before: _Optional[bool] = ..., limit: _Optional[int] = ..., max_new_tokens: _Optional[int] = ..., batch_size: _Optional[int] = ...) -> None: ...

class TrainingHeldOut(_message.Message):
    __slots__ = ("name", "revision", "path", "volume", "split")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: str
    path: str
    volume: str
    split: str
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[str] = ..., path: _Optional[str] = ..., volume: _Optional[str] = ..., split: _Optional[str] = ...) -> None: ...

class TrainingRunStatus(_message.Message):
    __slots__ = ("observed_generation", "conditions", "stages", "progress", "checkpoint", "scores", "active_seconds", "active_since")
    OBSERVED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_SINCE_FIELD_NUMBER: _ClassVar[int]
    observed_generation: int
    conditions: _containers.RepeatedCompositeFieldContainer[TrainingCondition]
    stages: _containers.RepeatedCompositeFieldContainer[TrainingStageStatus]
    progress: TrainingProgress
    checkpoint: str
    scores: _containers.RepeatedCompositeFieldContainer[TrainingScore]
    active_seconds: int
    active_since: _timestamp_pb2.Timestamp
    def __init__(self, observed_generation: _Optional[int] = ..., conditions: _Optional[_Iterable[_Union[TrainingCondition, _Mapping]]] = ..., stages: _Optional[_Iterable[_Union[TrainingStageStatus, _Mapping]]] = ..., progress: _Optional[_Union[TrainingProgress, _Mapping]] = ..., checkpoint: _Optional[str] = ..., scores: _Optional[_Iterable[_Union[TrainingScore, _Mapping]]] = ..., active_seconds: _Optional[int] = ..., active_since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TrainingCondition(_message.Message):
    __slots__ = ("type", "status", "reason", "message", "last_transition_time", "observed_generation")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LAST_TRANSITION_TIME_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    type: str
    status: str
    reason: str
    message: str
    last_transition_time: _timestamp_pb2.Timestamp
    observed_generation: int
    def __init__(self, type: _Optional[str] = ..., status: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., last_transition_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., observed_generation: _Optional[int] = ...) -> None: ...

class TrainingStageStatus(_message.Message):
    __slots__ = ("name", "state", "job", "pod", "start_time", "completion_time", "restarts", "loss", "tokens")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TIME_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: str
    job: str
    pod: str
    start_time: _timestamp_pb2.Timestamp
    completion_time: _timestamp_pb2.Timestamp
    restarts: int
    loss: float
    tokens: int
    def __init__(self, name: _Optional[str] = ..., state: _Optional[str] = ..., job: _Optional[str] = ..., pod: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., completion_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., restarts: _Optional[int] = ..., loss: _Optional[float] = ..., tokens: _Optional[int] = ...) -> None: ...

class TrainingProgress(_message.Message):
    __slots__ = ("stage", "step", "steps", "loss", "learning_rate", "tokens", "tokens_per_second", "seconds_left", "checkpoint_step")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    SECONDS_LEFT_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_STEP_FIELD_NUMBER: _ClassVar[int]
    stage: str
    step: int
    steps: int
    loss: float
    learning_rate: float
    tokens: int
    tokens_per_second: float
    seconds_left: float
    checkpoint_step: int
    def __init__(self, stage: _Optional[str] = ..., step: _Optional[int] = ..., steps: _Optional[int] = ..., loss: _Optional[float] = ..., learning_rate: _Optional[float] = ..., tokens: _Optional[int] = ..., tokens_per_second: _Optional[float] = ..., seconds_left: _Optional[float] = ..., checkpoint_step: _Optional[int] = ...) -> None: ...

class TrainingScore(_message.Message):
    __slots__ = ("category", "suite", "questions", "before", "after", "gain")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    SUITE_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    GAIN_FIELD_NUMBER: _ClassVar[int]
    category: str
    suite: str
    questions: int
    before: TrainingEstimate
    after: TrainingEstimate
    gain: TrainingEstimate
    def __init__(self, category: _Optional[str] = ..., suite: _Optional[str] = ..., questions: _Optional[int] = ..., before: _Optional[_Union[TrainingEstimate, _Mapping]] = ..., after: _Optional[_Union[TrainingEstimate, _Mapping]] = ..., gain: _Optional[_Union[TrainingEstimate, _Mapping]] = ...) -> None: ...

class TrainingEstimate(_message.Message):
    __slots__ = ("value", "low", "high")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    value: float
    low: float
    high: float
    def __init__(self, value: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class CreateTrainingRunRequest(_message.Message):
    __slots__ = ("name", "spec", "dry_run")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    name: str
    spec: TrainingRunSpec
    dry_run: bool
    def __init__(self, name: _Optional[str] = ..., spec: _Optional[_Union[TrainingRunSpec, _Mapping]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class CreateTrainingRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: TrainingRun
    def __init__(self, run: _Optional[_Union[TrainingRun, _Mapping]] = ...) -> None: ...

class GetTrainingRunRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetTrainingRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: TrainingRun
    def __init__(self, run: _Optional[_Union[TrainingRun, _Mapping]] = ...) -> None: ...

class ListTrainingRunsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListTrainingRunsResponse(_message.Message):
    __slots__ = ("runs", "next_page_token")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[TrainingRun]
    next_page_token: str
    def __init__(self, runs: _Optional[_Iterable[_Union[TrainingRun, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchTrainingRunRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class WatchTrainingRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: TrainingRun
    def __init__(self, run: _Optional[_Union[TrainingRun, _Mapping]] = ...) -> None: ...

class CancelTrainingRunRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class CancelTrainingRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: TrainingRun
    def __init__(self, run: _Optional[_Union[TrainingRun, _Mapping]] = ...) -> None: ...
