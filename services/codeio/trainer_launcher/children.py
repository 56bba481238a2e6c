"""What a run owns: for each step an Indexed Job, and a headless Service by which its pods meet.

A Job is made once and never applied again: most of it cannot be changed, and
Kueue and the Job's controller own what can. What it was made of is kept with
it as a sum, so that a change of the spec that matters to its step is seen. Neither
a new release of the launcher nor a new field of the definition restarts what runs,
whichever of the two is newer. Another default of a field changes the sum, as the
runs that are there keep the old one: sums are compared once a spec was changed.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from codeio.trainer_launcher.api import JOBS, RUNS, SERVICES, generation_of
from codeio.trainer_launcher.cache import RUN_LABEL
from codeio.trainer_launcher.pod import CONTAINER, METRICS_PORT, asked_for, pod_template, pods_of
from codeio.training_run.manifest import KIND
from codeio.training_run.outcomes import ExitCode
from codeio.training_run.spec import STAGES

if TYPE_CHECKING:
    from codeio.runtime.settings import TrainerLauncherSettings
    from codeio.trainer_launcher.api import Resource
    from codeio.training_run.spec import TrainingRunSpec

STEP_LABEL = "codeio.dev/step"
GENERATION = "codeio.dev/generation"
"""Annotation of a Job: the generation of the spec that it was made of."""
MADE_OF = "codeio.dev/made-of"
"""Annotation of a Job: the sum of what it was made of."""
MEASURED_BY = "codeio.dev/measured-by"
"""Annotation of a Job that measures a model: the sum of what it measures by."""
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"

TERMINATED = 128 + 15
"""What a process ends with that was told to stop before it could listen."""

# How long a run may be, or whether it may be, says nothing of its pods.
_NOT_OF_PODS = ("suspend", "cancel", "deadlineSeconds", "maxRestarts")


def child_name(run: str, step: str) -> str:
    return f"{run}-{step}"


def made_of(spec: TrainingRunSpec, step: str) -> str:
    """Return the sum of what a step's Job is made of: of what the user asked for, nothing else."""
    parts = {key: value for key, value in asked_for(spec).items() if key not in _NOT_OF_PODS}
    if step in STAGES[spec.recipe]:
        parts.pop("evaluation", None)
    return _sum_of(parts)


def measured_by(spec: TrainingRunSpec, step: str) -> str | None:
    """Return the sum of what a step's scores depend on, besides the model; None of a training."""
    if step in STAGES[spec.recipe]:
        return None
    return _sum_of([asked_for(spec).get("evaluation"), spec.execution.precision])


def _sum_of(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def service_of(run: Resource, step: str, *, settings: TrainerLauncherSettings) -> Resource:
    """Return the Service of a step. Pods find one another before they are ready."""
    return {
        "apiVersion": SERVICES.api_version,
        "kind": "Service",
        "metadata": _metadata(run, step, settings),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": _selector(run, step),
            "ports": [{"name": "metrics", "port": METRICS_PORT, "targetPort": METRICS_PORT}],
        },
    }


def job_of(
    run: Resource,
    spec: TrainingRunSpec,
    step: str,
    *,
    settings: TrainerLauncherSettings,
    seconds_left: int | None,
) -> Resource:
    """Return the Job of a step, as it is when it is made."""
    metadata = _metadata(run, step, settings)
    pods = pods_of(spec, step)
    template = pod_template(
        run, spec, step, labels=metadata["labels"], host=metadata["name"], settings=settings
    )
    metadata["annotations"] = {
        GENERATION: str(generation_of(run)),
        MADE_OF: made_of(spec, step),
    }
    if (measured := measured_by(spec, step)) is not None:
        metadata["annotations"][MEASURED_BY] = measured
    if spec.queue_name is not None:
        metadata["labels"] = metadata["labels"] | {QUEUE_LABEL: spec.queue_name}
    return {
        "apiVersion": JOBS.api_version,
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "completionMode": "Indexed",
            "completions": pods,
            "parallelism": pods,
            # One that is queued is Kueue's to begin.
            "suspend": spec.suspend or spec.queue_name is not None,
            **tunable(spec, seconds_left=seconds_left),
            # Two pods of one number would write the same checkpoint.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules()},
            "template": template,
        },
    }


def tunable(spec: TrainingRunSpec, *, seconds_left: int | None) -> dict[str, Any]:
    """Return what of a Job's spec may change while it runs, without the flag of suspension."""
    fields: dict[str, Any] = {"backoffLimit": spec.max_restarts}
    if seconds_left is not None:
        fields["activeDeadlineSeconds"] = seconds_left
    return fields


def _failure_rules() -> list[dict[str, Any]]:
    def on_codes(action: str, *codes: int) -> dict[str, Any]:
        named = {"containerName": CONTAINER, "operator": "In", "values": list(codes)}
        return {"action": action, "onExitCodes": named}

    # The first that fits counts. What none fits counts against the restarts.
    disrupted = {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    return [
        disrupted,
        on_codes("FailJob", int(ExitCode.USER_ERROR), int(ExitCode.OUT_OF_MEMORY)),
        on_codes("Ignore", int(ExitCode.DISRUPTED), TERMINATED),
    ]


def _metadata(run: Resource, step: str, settings: TrainerLauncherSettings) -> dict[str, Any]:
    of_run = run["metadata"]
    return {
        "name": child_name(of_run["name"], step),
        "namespace": of_run["namespace"],
        "labels": {
            "app.kubernetes.io/name": "codeio",
            "app.kubernetes.io/component": "trainer",
            **settings.labels,
            **_selector(run, step),
        },
        # With these the garbage collector takes all of it away when the run goes.
        "ownerReferences": [
            {
                "apiVersion": RUNS.api_version,
                "kind": KIND,
                "name": of_run["name"],
                "uid": of_run["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def _selector(run: Resource, step: str) -> dict[str, str]:
    return {RUN_LABEL: run["metadata"]["name"], STEP_LABEL: step}
