"""Carries out training runs: watches, looks at what has changed, does what there is to do."""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from codeio.runtime.metrics import LAUNCHER_QUEUE, LAUNCHER_RECONCILES, TRAINING_RUNS
from codeio.trainer_launcher.api import EVENTS, JOBS, PODS, RUNS, SERVICES, ApiError, generation_of
from codeio.trainer_launcher.cache import RUN_LABEL, Cache
from codeio.trainer_launcher.conditions import STANDINGS, state_of
from codeio.trainer_launcher.events import event_resource, events_between
from codeio.trainer_launcher.leader import Lease
from codeio.trainer_launcher.observed import step_jobs
from codeio.trainer_launcher.pod import METRICS_PORT
from codeio.trainer_launcher.progress import ProgressPoller
from codeio.trainer_launcher.queue import Queue
from codeio.trainer_launcher.reconcile import Observed, Refusal, reconcile
from codeio.trainer_launcher.standing import read_status, time_text
from codeio.trainer_launcher.unmade import UnmadePods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codeio.runtime.settings import TrainerLauncherSettings
    from codeio.trainer_launcher.api import Api, Resource
    from codeio.trainer_launcher.observed import StepJob
    from codeio.trainer_launcher.reconcile import Plan

_logger = structlog.get_logger()

_COUNT_SECONDS = 10.0


