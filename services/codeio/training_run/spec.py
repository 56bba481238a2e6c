"""What a user asks of a training run: the `spec` of the resource."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from codeio.training_run.hyperparameters import (
    STAGES,
    Hyperparameters,
    Recipe,
    StageName,
    laid_over,
)
from codeio.training_run.part import DnsLabel, DnsSubdomain, Located, Part, Rule, Text
from codeio.training_run.stage_rules import STAGE_RULES
from codeio.training_run.suites import SUITES, Category, SuiteName
from codeio.training_run.training_data import Data, evenly_weighted

__all__ = [
    "EVALUATE_AFTER",
    "EVALUATE_BEFORE",
    "STAGES",
    "Checkpoints",
    "Data",
    "Evaluation",
    "Execution",
    "HeldOut",
    "Hyperparameters",
    "Located",
    "Model",
    "Part",
    "Recipe",
    "StageName",
    "Toleration",
    "TrainingRunSpec",
    "Workers",
    "steps_of",
]

Quantity = Annotated[
    str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$", max_length=24)
]
_SUFFIXES = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T"), 1)},
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti"), 1)},
}


class Model(Located):
    """The model to begin with, with its tokenizer: a folder as `save_pretrained` writes it."""


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


class SecretReference(Part):
    """A Secret of the run's namespace."""

    name: DnsSubdomain = Field(description="Its name.")


class EnvironmentSource(Part):
    """As in a pod: each key of a Secret becomes a variable."""

    secret_ref: SecretReference


