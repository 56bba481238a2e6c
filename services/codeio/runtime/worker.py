"""The stage worker: carries one stage over a log, with no change to the stage.

Handlers run outside any transaction, several at a time, and finish in any
order. A transaction writes the results of a finished prefix of a partition
together with the position after it; results beyond the prefix are held until
it has caught up. So a crash at any moment loses and repeats nothing that was
written. Only what is in flight is bounded, never the log, so a loop of stages
cannot block itself.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import asdict, dataclass, field, fields
from itertools import takewhile
from time import perf_counter
from typing import TYPE_CHECKING

import structlog
from structlog.contextvars import bind_contextvars

from codeio.runtime import metrics, spans
from codeio.runtime.errors import CodeioError, Rejected, Stopped, TransientError
from codeio.runtime.log import Position, Revoked
from codeio.runtime.policy import Policy, Retry, decisive
from codeio.runtime.records import record_id
from codeio.runtime.settings import WorkerSettings
from codeio.runtime.sizes import MAX_RECORD_BYTES
from codeio.runtime.topics import DEAD_LETTERS, FLOWS, REJECTIONS, Flow
from codeio.v1.records_pb2 import DeadLetter, Rejection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import Span

    from codeio.runtime.log import Assignment, Consumer, Entry, Log, Message
    from codeio.runtime.records import Record
    from codeio.runtime.stage import Stage

_logger = structlog.get_logger()

_WINDOW = 64
"""Records of a partition in flight or held, for each handler that may run at a time."""

_COMMIT_BYTES = 16 << 20
"""Outputs of one transaction, about: a broker gives up what takes it too long."""

_MOST = 1 << 53
"""No stage has counted so far."""


@dataclass(slots=True)
class Tally:
    """What a stage has done, as committed: it is kept with the positions in the log."""

    read: int = 0
    written: int = 0
    """Records for the next stages, without the two kinds below."""
    rejected: int = 0
    dead: int = 0
    retries: int = 0
    seconds: float = 0.0
    """Time spent in handlers, added over those that ran side by side."""

    def __add__(self, other: Tally) -> Tally:
        # Once for each record: what `dataclasses` offers for all fields takes ten times as long.
        return Tally(
            read=self.read + other.read,
            written=self.written + other.written,
            rejected=self.rejected + other.rejected,
            dead=self.dead + other.dead,
            retries=self.retries + other.retries,
            seconds=self.seconds + other.seconds,
        )

    def count(self, records: Sequence[Record]) -> None:
        """Count what a record became."""
        for record in records:
            match record:
                case Rejection():
                    self.rejected += 1
                case DeadLetter():
                    self.dead += 1
                case _:
                    self.written += 1

    def to_metadata(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_metadata(cls, text: str) -> Tally:
        """Return what was counted; nothing, where others wrote the note or have moved a group."""
        try:
            noted = json.loads(text)
            counts = [noted.get(one.name, 0) for one in fields(cls)]
        except (ValueError, AttributeError, RecursionError):
            return cls()
        valid = all(isinstance(count, int | float) and 0 <= count < _MOST for count in counts)
        return cls(*counts) if valid else cls()


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a stage stands at this moment."""

    stage: str
    tally: Tally
    running: int
    """Records in a handler or waiting to be tried again."""
    lag: int
    """Records that are there and not committed yet, the running ones included."""


@dataclass(slots=True, eq=False)
class _Job:
    """A polled message on its way to a result."""

    message: Message
    task: asyncio.Task[None] | None = None
    handled: bool = False
    """In a handler at this moment."""
    finished: bool = False
    attempt: int = 1
    turned_away: int = 0
    """Tries that met `Overloaded`, which are no attempts."""
    outputs: list[Entry] = field(default_factory=list)
    tally: Tally = field(default_factory=lambda: Tally(read=1))

    def count(self, retry: Retry) -> None:
        self.tally.retries += 1
        if retry.counts:
            self.attempt += 1
        else:
            self.turned_away += 1

    def cancel(self) -> None:
        if self.task:
            self.task.cancel()


@dataclass(slots=True)
class _Lane:
    """An assigned partition: its jobs in order of offset, and what was committed of it."""

    tally: Tally
    jobs: deque[_Job] = field(default_factory=deque)

    def finished_prefix(self) -> list[_Job]:
        return list(takewhile(lambda job: job.finished, self.jobs))


@dataclass(frozen=True, slots=True)
class _Prefix:
    """What of a lane is written in one transaction."""

    assignment: Assignment
    lane: _Lane
    jobs: list[_Job]
    tally: Tally
    """Of these jobs alone."""

    def position(self) -> Position:
        tally = self.lane.tally + self.tally
        return Position(self.jobs[-1].message.offset + 1, tally.to_metadata())

    def forget(self) -> None:
        """Take the jobs, now committed, off the lane."""
        self.lane.tally += self.tally
        for _ in self.jobs:
            self.lane.jobs.popleft()


