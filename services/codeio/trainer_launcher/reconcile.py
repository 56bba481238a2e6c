"""From what is asked for and what is there to what is to be done: a function, and no state.

Steps are done in order, one at a time. What the Jobs can no longer tell stands in
the status: which steps have succeeded, what they have measured by, and how long
pods have run. So a launcher that starts anew, or two looks where one would do, come
to the same.

A run that has failed stays as it is until its spec is changed. The step it failed
in is then tried again, from its last checkpoint. One whose spec could not be read
goes on as soon as it can.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from codeio.runtime.errors import UsageError
from codeio.trainer_launcher.api import generation_of
from codeio.trainer_launcher.children import (
    child_name,
    job_of,
    made_of,
    measured_by,
    service_of,
    tunable,
)
from codeio.trainer_launcher.conditions import State, state_of
from codeio.trainer_launcher.observed import deadline_failure, failure_of, step_jobs
from codeio.trainer_launcher.pod import manifest, pods_of
from codeio.trainer_launcher.standing import active_time, read_status, status_of, time_text
from codeio.training_run.manifest import parse_manifest
from codeio.training_run.outcomes import Reason
from codeio.training_run.spec import STAGES, steps_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from codeio.runtime.settings import TrainerLauncherSettings
    from codeio.trainer_launcher.api import Resource
    from codeio.trainer_launcher.observed import StepJob
    from codeio.training_run.spec import TrainingRunSpec
    from codeio.training_run.status import Progress, TrainingRunStatus

_RESTARTING = State("Running", "Restarting", "the pods of before are to end first")
_CANCELLED = State(
    "Failed", Reason.CANCELLED, "it was cancelled; checkpoints and models that are there stay"
)
_COMPLETED = State("Succeeded", Reason.COMPLETED)


@dataclass(frozen=True)
class Refusal:
    """Why the API server did not make a Job or a Service, or change one."""

    message: str
    final: bool
    """Whether the same again would be refused again."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What is there of a run's: labelled as such, whoever owns it."""

    jobs: Sequence[Resource] = ()
    pods: Sequence[Resource] = ()
    services: Sequence[Resource] = ()
    progress: Progress | None = None
    """What the trainer said last, if it was asked."""
    refusal: Refusal | None = None
    unmade: str = ""
    """Why pods are not made that are to be there, if something is said of it."""

    @property
    def is_refused(self) -> bool:
        """Whether what was refused would be refused again."""
        return self.refusal is not None and self.refusal.final


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done, in this order, but that a status is written before a Job is made.

    What is done again no longer counts as done then, whoever dies meanwhile.
    """

    delete: tuple[Resource, ...] = ()
    """Jobs."""
    patch: tuple[tuple[Resource, dict[str, Any]], ...] = ()
    """Jobs, and what to merge into them."""
    apply: tuple[Resource, ...] = ()
    """Services."""
    create: Resource | None = None
    """A Job."""
    status: TrainingRunStatus | None = None
    """None: there is nothing to be said any more."""


@dataclass(frozen=True)
class _Step:
    """What is to be done for the step that is the run's turn, and how the run stands with it."""

    state: State
    delete: bool = False
    patch: dict[str, Any] = field(default_factory=dict)
    make: bool = False
    """Whether its Job is to be made."""


def reconcile(
    run: Resource, observed: Observed, *, settings: TrainerLauncherSettings, now: datetime
) -> Plan:
    """Return what is to be done for a run, so that it is as its spec says."""
    metadata = run["metadata"]
    if "deletionTimestamp" in metadata:
        # Its children go with it; to make one now would be to leave it behind.
        return Plan()
    before = read_status(run)
    jobs = step_jobs(run, observed.jobs, observed.pods)
    try:
        spec = parse_manifest(manifest(run), source=f"TrainingRun {metadata['name']}").spec
    except UsageError as error:
        return _unread(run, before, jobs, observed, str(error), now=now)
    done = _done(run, spec, jobs, before)
    current = _current(spec, jobs, done, before)
    seconds, since = active_time(before, jobs, current, now=now)
    left = None if spec.deadline_seconds is None else spec.deadline_seconds - seconds
    # Of a step that is to be done again, too: it would count once the spec was changed back.
    strays = [
        job
        for job in jobs.values()
        if job.step != current and not (job.is_going or (job.is_finished and job.step in done))
    ]
    if current is None:
        step = _Step(_COMPLETED)
    else:
        step = _step(run, spec, current, jobs.get(current), before, observed, left=left)
    if observed.refusal is not None and step.state.standing in {"Suspended", "Running"}:
        step = replace(step, state=replace(step.state, message=observed.refusal.message))
    job = jobs.get(current) if current else None
    services = {
        service["metadata"]["name"]
        for service in observed.services
        if _owned(service, metadata["uid"])
    }
    needed = step.make or not (observed.is_refused or job is None or job.is_finished or step.delete)
    missing = current is not None and child_name(metadata["name"], current) not in services
    return Plan(
        delete=(
            *(stray.resource for stray in strays),
            *([job.resource] if job and step.delete else []),
        ),
        patch=((job.resource, step.patch),) if job and step.patch else (),
        apply=(service_of(run, current, settings=settings),)
        if current and needed and missing
        else (),
        create=job_of(run, spec, current, settings=settings, seconds_left=_at_least_one(left))
        if current and step.make
        else None,
        status=status_of(
            run,
            spec,
            step.state,
            before=before,
            jobs=jobs,
            done=done,
            current=current,
            progress=observed.progress,
            active=(seconds, since),
            now=time_text(now),
        ),
    )


