"""What a Job and its pods say of a step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from codeio.trainer_launcher.children import (
    GENERATION,
    MADE_OF,
    MEASURED_BY,
    QUEUE_LABEL,
    STEP_LABEL,
    TERMINATED,
)
from codeio.trainer_launcher.pod import CONTAINER
from codeio.training_run.outcomes import ExitCode, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.trainer_launcher.api import Resource
    from codeio.training_run.spec import TrainingRunSpec

_BLAMELESS = {ExitCode.DONE, ExitCode.DISRUPTED, TERMINATED}
_INDEX = "batch.kubernetes.io/job-completion-index"


@dataclass(frozen=True)
class Ended:
    """How a pod ended."""

    pod: str
    exit_code: int
    killed_for_memory: bool
    outcome: Outcome | None
    """What it said last, if it said something of the form that is agreed upon."""
    text: str
    """The end of its log, if it did not."""
    at: str

    @property
    def sentence(self) -> str:
        """What to tell a user of it."""
        if self.outcome is not None:
            return self.outcome.message
        last = self.text.strip().rpartition("\n")[2]
        return f"pod {self.pod} ended with exit code {self.exit_code}" + (
            f": {last[:500]}" if last else ""
        )


@dataclass(frozen=True)
class StepJob:
    """The Job of a step, and the pods that it made."""

    resource: Resource
    pods: Sequence[Resource]

    @property
    def name(self) -> str:
        return str(self.resource["metadata"]["name"])

    @property
    def step(self) -> str:
        return str(self.resource["metadata"]["labels"].get(STEP_LABEL, ""))

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.resource["spec"]
        return spec

    @property
    def status(self) -> dict[str, Any]:
        return self.resource.get("status") or {}

    @property
    def generation(self) -> int:
        """That of the spec it was made of; 0 of a Job that an earlier release has made."""
        return int(self._annotation(GENERATION) or 0)

    @property
    def made_of(self) -> str | None:
        return self._annotation(MADE_OF)

    @property
    def measured_by(self) -> str | None:
        return self._annotation(MEASURED_BY)

    @property
    def is_going(self) -> bool:
        """Whether it is being deleted, and waits for its pods."""
        return "deletionTimestamp" in self.resource["metadata"]

    def condition(self, kind: str) -> dict[str, Any] | None:
        """Return a condition that is true."""
        for condition in self.status.get("conditions") or ():
            if condition["type"] == kind and condition["status"] == "True":
                found: dict[str, Any] = condition
                return found
        return None

    @property
    def is_complete(self) -> bool:
        return self.condition("Complete") is not None

    @property
    def has_failed(self) -> bool:
        # It is said to fail before the last of its pods is gone.
        return (self.condition("Failed") or self.condition("FailureTarget")) is not None

    @property
    def is_finished(self) -> bool:
        return self.is_complete or self.has_failed

    @property
    def is_suspended(self) -> bool:
        return bool(self.spec.get("suspend"))

    @property
    def is_queued(self) -> bool:
        """Whether Kueue begins and suspends it."""
        return QUEUE_LABEL in self.resource["metadata"]["labels"]

    @property
    def start_time(self) -> str | None:
        return self.status.get("startTime")

    @property
    def is_active(self) -> bool:
        """Whether its pods run, or are being made."""
        running = not (self.is_suspended or self.is_finished or self.is_going)
        return running and self.start_time is not None

    @property
    def stopped_at(self) -> str | None:
        """When it was suspended or ended, if it was."""
        if self.status.get("completionTime"):
            return str(self.status["completionTime"])
        for kind in ("Failed", "FailureTarget", "Suspended"):
            if (condition := self.condition(kind)) is not None:
                return condition.get("lastTransitionTime")
        return None

    @cached_property
    def living(self) -> list[Resource]:
        """Pods that have not ended, the newest last."""
        return [pod for pod in self._by_age if _phase(pod) not in {"Succeeded", "Failed"}]

    @property
    def running(self) -> int:
        return sum(
            _phase(pod) == "Running" and "deletionTimestamp" not in pod["metadata"]
            for pod in self.living
        )

    @property
    def lacks_pods(self) -> bool:
        """Whether pods are to be made that are not there."""
        there = sum(_phase(pod) != "Failed" for pod in self.pods)
        return self.is_active and there < self.spec.get("completions", 1)

    @property
    def first_pod(self) -> Resource | None:
        """The newest pod with the number 0: one that runs or has succeeded, if the Job goes on."""
        firsts = [pod for pod in self._by_age if _index(pod) == "0"]
        if not self.is_finished:
            firsts = [
                pod
                for pod in firsts
                if _phase(pod) != "Failed" and "deletionTimestamp" not in pod["metadata"]
            ]
        return firsts[-1] if firsts else None

    @property
    def hindrance(self) -> str:
        """Why a pod does not run yet, if something is said of it."""
        for pod in self.living:
            if _phase(pod) == "Running":
                continue
            status = pod.get("status") or {}
            for condition in status.get("conditions") or ():
                if condition["type"] == "PodScheduled" and condition["status"] == "False":
                    return f"pod {pod['metadata']['name']}: {condition.get('message', '')}"
            if waiting := _waiting(pod):
                return f"pod {pod['metadata']['name']}: {waiting}"
            if _waits_for_volumes(pod) and (mounted := _mounted(pod)):
                return (
                    f"pod {pod['metadata']['name']} waits for what it mounts from namespace "
                    f"{pod['metadata']['namespace']}: {', '.join(mounted)}; make what is missing"
                )
        return ""

    @cached_property
    def ended(self) -> list[Ended]:
        """How pods ended, the first one first."""
        found = [each for pod in self.pods if (each := _ended(pod)) is not None]
        return sorted(found, key=lambda each: (each.at, each.pod))

    @property
    def result(self) -> Outcome | None:
        """What the step's first pod said of what it has done."""
        for pod in reversed(self._by_age):
            told = _ended(pod)
            if _index(pod) == "0" and told is not None and told.exit_code == ExitCode.DONE:
                return told.outcome
        return None

    def _annotation(self, name: str) -> str | None:
        return (self.resource["metadata"].get("annotations") or {}).get(name)

    @cached_property
    def _by_age(self) -> list[Resource]:
        return sorted(
            self.pods,
            key=lambda pod: (pod["metadata"].get("creationTimestamp", ""), pod["metadata"]["name"]),
        )