class Launcher:
    """Carries out the runs of a namespace, for as long as it runs. One at a time may."""

    def __init__(
        self,
        api: Api,
        *,
        settings: TrainerLauncherSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        metrics_port: int = METRICS_PORT,
    ) -> None:
        """`metrics_port`: where pods tell how far they are."""
        self._api = api
        self._settings = settings
        self._now = now
        self.queue = Queue()
        self.runs = Cache(api, RUNS, changed=self._run_changed)
        self._jobs = Cache(api, JOBS, changed=self._child_changed, selector=RUN_LABEL)
        self._pods = Cache(api, PODS, changed=self._child_changed, selector=RUN_LABEL)
        self._services = Cache(api, SERVICES, changed=self._child_changed, selector=RUN_LABEL)
        self._refusals: dict[str, tuple[tuple[str, int], Refusal]] = {}
        """The last refusal of each run, and of which version of it that was."""
        self._progress = ProgressPoller(
            self._first_pods,
            changed=self.queue.add,
            seconds=settings.progress_seconds,
            port=metrics_port,
        )
        self._unmade = UnmadePods(api, self._without_pods, changed=self.queue.add, now=now)

    async def run(self) -> None:
        """Carry out runs for ever."""
        caches = (self.runs, self._jobs, self._pods, self._services)
        try:
            async with asyncio.TaskGroup() as tasks:
                for cache in caches:
                    tasks.create_task(cache.run())
                # What is not listed yet would look as if it were not there.
                for cache in caches:
                    await cache.synced.wait()
                for _ in range(self._settings.concurrency):
                    tasks.create_task(self._work())
                tasks.create_task(self._resync())
                tasks.create_task(self._count())
                tasks.create_task(self._progress.run())
                tasks.create_task(self._unmade.run())
        finally:
            self.queue.close()

    async def _work(self) -> None:
        while True:
            async with self.queue.next() as name:
                try:
                    changed = await self._look(name)
                except ApiError as error:
                    # Another has written meanwhile, or what is to go is not gone: look again.
                    level = _logger.info if error.code in {404, 409} else _logger.warning
                    level("will look again", run=name, why=str(error))
                    outcome = "conflict" if error.code in {404, 409} else "error"
                    self.queue.failed(name)
                except Exception:
                    # One run that breaks us is not to keep the others from being looked at.
                    _logger.exception("a run broke the launcher", run=name)
                    outcome = "broken"
                    self.queue.failed(name)
                else:
                    outcome = "changed" if changed else "nothing"
                    self.queue.succeeded(name)
                LAUNCHER_RECONCILES.labels(outcome).inc()

    async def _look(self, name: str) -> bool:
        """Do what there is to do for a run; return whether there was anything.

        Raises:
            ApiError: it is to be tried again.
        """
        run = self.runs.get(name)
        if run is None:
            self._refusals.pop(name, None)
            return False
        plan = self._plan(run)
        told = run if plan.create is None else await self._tell(run, plan)
        try:
            changed = await self._carry_out(plan)
        except ApiError as error:
            if not error.is_refusal:
                raise
            # Such as a quota, which may be raised, or a toleration that cannot be.
            refusal = Refusal(str(error), final=error.code in {400, 422})
            self._refusals[name] = _version(run), refusal
            await self._tell(told, self._plan(told))
            if refusal.final:
                return True
            raise
        refused = self._refusals.pop(name, None) if changed else None
        if plan.create is not None or refused is not None:
            # The status tells of the Job at once: there may be no news of it for long.
            plan = self._plan(told)
        told = await self._tell(told, plan)
        return changed or told is not run

    def _plan(self, run: Resource) -> Plan:
        name = run["metadata"]["name"]
        version, refusal = self._refusals.get(name, (None, None))
        observed = Observed(
            jobs=self._jobs.of_run(name),
            pods=self._pods.of_run(name),
            services=self._services.of_run(name),
            progress=self._progress.of(name),
            unmade=self._unmade.of(name),
            refusal=refusal if version == _version(run) else None,
        )
        return reconcile(run, observed, settings=self._settings, now=self._now())

    async def _carry_out(self, plan: Plan) -> bool:
        """Do what a plan says but to write the status; return whether there was anything."""
        for job in plan.delete:
            try:
                gone = await self._api.delete(JOBS, job)
            except ApiError as error:
                if error.code != 404:
                    raise
                gone = {}
            if "spec" in gone:
                self._jobs.note(gone)
            else:
                self._jobs.forget(job)
        for job, patch in plan.patch:
            self._jobs.note(await self._api.patch(JOBS, job["metadata"]["name"], patch))
        for service in plan.apply:
            self._services.note(await self._api.apply(SERVICES, service))
        if plan.create is not None:
            self._jobs.note(await self._api.create(JOBS, plan.create))
        return bool(plan.delete or plan.patch or plan.apply or plan.create)

    async def _tell(self, run: Resource, plan: Plan) -> Resource:
        """Write the status, if it is another than what was last written, and what happened.

        Returns the run as it is then.
        """
        before = read_status(run)
        if plan.status is None or plan.status == before:
            return run
        status = plan.status.model_dump(mode="json", by_alias=True, exclude_none=True)
        # With the version that we have seen: what has changed meanwhile is to be looked at first.
        written = await self._api.replace(RUNS, {**run, "status": status}, status=True)
        self.runs.note(written)
        at = time_text(self._now())
        for event in events_between(before, plan.status):
            try:
                await self._api.create(EVENTS, event_resource(run, event, at=at))
            except ApiError as error:
                # Nobody is to wait for something that is for reading only.
                _logger.info("an event was not told", event=event.reason, why=str(error))
        return written

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self._settings.resync_seconds)
            for run in self.runs:
                self.queue.add(run["metadata"]["name"])

    async def _count(self) -> None:
        while True:
            LAUNCHER_QUEUE.set(len(self.queue))
            standings = dict.fromkeys(STANDINGS, 0)
            for run in self.runs:
                state = state_of(read_status(run).conditions)
                if state is not None:
                    standings[state.standing] += 1
            for standing, number in standings.items():
                TRAINING_RUNS.labels(standing).set(number)
            await asyncio.sleep(_COUNT_SECONDS)

    def _first_pods(self) -> dict[str, str]:
        """Return the addresses of the pods that can tell how far a run is."""
        addresses = {}
        for name, job in self._active():
            pod = job.first_pod
            if pod is not None and (address := (pod.get("status") or {}).get("podIP")):
                addresses[name] = address
        return addresses

    def _without_pods(self) -> dict[str, StepJob]:
        return {name: job for name, job in self._active() if job.lacks_pods}

    def _active(self) -> Iterator[tuple[str, StepJob]]:
        """Yield the names of runs with their Jobs that are active."""
        for run in self.runs:
            name = run["metadata"]["name"]
            for job in step_jobs(run, self._jobs.of_run(name), self._pods.of_run(name)).values():
                if job.is_active:
                    yield name, job

    def _run_changed(self, run: Resource) -> None:
        self.queue.add(run["metadata"]["name"])

    def _child_changed(self, child: Resource) -> None:
        self.queue.add(child["metadata"]["labels"][RUN_LABEL])


def _version(run: Resource) -> tuple[str, int]:
    """Return what tells a run from one of before: of another spec, or another of its name."""
    return run["metadata"]["uid"], generation_of(run)


async def launch(api: Api, *, settings: TrainerLauncherSettings) -> None:
    """Carry out runs whenever this replica holds the Lease, for ever."""
    # A process that begins anew under the same name is another one.
    identity = f"{socket.gethostname()}_{os.getpid()}_{os.urandom(4).hex()}"
    lease = Lease(api, settings.lease, identity=identity, seconds=settings.lease_seconds)
    await lease.hold(lambda: Launcher(api, settings=settings).run())