def _step(  # noqa: PLR0913, PLR0917
    run: Resource,
    spec: TrainingRunSpec,
    current: str,
    job: StepJob | None,
    before: TrainingRunStatus,
    observed: Observed,
    *,
    left: int | None,
) -> _Step:
    generation = generation_of(run)
    failed = next(
        (each for each in before.conditions if each.type == "Failed" and each.status == "True"),
        None,
    )
    # Whoever says that a spec cannot be read has not heeded it.
    unread = failed is not None and failed.reason == Reason.UNREADABLE_SPEC
    told = before if unread else failed
    is_retried = told is not None and (told.observed_generation or 0) < generation
    if failed is not None and not (unread or is_retried):
        return _stopped(State("Failed", failed.reason, failed.message), job)
    if spec.cancel:
        return _stopped(_CANCELLED, job)
    if job is None:
        return _made(spec, current, observed.refusal, left=left)
    if job.is_going:
        return _Step(_paused() if spec.suspend else _RESTARTING)
    changed = generation > job.generation and job.made_of != made_of(spec, current)
    failure = failure_of(job, spec)
    if failure is not None and not changed and not is_retried:
        return _stopped(State("Failed", *failure), job)
    if failure is not None or changed or (spec.suspend and spec.queue_name is not None):
        return _Step(_paused() if spec.suspend else _RESTARTING, delete=True)
    # What was refused for good is not asked for again, and no reason to stop what runs.
    patch = {} if observed.is_refused else _tuned(spec, job, left=left)
    return _Step(_going(spec, current, job, before, observed.unmade), patch=patch)


def _made(
    spec: TrainingRunSpec, current: str, refusal: Refusal | None, *, left: int | None
) -> _Step:
    """Return how a step begins that has no Job."""
    if left is not None and left <= 0:
        return _Step(State("Failed", *deadline_failure(spec)))
    if refusal is not None and refusal.final:
        return _Step(State("Failed", Reason.INVALID_SPEC, refusal.message))
    if spec.queue_name is not None:
        # What is suspended by its user is to take no place in the queue.
        return _Step(_paused() if spec.suspend else _queued(spec), make=not spec.suspend)
    if spec.suspend:
        return _Step(_paused(), make=True)
    return _Step(State("Running", "Starting", f"0 of {pods_of(spec, current)} pods run"), make=True)


def _going(
    spec: TrainingRunSpec, current: str, job: StepJob, before: TrainingRunStatus, unmade: str
) -> State:
    """Return how a run stands whose Job is as it is to be, and has not ended."""
    if spec.suspend:
        return _paused(saving=bool(job.living))
    if spec.queue_name is not None and job.is_suspended:
        return _queued(spec)
    pods = pods_of(spec, current)
    if job.running < pods:
        stage = next((each for each in before.stages if each.name == current), None)
        known = stage is not None and stage.pod is not None
        why = job.hindrance or (unmade if job.lacks_pods else "")
        return State(
            "Running",
            "Restarting" if known else "Starting",
            f"{job.running} of {pods} pods run" + (f"; {why}" if why else ""),
        )
    return State("Running", "Training" if current in STAGES[spec.recipe] else "Evaluating")


def _paused(*, saving: bool = False) -> State:
    if saving:
        return State("Suspended", "Suspending", "its pods save a checkpoint and end")
    return State("Suspended", "Suspended", "it goes on when spec.suspend is false")


def _queued(spec: TrainingRunSpec) -> State:
    return State("Suspended", "Queued", f"it waits in the queue {spec.queue_name}")