class Workers(Part):
    """The pods that train together. To change them has the run go on from its last checkpoint."""

    rules = (
        Rule(
            "processesPerNode must be gpusPerNode where there are GPUs: each process has one",
            "!has(self.gpusPerNode) || self.gpusPerNode == 0 || !has(self.processesPerNode)"
            " || self.processesPerNode == self.gpusPerNode",
            lambda workers: (
                not workers.gpus_per_node
                or workers.processes_per_node in {None, workers.gpus_per_node}
            ),
        ),
        Rule(
            "sharedMemory, which is 1Gi unless set, must not exceed memory, of which it is a part",
            "!has(self.sharedMemory) || !has(self.memory)"
            " || quantity(self.sharedMemory).compareTo(quantity(self.memory)) <= 0",
            lambda workers: _amount(workers.shared_memory) <= _amount(workers.memory),
        ),
        Rule(
            "names in env must be letters, digits and underscores, and begin with no digit",
            "!has(self.env) || self.env.all(name, name.matches('^[A-Za-z_][A-Za-z0-9_]*$'))",
            lambda workers: all(
                re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) for name in workers.env
            ),
        ),
    )

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
    priority_class_name: DnsSubdomain | None = None
    env: dict[str, str] = Field(
        default_factory=dict, max_length=64, description="Such as NCCL_SOCKET_IFNAME."
    )
    env_from: tuple[EnvironmentSource, ...] = Field(
        (), max_length=16, description="Secrets of further variables, such as HF_TOKEN."
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
    volume: DnsSubdomain | None = Field(
        None, description="PersistentVolumeClaim that all pods can write; a cluster needs one."
    )
    every_steps: int = Field(100, ge=1)
    keep: int = Field(2, ge=1, le=1000, description="Checkpoints of a stage; the oldest go first.")


class HeldOut(Located):
    """A held-out split of this project's data, answered and graded by execution."""

    split: Text = "test"


class Evaluation(Part):
    """What the model is measured by, before and after the training."""

    rules = (
        Rule(
            "evaluation needs suites or heldOut: there is nothing to measure",
            "(has(self.suites) && size(self.suites) > 0) || has(self.heldOut)",
            lambda evaluation: bool(evaluation.suites) or evaluation.held_out is not None,
        ),
        Rule(
            f"files may be given for {', '.join(SUITES)}",
            f"!has(self.files) || self.files.all(name, name in {list(SUITES)})",
            lambda evaluation: evaluation.files.keys() <= set(SUITES),
        ),
    )

    suites: tuple[Literal[SuiteName, Category], ...] = Field(
        (), max_length=64, description="Names of suites or categories; `codeio evaluate --list`."
    )
    held_out: HeldOut | None = None
    files: dict[str, Text] = Field(
        default_factory=dict,
        max_length=64,
        description="A suite's data as a local file, by its name, in place of the hub.",
    )
    volume: DnsSubdomain | None = Field(None, description="PersistentVolumeClaim of those files.")
    before: bool = Field(True, description="Whether the untouched model is measured too.")
    limit: int | None = Field(None, ge=1, description="Most questions of a suite.")
    max_new_tokens: int = Field(1024, ge=1, le=1 << 17)
    batch_size: int = Field(8, ge=1, le=4096)


def _unchangeable(field: str) -> Rule:
    return Rule(
        f"{field} cannot be changed: make another run",
        f"has(self.{field}) == has(oldSelf.{field})"
        f" && (!has(self.{field}) || self.{field} == oldSelf.{field})",
    )


class TrainingRunSpec(Part):
    """What a training run is to do."""

    rules = (
        *map(
            _unchangeable,
            ("model", "data", "recipe", "hyperparameters", "stages", "checkpoints", "seed"),
        ),
        Rule(
            "cancel cannot be taken back: make another run",
            "!has(oldSelf.cancel) || !oldSelf.cancel || (has(self.cancel) && self.cancel)",
        ),
        Rule(
            "stages may name those of the recipe: reasoning and instruction of TwoStage, mixed of"
            " Mixed, reasoning of OneStage",
            "!has(self.stages) || self.stages.all(stage,"
            " self.recipe == 'TwoStage' ? stage in ['reasoning', 'instruction']"
            " : self.recipe == 'Mixed' ? stage == 'mixed' : stage == 'reasoning')",
            lambda spec: spec.stages.keys() <= set(STAGES[spec.recipe]),
        ),
        Rule(
            "the recipes TwoStage and Mixed need data.instruction",
            "self.recipe == 'OneStage'"
            " || (has(self.data.instruction) && size(self.data.instruction) > 0)",
            lambda spec: spec.recipe == "OneStage" or bool(spec.data.instruction),
        ),
        Rule(
            "data.instruction needs the recipe TwoStage or Mixed",
            "self.recipe != 'OneStage'"
            " || !has(self.data.instruction) || size(self.data.instruction) == 0",
            lambda spec: spec.recipe != "OneStage" or not spec.data.instruction,
        ),
        Rule(
            "the recipe Mixed needs a weight of each source or of none, in data.reasoning and"
            " data.instruction alike",
            "self.recipe != 'Mixed' || !has(self.data.instruction)"
            " || self.data.reasoning.exists(each, has(each.weight))"
            " == self.data.instruction.exists(each, has(each.weight))",
            lambda spec: (
                spec.recipe != "Mixed"
                or evenly_weighted((*spec.data.reasoning, *spec.data.instruction))
            ),
        ),
        Rule(
            "a run on a cluster needs checkpoints.volume, which all of its pods can write: what"
            " is in a pod goes with it",
            "has(self.checkpoints.volume)",
            # With --local it may be a folder of the machine.
        ),
        *STAGE_RULES,
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
        None,
        ge=1,
        description="Seconds before it fails, in all, while its pods are asked for or run: waiting"
        " for nodes and images included, suspended or queued not.",
    )
    max_restarts: int = Field(
        10, ge=0, le=1000, description="Failures of pods that are borne; disruptions do not count."
    )

    def wishes_for(self, stage: StageName) -> tuple[Hyperparameters, Hyperparameters]:
        """Return what is set for all stages, and what for this one, which stands above."""
        return self.hyperparameters, self.stages.get(stage, Hyperparameters())

    def hyperparameters_of(self, stage: StageName) -> dict[str, Any]:
        """Return all hyperparameters of a stage, the paper's where none are set."""
        return laid_over(stage, *self.wishes_for(stage))


def _amount(quantity: str) -> Decimal:
    number = quantity.rstrip("mkKMGTi")
    return Decimal(number) * _SUFFIXES[quantity[len(number) :]]


EVALUATE_BEFORE = "evaluate-before"
EVALUATE_AFTER = "evaluate-after"


def steps_of(spec: TrainingRunSpec) -> tuple[str, ...]:
    """Return all that is done for a run, in order: its stages, and evaluations around them."""
    stages = STAGES[spec.recipe]
    if spec.evaluation is None:
        return stages
    before = (EVALUATE_BEFORE,) if spec.evaluation.before else ()
    return (*before, *stages, EVALUATE_AFTER)
