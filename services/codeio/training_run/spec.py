"""What a user asks of a training run: the `spec` of the resource.

The custom resource's schema is made of these classes (see `definition`), so the
API server, the launcher, the trainer and `codeio train --local` hold a spec to
the same rules. A rule over several fields is written twice, for the API server
in CEL and for Python; a test compares their verdicts.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

DnsLabel = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$")]
Text = Annotated[str, Field(min_length=1, max_length=1024)]


def rule(cel: str, message: str) -> dict[str, str]:
    """Return a rule as the API server evaluates it."""
    return {"rule": cel, "message": message}


def with_rules(*rules: dict[str, str]) -> dict[str, Any]:
    return {"x-kubernetes-validations": list(rules)}


class Part(BaseModel):
    """A part of a spec: camelCase in YAML, nothing unknown, never changed."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )


_NAME_OR_PATH = rule("has(self.name) != has(self.path)", "name or path must be given, and not both")
_VOLUME_HAS_PATH = rule("!has(self.volume) || has(self.path)", "volume needs a path inside it")
_REVISION_HAS_NAME = rule(
    "!has(self.revision) || has(self.name)", "revision is of a hub's name, and there is none"
)


class Located(Part):
    """Something at a hub, in a volume, or on the machine itself."""

    name: Text | None = Field(None, description="Name at the Hugging Face hub.")
    revision: Text | None = Field(None, description="Commit, tag or branch at the hub.")
    path: Text | None = Field(
        None, description="Folder or file; inside the volume, if one is named."
    )
    volume: DnsLabel | None = Field(None, description="PersistentVolumeClaim that holds the path.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.name is None) == (self.path is None):
            raise ValueError(_NAME_OR_PATH["message"])
        if self.volume is not None and self.path is None:
            raise ValueError(_VOLUME_HAS_PATH["message"])
        if self.revision is not None and self.name is None:
            raise ValueError(_REVISION_HAS_NAME["message"])
        return self


_LOCATED_RULES = (_NAME_OR_PATH, _VOLUME_HAS_PATH, _REVISION_HAS_NAME)


class Model(Located):
    """The model to begin with, with its tokenizer: a folder as `save_pretrained` writes it."""

    model_config = ConfigDict(json_schema_extra=with_rules(*_LOCATED_RULES))


Verdict = Literal["Correct", "Wrong", "Unparsable", "Failed", "Timeout"]


class Band(Part):
    """A closed interval of shares."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(rule("self.min <= self.max", "min must not exceed max"))
    )

    min: float = Field(0.0, ge=0, le=1)
    max: float = Field(1.0, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError("min must not exceed max")
        return self


class Selection(Part):
    """Which rows of a snapshot are trained on; all conditions must hold."""

    verdicts: tuple[Verdict, ...] = Field(
        ("Correct",),
        min_length=1,
        max_length=5,
        description="The paper keeps wrong answers too (section 5): name them to do so, and have"
        " the format Codeio, which alone holds them.",
    )
    direction: Literal["Both", "Output", "Input"] = Field(
        "Both", description="Whether the output is predicted, or an input."
    )
    statements: Literal["Any", "NotContradicted", "Supported"] = Field(
        "Any", description="What the claim check must have found of the rationale."
    )
    pass_rate: Band | None = Field(
        None, description="Share of a task's samples that were right at once."
    )
    min_scores: dict[str, float] = Field(
        default_factory=dict,
        max_length=16,
        description="Quality: the least score of the program, by the score's name.",
    )
    max_turns: int | None = Field(None, ge=1, le=16, description="Most answers of a sample.")


_WRONG_ANSWERS = rule(
    "!has(self.select) || !has(self.select.verdicts) || self.select.verdicts == ['Correct']"
    " || (has(self.format) && self.format == 'Codeio')",
    "only the format Codeio holds answers that are not Correct: set format: Codeio",
)


class Source(Located):
    """Rows to train on: a snapshot, one of its files, or chats of instruction data."""

    model_config = ConfigDict(json_schema_extra=with_rules(*_LOCATED_RULES, _WRONG_ANSWERS))

    format: Literal["Messages", "PromptCompletion", "Joined", "ShareGpt", "Codeio"] = Field(
        "Messages",
        description="Which of a snapshot's formats, or the form of the rows. Codeio holds every"
        " sample, right or wrong, the others those that end in a right answer.",
    )
    split: Text = Field("train", description="Split of the data set.")
    weight: float = Field(
        1.0, gt=0, le=1000, description="Share of the samples drawn, beside the others' weights."
    )
    select: Selection | None = Field(
        None, description="Which rows of a snapshot; not for other data. All, unless given."
    )

    @model_validator(mode="after")
    def _holds_them(self) -> Self:
        if self.select and self.select.verdicts != ("Correct",) and self.format != "Codeio":
            raise ValueError(_WRONG_ANSWERS["message"])
        return self


class Data(Part):
    """What is trained on."""

    reasoning: tuple[Source, ...] = Field(
        min_length=1, max_length=16, description="This project's data."
    )
    instruction: tuple[Source, ...] = Field(
        (), max_length=16, description="General instruction data, for the recipes that have it."
    )


class Hyperparameters(Part):
    """What decides the result of a stage. What is not set is as the recipe has it."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            rule(
                "[has(self.epochs), has(self.steps), has(self.tokens)].filter(x, x).size() <= 1",
                "epochs, steps and tokens exclude one another",
            )
        )
    )

    learning_rate: float | None = Field(None, gt=0, le=1, description="The highest.")
    final_learning_rate: float | None = Field(
        None, ge=0, le=1, description="What a schedule ends with."
    )
    schedule: Literal["Constant", "Linear", "Cosine"] | None = None
    warmup_steps: int | None = Field(None, ge=0)
    batch_size: int | None = Field(None, ge=1, le=1 << 20, description="Samples a step, in all.")
    epochs: float | None = Field(None, gt=0, le=1000, description="Length of the stage, or:")
    steps: int | None = Field(None, ge=1, description="Length of the stage, or:")
    tokens: int | None = Field(
        None, ge=1, description="Length: all tokens of the samples, those without loss included."
    )
    max_length: int | None = Field(None, ge=8, le=1 << 20, description="Tokens of a sample.")
    long_samples: Literal["Drop", "Fail"] | None = Field(
        None, description="What becomes of a sample that is longer."
    )
    loss: Literal["Answers", "LastAnswer", "Everything"] | None = Field(
        None, description="Answers: of all turns; LastAnswer: not of those that were wrong."
    )
    weight_decay: float | None = Field(None, ge=0, le=1)
    beta1: float | None = Field(None, ge=0, lt=1)
    beta2: float | None = Field(None, ge=0, lt=1)
    epsilon: float | None = Field(None, gt=0, le=1)
    gradient_clipping: float | None = Field(None, gt=0, description="Largest norm.")

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if sum(each is not None for each in (self.epochs, self.steps, self.tokens)) > 1:
            raise ValueError("epochs, steps and tokens exclude one another")
        return self


