"""Events: what `kubectl describe` tells of how a run came to stand as it does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from codeio.trainer_launcher.api import EVENTS, FIELD_MANAGER, RUNS
from codeio.trainer_launcher.conditions import state_of
from codeio.training_run.manifest import KIND

if TYPE_CHECKING:
    from codeio.trainer_launcher.api import Resource
    from codeio.training_run.status import TrainingRunStatus

_NOTE_BYTES = 1024


@dataclass(frozen=True)
class Event:
    """What there is to tell once."""

    reason: str
    note: str
    kind: Literal["Normal", "Warning"] = "Normal"


def events_between(before: TrainingRunStatus, after: TrainingRunStatus) -> list[Event]:
    """Return what happened from one status to the next."""
    events: list[Event] = []
    known = {stage.name: stage for stage in before.stages}
    for stage in after.stages:
        old = known.get(stage.name)
        if stage.state == "Succeeded" and (old is None or old.state != "Succeeded"):
            events.append(Event("StepSucceeded", f"{stage.name} is done"))
        elif stage.start_time is not None and (old is None or old.start_time is None):
            events.append(Event("StepStarted", f"{stage.name} runs as the Job {stage.job}"))
        if old is not None and stage.restarts > old.restarts:
            told = f"{stage.name} goes on from its last checkpoint in {stage.pod}"
            events.append(Event("Restarted", f"{told}, restart {stage.restarts}", "Warning"))
    old_state, state = state_of(before.conditions), state_of(after.conditions)
    if state is None or (
        old_state is not None
        and (old_state.standing, old_state.reason) == (state.standing, state.reason)
    ):
        return events
    match state.standing:
        case "Failed":
            events.append(Event(state.reason, state.message, "Warning"))
        case "Succeeded":
            events.append(Event("Succeeded", "all of its steps are done"))
        case "Suspended":
            events.append(Event(state.reason, state.message))
        case "Running" if old_state is not None and old_state.standing != "Running":
            events.append(Event("Resumed", f"it goes on after it was {old_state.standing}"))
    return events


def event_resource(run: Resource, event: Event, *, at: str) -> Resource:
    """Return an Event of a run. The same one has the same name: to make it again is refused."""
    metadata = run["metadata"]
    told = "\0".join((metadata["uid"], event.reason, event.note, at))
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    return {
        "apiVersion": EVENTS.api_version,
        "kind": "Event",
        "metadata": {
            "name": f"{metadata['name']}.{digest}",
            "namespace": metadata["namespace"],
        },
        "eventTime": at.replace("Z", ".000000Z"),
        "reportingController": "codeio.dev/trainer-launcher",
        "reportingInstance": FIELD_MANAGER,
        "action": event.reason,
        "reason": event.reason,
        # Of a character that is cut in two nothing is left.
        "note": event.note.encode()[:_NOTE_BYTES].decode(errors="ignore"),
        "type": event.kind,
        "regarding": {
            "apiVersion": RUNS.api_version,
            "kind": KIND,
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
    }
