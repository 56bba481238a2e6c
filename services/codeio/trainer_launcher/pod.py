"""The pods of a step, as the Job makes them: Pod Security `restricted`, whatever the GPUs."""

from __future__ import annotations

import json
import math
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from codeio.trainer_launcher import grading
from codeio.trainer_launcher.api import RUNS
from codeio.training_run import environment
from codeio.training_run.definition import known_fields
from codeio.training_run.manifest import KIND
from codeio.training_run.places import VOLUMES
from codeio.training_run.spec import STAGES, TrainingRunSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeio.runtime.settings import TrainerLauncherSettings
    from codeio.trainer_launcher.api import Resource
    from codeio.training_run.spec import Located

CONTAINER = "trainer"
METRICS_PORT = 9090

_USER = 65532


def manifest(run: Resource) -> dict[str, Any]:
    """Return a run as its user wrote it, of what matters to those who carry it out.

    Fields that only a newer definition has are left out: its defaults are in all runs.
    """
    return {
        "apiVersion": RUNS.api_version,
        "kind": KIND,
        "metadata": {"name": run["metadata"]["name"]},
        "spec": known_fields(TrainingRunSpec, run.get("spec")),
    }


def asked_for(spec: TrainingRunSpec) -> dict[str, Any]:
    """Return of a spec what is not so by default.

    The API server writes defaults into what it gives out, of fields that are newer than the run
    too: nobody asked for these, and an older `workers.image` does not know them.
    """
    return spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def pods_of(spec: TrainingRunSpec, step: str) -> int:
    """Return how many pods a step has: one where a model is measured."""
    return 1 if _measures(spec, step) else spec.workers.nodes


def gpus_of(spec: TrainingRunSpec, step: str) -> int:
    """Return how many GPUs a pod of a step asks for: where a model is measured, what it may need.

    A training has 16 bytes a parameter, which FSDP divides among all GPUs; a model that is
    measured has 2, or 4 in Float32, and fills at most 0.8 of a GPU (`codeio.evaluation.model`).
    """
    workers, execution = spec.workers, spec.execution
    if not _measures(spec, step):
        return workers.gpus_per_node
    if execution.parallelism == "DDP":
        return min(1, workers.gpus_per_node)
    for_one = 3 if execution.precision == "Float32" else 6
    needed = math.ceil(workers.nodes * workers.gpus_per_node / for_one)
    return min(needed, workers.gpus_per_node)


def pod_template(  # noqa: PLR0913
    run: Resource,
    spec: TrainingRunSpec,
    step: str,
    *,
    labels: dict[str, str],
    host: str,
    settings: TrainerLauncherSettings,
) -> dict[str, Any]:
    """Return the template of the step's pods; `host` is the name of the Job and the Service."""
    workers = spec.workers
    pod: dict[str, Any] = {
        # Its failures are the Job's to judge.
        "restartPolicy": "Never",
        # With the host name that an Indexed Job gives: HOST-0.HOST.
        "subdomain": host,
        "serviceAccountName": settings.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": settings.grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            # Not every file of a volume of models, for every pod.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(run, spec, step, host=host, settings=settings)],
        "volumes": [
            {"name": "shared-memory", "emptyDir": _memory(workers.shared_memory)},
            {"name": "tmp", "emptyDir": {}},
            *(
                {"name": f"claim-{number}", "persistentVolumeClaim": {"claimName": claim}}
                for number, (claim, _) in enumerate(_claims(spec))
            ),
            *(grading.volumes(settings) if _measures(spec, step) else ()),
        ],
    }
    if settings.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in settings.image_pull_secrets]
    if workers.node_selector:
        pod["nodeSelector"] = dict(workers.node_selector)
    if workers.tolerations:
        pod["tolerations"] = [
            each.model_dump(by_alias=True, exclude_none=True) for each in workers.tolerations
        ]
    if workers.priority_class_name:
        pod["priorityClassName"] = workers.priority_class_name
    if pods_of(spec, step) > 1:
        pod["topologySpreadConstraints"] = [_one_a_node(labels)]
    return {"metadata": {"labels": labels}, "spec": pod}


