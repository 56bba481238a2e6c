"""Why pods of a Job are not made: Kubernetes tells it in the Job's events and nowhere else.

Such as a quota of pods, a PriorityClass that is not there, or a webhook that refuses them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from codeio.trainer_launcher.api import EVENTS, ApiError, Expired

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from codeio.trainer_launcher.api import Api, Resource
    from codeio.trainer_launcher.observed import StepJob

_PERIOD_SECONDS = 10.0
_FIELDS = "reason=FailedCreate,regarding.kind=Job"
# Pods are made one after another, and are known here a little later.
_PATIENCE = timedelta(seconds=5)

_logger = structlog.get_logger()


class UnmadePods:
    """Asks for the events of Jobs that lack pods, and keeps the newest of each."""

    def __init__(
        self,
        api: Api,
        jobs: Callable[[], Mapping[str, StepJob]],
        *,
        changed: Callable[[str], None],
        now: Callable[[], datetime],
        seconds: float = _PERIOD_SECONDS,
    ) -> None:
        """`jobs`: those that lack pods, by run; `changed` is called with runs."""
        self._api = api
        self._jobs = jobs
        self._changed = changed
        self._now = now
        self._seconds = seconds
        self._notes: dict[str, str] = {}

    def of(self, run: str) -> str:
        """Return why the run lacks pods, or nothing."""
        return self._notes.get(run, "")

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            jobs = {
                run: job
                for run, job in self._jobs().items()
                if self._now() - datetime.fromisoformat(job.start_time or "") >= _PATIENCE
            }
            for gone in self._notes.keys() - jobs.keys():
                del self._notes[gone]
            if jobs:
                await self._ask(jobs)
            await asyncio.sleep(self._seconds)

    async def _ask(self, jobs: Mapping[str, StepJob]) -> None:
        """Ask for the events of all Jobs at once: each call has the API server go through all."""
        try:
            events, _ = await self._api.list(EVENTS, fields=_FIELDS)
        except (ApiError, Expired) as error:
            _logger.info("cannot tell why there are no pods", why=str(error))
            return
        by_job: dict[str, list[Resource]] = defaultdict(list)
        for event in events:
            by_job[event["regarding"].get("uid", "")].append(event)
        for run, job in jobs.items():
            try:
                note = newest_note(by_job[job.resource["metadata"]["uid"]], job)
            except Exception:
                # One event that breaks us is not to keep those of others from being told.
                _logger.exception("an event broke the launcher", run=run)
                continue
            if note != self.of(run):
                self._notes[run] = note
                self._changed(run)


def newest_note(events: Sequence[Resource], job: StepJob) -> str:
    """Return what was said last, if no pod has been made since."""
    made = [pod["metadata"]["creationTimestamp"] for pod in job.pods]
    since = max(datetime.fromisoformat(at) for at in (job.start_time or "", *made))
    told = [(at, event.get("note") or "") for event in events if (at := _last(event)) >= since]
    return max(told)[1] if told else ""


def _last(event: Resource) -> datetime:
    """Return when an event was last seen, which those of the older form say elsewhere."""
    series = event.get("series") or {}
    return datetime.fromisoformat(
        series.get("lastObservedTime")
        or event.get("deprecatedLastTimestamp")
        or event.get("eventTime")
        or event["metadata"]["creationTimestamp"]
    )
