"""The log in one file, for one process: `runtime.log` without a broker.

Every topic has one partition. One thread writes, another reads, so the event
loop never waits for the disk. What is asked to be written while a transaction
is on its way gathers for the next one: the more there is to do, the more
records share a sync of the disk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from codeio.runtime.log import (
    Assignment,
    Entry,
    LogError,
    Message,
    Partition,
    Position,
    Revoked,
)
from codeio.runtime.logfile import Change, LogFile, check_topic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

_READ_AHEAD = 64
"""Messages read at once; a raw file is at most 256 KiB."""


class LocalLog:
    """A log in one SQLite file. Open it with `async with LocalLog(path) as log`.

    Raises, when opened:
        UsageError: another process has it open, it is not a log, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._consumers: dict[str, LocalConsumer] = {}
        self._generation = 0
        self._pending: list[tuple[Change, asyncio.Future[None]]] = []
        self._work = asyncio.Event()
        self._changed = asyncio.Event()
        self._closing = False
        self._failure: LogError | None = None

    async def __aenter__(self) -> Self:
        self._file = LogFile(self._path)
        self._write_thread = ThreadPoolExecutor(1, "log-writer")
        self._read_thread = ThreadPoolExecutor(1, "log-reader")
        self._ends = dict(self._file.ends)
        self._positions = self._file.positions()
        self._metadata = self._file.metadata()
        self._writing = asyncio.create_task(self._write_groups())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Write what was asked for and let go of the file."""
        self._closing = True
        self._work.set()
        await self._writing
        for thread in (self._write_thread, self._read_thread):
            thread.shutdown()
        self._file.close()

    async def append(self, entries: Sequence[Entry]) -> None:
        await self.write(Change(entries=entries))

    async def subscribe(self, group: str, topics: Sequence[str]) -> LocalConsumer:
        """Join a group; with one partition a topic, the newest member holds them all."""
        self._generation += 1
        generation = self._generation
        if earlier := self._consumers.get(group):
            earlier.supersede()
        # What the earlier member asked to commit in time is in the positions then.
        await self.write(Change())
        consumer = LocalConsumer(self, group, topics, generation)
        self._consumers[group] = consumer
        return consumer

    def leave(self, consumer: LocalConsumer) -> None:
        if self._consumers.get(consumer.group) is consumer:
            del self._consumers[consumer.group]

    async def read(self, topic: str) -> AsyncIterator[Message]:
        start, stop = 0, self._ends.get(topic, 0)
        while start < stop:
            messages = await self.fetch(topic, start, stop)
            for message in messages:
                yield message
            start = messages[-1].offset + 1

    async def ends(self, topics: Sequence[str]) -> dict[Partition, int]:
        return {Partition(topic, 0): self.end(topic) for topic in topics}

    async def committed(self, group: str, topics: Sequence[str]) -> dict[Partition, Position]:
        return {
            Partition(topic, 0): self._positions[group, topic]
            for topic in topics
            if (group, topic) in self._positions
        }

    async def drained(self, readers: Mapping[str, Sequence[str]]) -> None:
        """Wait until every group has committed its topics to their ends, all at one moment.

        Outputs and positions are committed together, so that nothing is in
        flight then and nothing can follow.
        """
        while any(
            self.position(group, topic).offset < self.end(topic)
            for group, topics in readers.items()
            for topic in topics
        ):
            await self._changed.wait()

    def get_metadata(self, key: str) -> str | None:
        """Return what this log remembers under a key, beside its topics."""
        return self._metadata.get(key)

    async def set_metadata(self, key: str, value: str) -> None:
        await self.write(Change(metadata={key: value}))

    def end(self, topic: str) -> int:
        return self._ends.get(topic, 0)

    def position(self, group: str, topic: str) -> Position:
        return self._positions.get((group, topic), Position(0))

    async def fetch(self, topic: str, start: int, stop: int) -> list[Message]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._read_thread, self._file.read, topic, start, stop, _READ_AHEAD
        )

    async def write(self, change: Change) -> None:
        """Write a change together with all others that are waiting.

        Raises:
            LogError: the log failed, now or earlier.
        """
        if self._failure:
            raise self._failure
        if self._closing:
            raise LogError("the log is closed")
        for entry in change.entries:
            check_topic(entry.topic)
        written = asyncio.get_running_loop().create_future()
        self._pending.append((change, written))
        self._work.set()
        await written

    async def _write_groups(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending or not self._closing:
            await self._work.wait()
            self._work.clear()
            group, self._pending = self._pending, []
            changes = [change for change, _ in group]
            if not changes:
                continue
            try:
                await loop.run_in_executor(self._write_thread, self._file.write, changes)
            except Exception as error:  # noqa: BLE001  (handed to those who wait)
                self._fail(error, group)
            else:
                self._note(changes)
                for _, written in group:
                    if not written.done():
                        written.set_result(None)

    def _note(self, changes: Sequence[Change]) -> None:
        self._ends = dict(self._file.ends)
        for change in changes:
            self._positions.update(change.positions)
            self._metadata.update(change.metadata)
        self._changed.set()
        self._changed = asyncio.Event()
        for consumer in self._consumers.values():
            consumer.look_again()

    def _fail(self, error: Exception, group: Sequence[tuple[Change, asyncio.Future[None]]]) -> None:
        """Refuse this group and all that follows: what is in the file is not known for sure."""
        self._failure = error if isinstance(error, LogError) else LogError(repr(error))
        for _, written in [*group, *self._pending]:
            if not written.done():
                written.set_exception(self._failure)
        self._pending.clear()


class LocalConsumer:
    """The one member of a group that holds all its partitions, until a newer one joins."""

    def __init__(self, log: LocalLog, group: str, topics: Sequence[str], generation: int) -> None:
        self.group = group
        self._log = log
        self._superseded = False
        self._woken = False
        self._bell = asyncio.Event()
        self._assignments = {
            Assignment(Partition(topic, 0), generation): log.position(group, topic)
            for topic in topics
        }
        self._fetched: dict[Assignment, deque[Message]] = {
            assignment: deque() for assignment in self._assignments
        }
        self._next = {
            assignment: position.offset for assignment, position in self._assignments.items()
        }

    @property
    def assignments(self) -> Mapping[Assignment, Position]:
        return self._assignments

    @property
    def joined(self) -> bool:
        return not self._superseded

    @property
    def lag(self) -> int:
        topics = [assignment.partition.topic for assignment in self._assignments]
        return sum(
            self._log.end(topic) - self._log.position(self.group, topic).offset for topic in topics
        )

    async def poll(self, limit: int, *, paused: Collection[Assignment] = ()) -> list[Message]:
        while True:
            self._bell.clear()
            if self._superseded and self._assignments:
                self._assignments = {}
                return []
            messages = await self._take(limit, paused)
            if messages or self._woken:
                self._woken = False
                return messages
            await self._bell.wait()

    def wake(self) -> None:
        self._woken = True
        self._bell.set()

    def look_again(self) -> None:
        """Called by the log when it has grown."""
        self._bell.set()

    def supersede(self) -> None:
        """Called by the log when a newer member of the group has joined."""
        self._superseded = True
        self._bell.set()

    async def commit(
        self, positions: Mapping[Assignment, Position], outputs: Sequence[Entry]
    ) -> None:
        if self._superseded:
            self._assignments = {}
            raise Revoked(f"group {self.group} has a newer member")
        await self._log.write(
            Change(
                entries=outputs,
                positions={
                    (self.group, assignment.partition.topic): position
                    for assignment, position in positions.items()
                },
            )
        )

    async def close(self) -> None:
        self.supersede()
        self._assignments = {}
        self._log.leave(self)

    async def _take(self, limit: int, paused: Collection[Assignment]) -> list[Message]:
        """Return what there is, up to the limit, the most urgent topics first."""
        messages: list[Message] = []
        for assignment in self._assignments:
            if assignment in paused or len(messages) == limit:
                continue
            await self._fetch(assignment)
            fetched = self._fetched[assignment]
            while fetched and len(messages) < limit:
                messages.append(fetched.popleft())
        return messages

    async def _fetch(self, assignment: Assignment) -> None:
        topic = assignment.partition.topic
        start, stop = self._next[assignment], self._log.end(topic)
        if self._fetched[assignment] or start == stop:
            return
        messages = await self._log.fetch(topic, start, stop)
        self._next[assignment] = messages[-1].offset + 1
        self._fetched[assignment].extend(
            replace(message, generation=assignment.generation) for message in messages
        )