class Execution(Part):
    """How a step is computed. It changes no result but by rounding."""

    precision: Literal["BFloat16", "Float32"] = Field(
        "BFloat16", description="Of the computation; weights and optimiser stay in 32 bits."
    )
    parallelism: Literal["Auto", "DDP", "FSDP"] = Field(
        "Auto", description="Auto: FSDP on several GPUs, DDP on several CPUs."
    )
    activation_checkpointing: bool = Field(
        False, description="Compute activations again instead of keeping them."
    )
    compile: bool = Field(False, description="Have torch compile the model.")
    tokens_per_device: int = Field(
        8192, ge=8, le=1 << 24, description="Tokens of packed samples that a process takes at once."
    )


class Toleration(Part):
    """As in a pod."""

    key: Text | None = None
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str | None = Field(None, max_length=63)
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = Field(None, ge=0)


class Workers(Part):
    """The pods that train together. To change them has the run go on from its last checkpoint."""

    nodes: int = Field(1, ge=1, le=1024, description="Number of pods.")
    gpus_per_node: int = Field(0, ge=0, le=64, description="0: on the CPU.")
    processes_per_node: int | None = Field(
        None, ge=1, le=64, description="As many as GPUs, and one without them, unless set."
    )
    gpu_resource: Text = Field("nvidia.com/gpu", description="Name of the extended resource.")
    cpu: Quantity = Field("2", description="Request of a pod.")
    memory: Quantity = Field("8Gi", description="Request and limit of a pod.")
    shared_memory: Quantity = Field(
        "1Gi", description="Shared between its processes; it counts as memory."
    )
    node_selector: dict[str, str] = Field(default_factory=dict, max_length=32)
    tolerations: tuple[Toleration, ...] = Field((), max_length=32)
    priority_class_name: DnsLabel | None = None
    env: dict[str, str] = Field(
        default_factory=dict, max_length=64, description="Such as NCCL_IB_HCA."
    )
    image: Text | None = Field(None, description="In place of the release's trainer image.")

    @property
    def processes(self) -> int:
        """Processes of a pod."""
        return self.processes_per_node or max(1, self.gpus_per_node)


class Checkpoints(Part):
    """Where a run keeps its state, its models and its results."""

    path: Text = Field(
        description="Folder; inside the volume, if one is named. Each run has its own in it."
    )
    volume: DnsLabel | None = Field(
        None, description="PersistentVolumeClaim; several nodes need one they can all write."
    )
    every_steps: int = Field(100, ge=1)
    keep: int = Field(2, ge=1, le=1000, description="Checkpoints of a stage; the oldest go first.")


class HeldOut(Located):
    """A held-out split of this project's data, answered and graded by execution."""

    model_config = ConfigDict(json_schema_extra=with_rules(*_LOCATED_RULES))

    split: Text = "test"