def _stopped(state: State, job: StepJob | None) -> _Step:
    """Return how a Job is ended that has not ended: by its deadline, which keeps pods that ended.

    Their logs are of use to whoever wants to know what went wrong. The others are
    told to stop and save a checkpoint.
    """
    if job is None or job.is_finished or job.is_going:
        return _Step(state)
    if job.is_suspended or job.start_time is None:
        return _Step(state, delete=True)
    if job.spec.get("activeDeadlineSeconds") == 1:
        return _Step(state)
    return _Step(state, patch={"spec": {"activeDeadlineSeconds": 1}})


def _tuned(spec: TrainingRunSpec, job: StepJob, *, left: int | None) -> dict[str, Any]:
    """Return the merge patch of what is to change of a Job that has not ended."""
    wanted = tunable(spec, seconds_left=_at_least_one(left))
    if left is None:
        wanted["activeDeadlineSeconds"] = None
    if spec.queue_name is None:
        wanted["suspend"] = spec.suspend
    changes = {key: value for key, value in wanted.items() if job.spec.get(key) != value}
    return {"spec": changes} if changes else {}


def _unread(  # noqa: PLR0913
    run: Resource,
    before: TrainingRunStatus,
    jobs: Mapping[str, StepJob],
    observed: Observed,
    why: str,
    *,
    now: datetime,
) -> Plan:
    """Return what is done for a run whose spec cannot be read: its Job goes on, and may be stopped.

    Its definition in this cluster is newer than this launcher, or older. What a launcher that
    could read it has said of its end stands.
    """
    asked = run.get("spec") or {}
    job = next((job for job in jobs.values() if not job.is_finished), None)
    told = state_of(before.conditions)
    ended = told is not None and told.standing in {"Succeeded", "Failed"}
    if job is None and ended and before.observed_generation == generation_of(run):
        return Plan()
    was_cancelled = told is not None and told.reason == Reason.CANCELLED
    if asked.get("cancel") is True and (job is not None or was_cancelled):
        step = _stopped(_CANCELLED, job)
    elif job is None:
        step = _Step(State("Failed", Reason.UNREADABLE_SPEC, why))
    else:
        suspend = asked.get("suspend") is True
        # The flag of one that is queued is Kueue's.
        is_ours = not (job.is_queued or job.is_going)
        step = _Step(
            State(
                "Suspended" if job.is_suspended or suspend else "Running",
                Reason.UNREADABLE_SPEC,
                why,
            ),
            patch={"spec": {"suspend": suspend}} if is_ours and suspend != job.is_suspended else {},
        )
    current = job.step if job else None
    return Plan(
        delete=(job.resource,) if job and step.delete else (),
        patch=((job.resource, step.patch),) if job and step.patch else (),
        status=status_of(
            run,
            None,
            step.state,
            before=before,
            jobs=jobs,
            current=current,
            progress=observed.progress,
            active=active_time(before, jobs, current, now=now),
            now=time_text(now),
        ),
    )


def _done(
    run: Resource,
    spec: TrainingRunSpec,
    jobs: Mapping[str, StepJob],
    before: TrainingRunStatus,
) -> frozenset[str]:
    """Return the steps that have succeeded, whether or not their Jobs are still there.

    One that has measured by something else than what is asked for now is to be done again.
    """
    told = before.observed_generation or 0
    known = [
        (each.name, told, each.measured_by) for each in before.stages if each.state == "Succeeded"
    ]
    known += [
        (name, job.generation, job.measured_by)
        for name, job in jobs.items()
        if job.is_complete and not job.is_going
    ]
    generation = generation_of(run)
    asked = {step: measured_by(spec, step) for step in steps_of(spec)}
    return frozenset(
        step
        for step, of, measured in known
        # What an earlier release has measured has no sum.
        if step in asked and (of >= generation or measured in {None, asked[step]})
    )


def _current(
    spec: TrainingRunSpec,
    jobs: Mapping[str, StepJob],
    done: frozenset[str],
    before: TrainingRunStatus,
) -> str | None:
    """Return the step that is the run's turn: a training that has begun ends before others begin.

    The model is measured in order, so that the table is written last when it is whole.
    """
    left = [step for step in steps_of(spec) if step not in done]
    begun = {name for name, job in jobs.items() if not job.is_finished}
    # Its Job may be gone, to be made anew.
    begun |= {stage.name for stage in before.stages if stage.state not in {"Waiting", "Succeeded"}}
    training = [step for step in left if step in begun and step in STAGES[spec.recipe]]
    return next(iter([*training, *left]), None)


def _at_least_one(left: int | None) -> int | None:
    return None if left is None else max(1, left)


def _owned(resource: Resource, uid: str) -> bool:
    owners = resource["metadata"].get("ownerReferences") or ()
    return any(owner["uid"] == uid for owner in owners)