def step_jobs(
    run: Resource, jobs: Sequence[Resource], pods: Sequence[Resource]
) -> dict[str, StepJob]:
    """Return the Jobs of a run by step, with the pods of each.

    One that belongs to an earlier run of the same name, which is not gone yet, is none of it.
    """
    found = {}
    for job in jobs:
        if _owner(job) == run["metadata"]["uid"]:
            own = [pod for pod in pods if _owner(pod) == job["metadata"]["uid"]]
            step_job = StepJob(job, own)
            found[step_job.step] = step_job
    return found


def failure_of(job: StepJob, spec: TrainingRunSpec) -> tuple[str, str] | None:
    """Return the reason and the sentence of a failure, or None if the job has not failed.

    A pod that was killed for its memory is a failure before the Job knows of it:
    to the Job it is one exit code of many, and it would be tried again and again.
    """
    for each in job.ended:
        if each.killed_for_memory or each.exit_code == ExitCode.OUT_OF_MEMORY:
            told = each.sentence if each.outcome is not None else _memory_advice(each, spec)
            return Reason.OUT_OF_MEMORY, told
        if each.exit_code == ExitCode.USER_ERROR:
            reason = each.outcome.reason if each.outcome else Reason.INTERNAL_ERROR
            return reason, each.sentence
    if not job.has_failed:
        return None
    condition = job.condition("Failed") or job.condition("FailureTarget") or {}
    why, told = condition.get("reason", ""), condition.get("message", "")
    if why == "DeadlineExceeded":
        return Reason.DEADLINE_EXCEEDED, _deadline_advice(spec)
    blamed = [each for each in job.ended if each.exit_code not in _BLAMELESS]
    if why == "BackoffLimitExceeded" and spec.max_restarts:
        last = f"; the last one: {blamed[-1].sentence}" if blamed else ""
        return (
            Reason.TOO_MANY_RESTARTS,
            f"pods failed more often than maxRestarts, {spec.max_restarts}, allows{last}",
        )
    if blamed:
        outcome = blamed[0].outcome
        return outcome.reason if outcome else Reason.INTERNAL_ERROR, blamed[0].sentence
    return Reason.INTERNAL_ERROR, f"the Job failed: {told or why}"