class Worker:
    """Runs one stage as a member of the consumer group that bears its name.

    Up to `concurrency` handlers run at a time. `run` returns after `drain`,
    and raises what must stop the run: `UsageError` or `Stopped` from a handler,
    `LogError`.
    """

    def __init__(
        self,
        stage: Stage,
        log: Log,
        *,
        concurrency: int = 1,
        flow: Flow | None = None,
        settings: WorkerSettings | None = None,
    ) -> None:
        self.flow = flow or FLOWS[stage.name]
        self._sources = {topic.name: topic for topic in self.flow.consumes}
        self._stage = stage
        self._log = log
        self._concurrency = concurrency
        self._settings = settings or WorkerSettings()
        self._handler_seconds = metrics.HANDLER_SECONDS.labels(stage.name)
        self._policy = Policy(stage.name, self._settings)
        self._slots = asyncio.Semaphore(concurrency)
        self._lanes: dict[Assignment, _Lane] = {}
        self._due: set[_Job] = set()
        """Jobs that have a slot or wait for one, unlike those that wait to be tried again."""
        self._settled = asyncio.Event()
        self._draining = False
        self._stopped: Stopped | None = None
        """Why the stage cannot go on; what it has begun is finished first."""
        self._ended = False
        self._consumer: Consumer | None = None

    @property
    def name(self) -> str:
        return self._stage.name

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(self._sources)

    @property
    def progress(self) -> Progress:
        # Copies, each made at once: metrics are read by another thread.
        lanes = list(self._lanes.values())
        tally = sum((lane.tally for lane in lanes), start=Tally())
        running = sum(not job.finished for lane in lanes for job in list(lane.jobs))
        return Progress(self.name, tally, running, self._consumer.lag if self._consumer else 0)

    @property
    def joined(self) -> bool:
        """Whether it is a member of its group."""
        return self._consumer is not None and self._consumer.joined

    def drain(self) -> None:
        """Stop polling, finish what is in a handler within the time for it, commit, return."""
        self._draining = True
        if self._consumer:
            self._consumer.wake()

    async def run(self) -> None:
        consumer = await self._log.subscribe(self.name, self.topics)
        self._consumer = consumer
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._commit_results(consumer))
                await self._poll(consumer, tasks)
                await self._finish_begun()
                self._ended = True
                self._settled.set()
            if self._stopped:
                raise self._stopped
        except ExceptionGroup as group:
            raise decisive(group) from None
        finally:
            await consumer.close()

    async def _poll(self, consumer: Consumer, tasks: asyncio.TaskGroup) -> None:
        window = _WINDOW * self._concurrency
        self._keep_lanes(consumer)
        while not self._draining:
            full = [held for held, lane in self._lanes.items() if len(lane.jobs) >= window]
            free = max(self._concurrency - len(self._due), 0)
            messages = await consumer.poll(free, paused=full)
            self._keep_lanes(consumer)
            for message in messages:
                if lane := self._lanes.get(message.assignment):
                    job = _Job(message)
                    lane.jobs.append(job)
                    self._due.add(job)
                    job.task = tasks.create_task(self._settle(job, consumer))

    def _keep_lanes(self, consumer: Consumer) -> None:
        """Begin lanes for new assignments; drop those that were revoked, work and all."""
        for assignment in self._lanes.keys() - consumer.assignments.keys():
            jobs = self._lanes.pop(assignment).jobs
            self._due.difference_update(jobs)
            for job in jobs:
                job.cancel()
        for assignment, position in consumer.assignments.items():
            if assignment not in self._lanes:
                self._lanes[assignment] = _Lane(Tally.from_metadata(position.metadata))

    async def _settle(self, job: _Job, consumer: Consumer) -> None:
        """Try the record until it has a result, or the worker drains."""
        while True:
            self._due.add(job)
            retry = await self._try(job)
            self._due.discard(job)
            consumer.wake()
            if retry is None or self._draining:
                break
            await asyncio.sleep(retry.seconds)
        self._settled.set()

    async def _try(self, job: _Job) -> Retry | None:
        """Run the handler once and finish the job, unless it is to be tried again."""
        async with self._slots:
            job.handled, started = True, perf_counter()
            try:
                with spans.handling(self.name, job.message) as span:
                    return await self._attempt(job, span)
            finally:
                job.handled = False
                seconds = perf_counter() - started
                job.tally.seconds += seconds
                self._handler_seconds.observe(seconds)

    async def _attempt(self, job: _Job, span: Span) -> Retry | None:
        message = job.message
        record: Record | None = None
        records: list[Record]
        try:
            record = self._sources[message.partition.topic].decode(message)
            name = record_id(record)
            span.set_attribute("codeio.record_id", name)
            bind_contextvars(stage=self.name, record_id=name)  # of this task alone
            records = await self._handle(record)
            job.outputs = [self._encode(output) for output in records]
        except Exception as error:  # noqa: BLE001  (the policy judges every error)
            if isinstance(cause := decisive(error), Stopped):
                self._stopped = self._stopped or cause
                self.drain()
                return None
            verdict = self._policy.judge(
                error,
                message=message,
                record=record,
                attempt=job.attempt,
                turned_away=job.turned_away,
            )
            self._report(verdict, error, message, record)
            spans.note(span, verdict, error)
            if isinstance(verdict, Retry):
                job.count(verdict)
                return verdict
            topic = DEAD_LETTERS if isinstance(verdict, DeadLetter) else REJECTIONS
            records, job.outputs = [verdict], [spans.with_context(topic.encode(verdict))]
        job.tally.count(records)
        job.finished = True
        return None

    def _encode(self, output: Record) -> Entry:
        entry = spans.with_context(self.flow.topic_for(output).encode(output))
        if entry.size > MAX_RECORD_BYTES:
            kind = type(output).__name__
            raise Rejected(
                "record_too_large",
                f"{kind} {record_id(output)} has {entry.size:,} bytes, and the limit is "
                f"{MAX_RECORD_BYTES:,}",
            )
        return entry

    async def _handle(self, record: Record) -> list[Record]:
        try:
            return [output async for output in self._stage.handle(record)]
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task and task.cancelling():
                raise
            # Let through, it would end this task in silence, and the record with it.
            raise TransientError("what the handler waited for was cancelled") from error

    async def _commit_results(self, consumer: Consumer) -> None:
        ended = False
        while not ended:
            await self._settled.wait()
            self._settled.clear()
            # Read before the commit: what is settled during it takes another round.
            ended = self._ended
            while await self._commit_prefixes(consumer):
                pass

    async def _commit_prefixes(self, consumer: Consumer) -> bool:
        """Write finished prefixes of the lanes in one transaction; tell whether more is left."""
        prefixes: list[_Prefix] = []
        room = _COMMIT_BYTES
        for held, lane in self._lanes.items():
            jobs: list[_Job] = []
            for job in lane.finished_prefix():
                if room <= 0:
                    break
                jobs.append(job)
                room -= sum(output.size for output in job.outputs)
            if jobs:
                tally = sum((job.tally for job in jobs), start=Tally())
                prefixes.append(_Prefix(held, lane, jobs, tally))
        if not prefixes:
            return False
        try:
            await consumer.commit(
                {prefix.assignment: prefix.position() for prefix in prefixes},
                [entry for prefix in prefixes for job in prefix.jobs for entry in job.outputs],
            )
        except CodeioError as error:
            metrics.TRANSACTION_ABORTS.labels(self.name).inc()
            if not isinstance(error, Revoked):
                raise
            self._keep_lanes(consumer)
            self._settled.set()
            return False
        tallies = (prefix.tally for prefix in prefixes)
        metrics.count_committed(self.name, sum(tallies, start=Tally()))
        for prefix in prefixes:
            prefix.forget()
        consumer.wake()
        return room <= 0

    async def _finish_begun(self) -> None:
        """Give handlers that run the time to finish, if nobody wants to go; abandon all else."""
        begun: list[asyncio.Task[None]] = []
        for lane in self._lanes.values():
            for job in lane.jobs:
                if job.handled and job.task:
                    begun.append(job.task)
                else:
                    job.cancel()
        if begun:
            seconds = None if self._stopped else self._settings.drain_seconds
            _, late = await asyncio.wait(begun, timeout=seconds)
            for task in late:
                task.cancel()

    def _report(
        self,
        verdict: Retry | Rejection | DeadLetter,
        error: Exception,
        message: Message,
        record: Record | None,
    ) -> None:
        partition = message.partition
        logger = _logger.bind(
            stage=self.name,
            record_id=record_id(record) if record else None,
            topic=partition.topic,
            partition=partition.number,
            offset=message.offset,
        )
        match verdict:
            case Retry():
                logger.info("retry", error=repr(error), seconds=round(verdict.seconds, 3))
            case Rejection():
                logger.info("rejection", reason=verdict.reason)
            case DeadLetter():
                logger.warning("dead letter", error=verdict.error, attempts=verdict.attempts)
