"""How a run stands, as its status says it."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from codeio.trainer_launcher.api import generation_of
from codeio.trainer_launcher.conditions import STANDINGS, conditions_of
from codeio.trainer_launcher.progress import readable
from codeio.training_run.definition import known_fields
from codeio.training_run.outcomes import Reason
from codeio.training_run.scores import gain_of
from codeio.training_run.spec import EVALUATE_AFTER, EVALUATE_BEFORE, STAGES, steps_of
from codeio.training_run.status import Progress, Score, StageStatus, TrainingRunStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeio.trainer_launcher.api import Resource
    from codeio.trainer_launcher.conditions import State
    from codeio.trainer_launcher.observed import StepJob
    from codeio.training_run.outcomes import Outcome
    from codeio.training_run.spec import TrainingRunSpec
    from codeio.training_run.status import ConditionType


def read_status(run: Resource) -> TrainingRunStatus:
    """Return what a launcher last said of a run, of what this one knows.

    Nothing, if it was of another form.
    """
    try:
        status = known_fields(TrainingRunStatus, run.get("status") or {})
        return TrainingRunStatus.model_validate(status)
    except ValidationError:
        return TrainingRunStatus()


def status_of(  # noqa: PLR0913
    run: Resource,
    spec: TrainingRunSpec | None,
    state: State,
    *,
    before: TrainingRunStatus,
    jobs: Mapping[str, StepJob],
    active: tuple[int, str | None],
    now: str,
    done: frozenset[str] = frozenset(),
    current: str | None = None,
    progress: Progress | None = None,
) -> TrainingRunStatus:
    """Return the status; without a spec that can be read, the rest is of the one before."""
    generation = generation_of(run)
    parts = {
        each.type: (each.status == "True", each.reason, each.message)
        for each in before.conditions
        if each.type not in STANDINGS
    }
    stages, checkpoint, scores = before.stages, before.checkpoint, before.scores
    if progress is None or progress.stage != current:
        progress = _ended(before.progress, jobs)
    if spec is not None:
        measured = _last_measured(jobs, done)
        parts = _parts(spec, before, done, progress, measured)
        stages = _stages(spec, state, before=before, jobs=jobs, done=done, current=current)
        checkpoint = _checkpoint(run, spec, done)
        scores = _scores(measured) if measured is not None else _standing_scores(before, done)
    gain = gain_of(scores)
    if state.standing == "Succeeded" and gain:
        state = replace(state, message=f"gain in points: {gain}")
    return TrainingRunStatus(
        observed_generation=generation if spec is not None else before.observed_generation,
        conditions=conditions_of(
            state, parts=parts, before=before.conditions, generation=generation, now=now
        ),
        stages=stages,
        progress=progress,
        checkpoint=checkpoint,
        scores=scores,
        gain=gain or None,
        active_seconds=active[0],
        active_since=active[1],
    )


def active_time(
    before: TrainingRunStatus,
    jobs: Mapping[str, StepJob],
    current: str | None,
    *,
    now: datetime,
) -> tuple[int, str | None]:
    """Return the seconds that pods have run in stretches that are over, and since when they run.

    A stretch that is over is added once: with it, its beginning goes from the status.
    """
    seconds, since = before.active_seconds, before.active_since
    job = jobs.get(current) if current else None
    running = job.start_time if job is not None and job.is_active else None
    if since is not None and since != running:
        of_it = next((each for each in jobs.values() if each.start_time == since), None)
        if of_it is not None or running is None:
            ended = of_it.stopped_at if of_it is not None else None
            end = _time(ended) if ended else now
            seconds += max(0, round((end - _time(since)).total_seconds()))
    return seconds, running


def time_text(at: datetime) -> str:
    """Return a time as Kubernetes writes it, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _stages(  # noqa: PLR0913
    spec: TrainingRunSpec,
    state: State,
    *,
    before: TrainingRunStatus,
    jobs: Mapping[str, StepJob],
    done: frozenset[str],
    current: str | None,
) -> tuple[StageStatus, ...]:
    known = {stage.name: stage for stage in before.stages}
    stages = []
    for name in steps_of(spec):
        old, job = known.get(name, StageStatus(name=name, state="Waiting")), jobs.get(name)
        if name in done:
            stages.append(_succeeded(old, job))
        elif name == current:
            stages.append(_current(old, job, state))
        else:
            stages.append(StageStatus(name=name, state="Waiting"))
    return tuple(stages)