def deadline_failure(spec: TrainingRunSpec) -> tuple[str, str]:
    return Reason.DEADLINE_EXCEEDED, _deadline_advice(spec)


def _deadline_advice(spec: TrainingRunSpec) -> str:
    return (
        f"the {spec.deadline_seconds} s of deadlineSeconds have passed since its pods were asked "
        "for, waiting for nodes included; raise it, and the run goes on from its last checkpoint; "
        "queueName keeps a run from beginning before there is room"
    )


def _memory_advice(ended: Ended, spec: TrainingRunSpec) -> str:
    return (
        f"pod {ended.pod} needed more than its memory of {spec.workers.memory}: raise "
        "workers.memory, or lower execution.tokensPerDevice"
    )


def _ended(pod: Resource) -> Ended | None:
    told = _trainer_state(pod).get("terminated")
    if told is None:
        return None
    text = told.get("message") or ""
    return Ended(
        pod=pod["metadata"]["name"],
        exit_code=told["exitCode"],
        killed_for_memory=told.get("reason") == "OOMKilled" and told["exitCode"] != ExitCode.DONE,
        outcome=Outcome.from_json(text),
        text=text,
        at=told.get("finishedAt") or "",
    )


def _trainer_state(pod: Resource) -> dict[str, Any]:
    """Return the state of the container that is ours, beside which admission may have put some."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        if container["name"] == CONTAINER:
            return container.get("state") or {}
    return {}


def _waiting(pod: Resource) -> str:
    """Return why a container waits, the trainer's first: those that admission put in hold it up."""
    status = pod.get("status") or {}
    found = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    for container in sorted(found, key=lambda each: each["name"] != CONTAINER):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in {None, "ContainerCreating", "PodInitializing"}:
            told = f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
            of = "" if container["name"] == CONTAINER else f"container {container['name']}: "
            return of + told
    return ""


def _waits_for_volumes(pod: Resource) -> bool:
    """Whether a node has a pod and not yet its volumes: the kubelet says no more than that."""
    return _phase(pod) == "Pending" and any(
        condition["type"] == "PodReadyToStartContainers" and condition["status"] == "False"
        for condition in pod["status"].get("conditions") or ()
    )


def _mounted(pod: Resource) -> list[str]:
    """Return what of a pod's volumes somebody has to have made, in words."""
    found = []
    for volume in pod["spec"].get("volumes") or ():
        if (claim := volume.get("persistentVolumeClaim")) is not None:
            found.append(f"claim {claim['claimName']}")
        for source in (volume.get("projected") or {}).get("sources") or ():
            if (secret := source.get("secret")) is not None:
                keys = " and ".join(item["key"] for item in secret.get("items") or ())
                found.append(f"Secret {secret['name']}" + (f" with {keys}" if keys else ""))
    return found


def _phase(pod: Resource) -> str:
    return str((pod.get("status") or {}).get("phase", "Pending"))


def _index(pod: Resource) -> str | None:
    metadata = pod["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    return labels.get(_INDEX, annotations.get(_INDEX))


def _owner(resource: Resource) -> str | None:
    for owner in resource["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["uid"])
    return None