def _container(
    run: Resource,
    spec: TrainingRunSpec,
    step: str,
    *,
    host: str,
    settings: TrainerLauncherSettings,
) -> dict[str, Any]:
    workers = spec.workers
    limits: dict[str, Any] = {"memory": workers.memory}
    if gpus := gpus_of(spec, step):
        limits[workers.gpu_resource] = str(gpus)
    made = {
        "name": CONTAINER,
        "image": workers.image or settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "args": ["train", "--stage", step],
        "env": [
            {"name": name, "value": value}
            for name, value in _environment(run, spec, step, host=host, settings=settings).items()
        ],
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT}],
        "resources": {"requests": {"cpu": workers.cpu, **limits}, "limits": limits},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        # Of one that was killed, the end of its log is all that there is.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "shared-memory", "mountPath": "/dev/shm"},  # noqa: S108
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
            *(
                {
                    "name": f"claim-{number}",
                    "mountPath": str(PurePosixPath(VOLUMES, claim)),
                    "readOnly": not written,
                }
                for number, (claim, written) in enumerate(_claims(spec))
            ),
            *(grading.mounts(settings) if _measures(spec, step) else ()),
        ],
    }
    if workers.env_from:
        # Named alone: what they hold is the kubelet's to read, and no variable of `env` gives way.
        made["envFrom"] = [each.model_dump(by_alias=True) for each in workers.env_from]
    return made


def _environment(
    run: Resource,
    spec: TrainingRunSpec,
    step: str,
    *,
    host: str,
    settings: TrainerLauncherSettings,
) -> dict[str, str]:
    told = manifest(run) | {"spec": asked_for(spec)}
    # What it may keep busy of its node's cores is not to be seen in a pod.
    told["spec"].setdefault("workers", {})["cpu"] = spec.workers.cpu
    ours = {
        environment.RUN: json.dumps(told, separators=(",", ":"), sort_keys=True),
        environment.COORDINATOR: f"{host}-0.{host}",
        environment.METRICS_PORT: str(METRICS_PORT),
    }
    theirs = {"HOME": "/tmp", **_hub_cache(spec), **spec.workers.env}  # noqa: S108
    if _measures(spec, step):
        ours |= grading.variables(settings)
        if environment.VERIFIER_TOKEN_FILE in ours:
            # A client takes one token, not two: none of a Secret in `envFrom` either.
            ours[environment.VERIFIER_TOKEN] = ""
    return theirs | ours


def _hub_cache(spec: TrainingRunSpec) -> dict[str, str]:
    """Return where pods keep what they fetch from the hub: beside runs, where the next pod has it.

    No run is called so, as its name is a DNS label.
    """
    checkpoints = spec.checkpoints
    if checkpoints.volume is None:
        return {}
    runs = PurePosixPath(VOLUMES, checkpoints.volume, checkpoints.path.lstrip("/"))
    return {"HF_HOME": str(runs / ".huggingface")}


def _measures(spec: TrainingRunSpec, step: str) -> bool:
    return step not in STAGES[spec.recipe]


def _claims(spec: TrainingRunSpec) -> list[tuple[str, bool]]:
    """Return the volumes of a run by name, and whether each is written."""
    written = spec.checkpoints.volume
    read = {located.volume for located in _read(spec)}
    if spec.evaluation is not None:
        read.add(spec.evaluation.volume)
    return sorted((claim, claim == written) for claim in {*read, written} if claim is not None)


def _read(spec: TrainingRunSpec) -> Iterator[Located]:
    yield spec.model
    yield from spec.data.reasoning
    yield from spec.data.instruction
    if spec.evaluation is not None and spec.evaluation.held_out is not None:
        yield spec.evaluation.held_out


def _memory(size: str) -> dict[str, str]:
    return {"medium": "Memory", "sizeLimit": size}


def _one_a_node(labels: dict[str, str]) -> dict[str, Any]:
    """Spread pods over nodes where there are enough: each is written for a node of its own."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