def _succeeded(old: StageStatus, job: StepJob | None) -> StageStatus:
    if job is None:
        return old
    told = _told(job)
    return old.model_copy(
        update={
            "state": "Succeeded",
            "job": job.name,
            "pod": old.pod or _pod_name(job),
            "start_time": old.start_time or job.start_time,
            "completion_time": old.completion_time or job.stopped_at,
            "loss": told.get("loss", old.loss),
            "tokens": round(told["tokens"]) if "tokens" in told else old.tokens,
            "measured_by": job.measured_by,
        }
    )


def _current(old: StageStatus, job: StepJob | None, state: State) -> StageStatus:
    if old.state == "Succeeded":
        # It is done again: of the time before that nothing is to be told.
        old = StageStatus(name=old.name, state="Waiting")
    if job is not None and job.is_complete:
        job = None
    update: dict[str, Any] = {"state": state.standing, "job": None, "completion_time": None}
    if job is not None:
        update["job"] = job.name
        update["start_time"] = old.start_time or job.start_time
        if job.has_failed:
            update["completion_time"] = job.stopped_at
    if state.standing == "Failed":
        update["pod"] = old.pod or (_pod_name(job) if job is not None else None)
    elif job is None or job.is_going or state.standing == "Suspended":
        # The next one is none that was made anew for one that went away.
        update["pod"] = None
    elif (pod := _pod_name(job)) is not None and pod != old.pod:
        update["pod"] = pod
        update["restarts"] = old.restarts + (old.pod is not None)
    return old.model_copy(update=update)


def _pod_name(job: StepJob) -> str | None:
    pod = job.first_pod
    return None if pod is None else str(pod["metadata"]["name"])


def _parts(
    spec: TrainingRunSpec,
    before: TrainingRunStatus,
    done: frozenset[str],
    progress: Progress | None,
    measured: Outcome | None,
) -> dict[ConditionType, tuple[bool, str, str]]:
    def part(holds: bool, message: str = "") -> tuple[bool, str, str]:
        return holds, Reason.COMPLETED if holds else "Waiting", message

    stages = STAGES[spec.recipe]
    known = {condition.type: condition for condition in before.conditions}
    prepared = "DataPrepared" in known and known["DataPrepared"].status == "True"
    # Steps are told of when a stage's samples are there as tokens.
    trains = progress is not None and progress.stage in stages and progress.steps is not None
    parts: dict[ConditionType, tuple[bool, str, str]] = {
        "DataPrepared": part(prepared or trains or bool(done & set(stages)))
    }
    if spec.evaluation is not None:
        holds = {EVALUATE_BEFORE, EVALUATE_AFTER} & set(steps_of(spec)) <= done
        said = known["Evaluated"].message if holds and "Evaluated" in known else ""
        parts["Evaluated"] = part(holds, measured.message if measured is not None else said)
    return parts


def _checkpoint(run: Resource, spec: TrainingRunSpec, done: frozenset[str]) -> str | None:
    trained = [stage for stage in STAGES[spec.recipe] if stage in done]
    if not trained:
        return None
    name = run["metadata"]["name"]
    return str(PurePosixPath(spec.checkpoints.path, name, "models", trained[-1]))


def _ended(progress: Progress | None, jobs: Mapping[str, StepJob]) -> Progress | None:
    """Return progress to the end of a step that is done: it was asked some steps before that."""
    job = jobs.get(progress.stage) if progress is not None else None
    if progress is None or job is None or not job.is_complete or job.result is None:
        return progress
    rest = {"step": progress.steps or progress.step, "seconds_left": 0.0}
    return readable(Progress.model_validate(progress.model_dump() | rest | _told(job)))


def _told(job: StepJob) -> dict[str, float]:
    """Return the figures with which a step ended."""
    details = job.result.details if job.result is not None else {}
    return {
        name: value
        for name in ("step", "tokens", "loss")
        if (value := _number(details.get(name))) is not None
    }


def _last_measured(jobs: Mapping[str, StepJob], done: frozenset[str]) -> Outcome | None:
    """Return what the last evaluation said, whose table holds the one before, if it is there."""
    last = next((step for step in (EVALUATE_AFTER, EVALUATE_BEFORE) if step in done), None)
    job = jobs.get(last) if last is not None else None
    return job.result if job is not None else None


def _scores(measured: Outcome) -> tuple[Score, ...]:
    try:
        return tuple(Score.model_validate(each) for each in measured.details.get("scores", ()))
    except (ValidationError, TypeError):
        return ()


def _standing_scores(before: TrainingRunStatus, done: frozenset[str]) -> tuple[Score, ...]:
    """Return the scores of before, unless they are those of what is to be measured again."""
    measured = {each.name for each in before.stages if each.state == "Succeeded"}
    return before.scores if measured & {EVALUATE_BEFORE, EVALUATE_AFTER} <= done else ()


def _number(value: object) -> float | None:
    """Return what JSON can hold of a figure."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