class Evaluation(Part):
    """What the model is measured by, before and after the training."""

    suites: tuple[DnsLabel, ...] = Field(
        (), max_length=64, description="Names of suites or categories; `codeio evaluate --list`."
    )
    held_out: HeldOut | None = None
    files: dict[str, Text] = Field(
        default_factory=dict,
        max_length=64,
        description="A suite's data as a local file, by its name, in place of the hub.",
    )
    volume: DnsLabel | None = Field(None, description="PersistentVolumeClaim of those files.")
    before: bool = Field(True, description="Whether the untouched model is measured too.")
    limit: int | None = Field(None, ge=1, description="Most questions of a suite.")
    max_new_tokens: int = Field(1024, ge=1, le=1 << 17)
    batch_size: int = Field(8, ge=1, le=4096)


Recipe = Literal["TwoStage", "Mixed", "OneStage"]
StageName = Literal["reasoning", "instruction", "mixed"]


def _unchangeable(field: str) -> dict[str, str]:
    return rule(
        f"has(self.{field}) == has(oldSelf.{field})"
        f" && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        f"{field} cannot be changed: make another run",
    )


_STAGES_OF_RECIPE = rule(
    "!has(self.stages) || self.stages.all(stage,"
    " self.recipe == 'TwoStage' ? stage in ['reasoning', 'instruction']"
    " : self.recipe == 'Mixed' ? stage == 'mixed' : stage == 'reasoning')",
    "stages may name those of the recipe: reasoning and instruction of TwoStage, mixed of Mixed,"
    " reasoning of OneStage",
)
_INSTRUCTION_DATA = rule(
    "self.recipe == 'OneStage' || (has(self.data.instruction) && size(self.data.instruction) > 0)",
    "the recipes TwoStage and Mixed need data.instruction",
)
_CANCELLED_FOR_GOOD = rule(
    "!has(oldSelf.cancel) || !oldSelf.cancel || (has(self.cancel) && self.cancel)",
    "cancel cannot be taken back: make another run",
)
_SHARED_CHECKPOINTS = rule(
    "!has(self.workers) || !has(self.workers.nodes) || self.workers.nodes == 1"
    " || has(self.checkpoints.volume)",
    "several nodes need checkpoints.volume, which they all can write",
)


class TrainingRunSpec(Part):
    """What a training run is to do."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            *map(
                _unchangeable,
                ("model", "data", "recipe", "hyperparameters", "stages", "checkpoints", "seed"),
            ),
            _STAGES_OF_RECIPE,
            _INSTRUCTION_DATA,
            _SHARED_CHECKPOINTS,
            _CANCELLED_FOR_GOOD,
        )
    )

    model: Model
    data: Data
    recipe: Recipe = Field(
        "OneStage",
        description="The paper's two stages; both kinds of data at once; or reasoning alone.",
    )
    hyperparameters: Hyperparameters = Field(
        default_factory=Hyperparameters, description="For all stages."
    )
    stages: dict[StageName, Hyperparameters] = Field(
        default_factory=dict, max_length=2, description="For one stage, above those for all."
    )
    execution: Execution = Field(default_factory=Execution)
    workers: Workers = Field(default_factory=Workers)
    checkpoints: Checkpoints
    evaluation: Evaluation | None = None
    seed: int = Field(0, ge=0, le=(1 << 31) - 1, description="Of all that is random.")
    suspend: bool = Field(False, description="Whether to stop for now, keeping the checkpoints.")
    cancel: bool = Field(False, description="Whether to stop for good, keeping the checkpoints.")
    queue_name: DnsLabel | None = Field(None, description="LocalQueue of Kueue that admits it.")
    deadline_seconds: int | None = Field(
        None, ge=1, description="Seconds that its pods may run, in all, before it fails."
    )
    max_restarts: int = Field(
        10, ge=0, le=1000, description="Failures of pods that are borne; disruptions do not count."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        named = set(self.stages)
        if not named <= set(STAGES[self.recipe]):
            raise ValueError(_STAGES_OF_RECIPE["message"])
        if self.recipe != "OneStage" and not self.data.instruction:
            raise ValueError(_INSTRUCTION_DATA["message"])
        if self.workers.nodes > 1 and self.checkpoints.volume is None:
            raise ValueError(_SHARED_CHECKPOINTS["message"])
        return self


STAGES: dict[Recipe, tuple[StageName, ...]] = {
    "TwoStage": ("reasoning", "instruction"),
    "Mixed": ("mixed",),
    "OneStage": ("reasoning",),
}
"""The stages of a recipe, in order."""

EVALUATE_BEFORE = "evaluate-before"
EVALUATE_AFTER = "evaluate-after"


def steps_of(spec: TrainingRunSpec) -> tuple[str, ...]:
    """Return all that is done for a run, in order: its stages, and evaluations around them."""
    stages = STAGES[spec.recipe]
    if spec.evaluation is None:
        return stages
    before = (EVALUATE_BEFORE,) if spec.evaluation.before else ()
    return (*before, *stages, EVALUATE_AFTER)
