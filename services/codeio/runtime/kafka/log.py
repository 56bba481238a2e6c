"""The topics of one installation in a broker, as `runtime.log` has them."""

from __future__ import annotations

import asyncio
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from kafka.errors import AuthorizationError, BrokerResponseError, KafkaError, KafkaTimeoutError
from kafka.structs import TopicPartition

from codeio.runtime.errors import UsageError
from codeio.runtime.kafka.connection import (
    client_options,
    close_consumer,
    missing_topic,
    open_client,
    reaching,
    refusal,
)
from codeio.runtime.kafka.member import KafkaMember, Membership, message_of
from codeio.runtime.kafka.writer import TransactionalWriter
from codeio.runtime.log import Assignment, LogError, Partition, Position
from codeio.runtime.sizes import MAX_MESSAGE_BYTES
from kafka import KafkaAdminClient, KafkaConsumer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from types import TracebackType

    from kafka.structs import OffsetAndMetadata

    from codeio.runtime.log import Entry, Message
    from codeio.runtime.settings import KafkaSettings

T = TypeVar("T")

_READ_MS = 200
_SILENCE_SECONDS = 30.0
_CLOSE_SECONDS = 2.0
_COUNTED = 1000
_COORDINATOR_SECONDS = 10.0
_COORDINATOR_PAUSE = 0.1
_OPENING_SECONDS = 30.0


class KafkaLog:
    """A log in a broker. Open it with `async with KafkaLog(settings) as log`.

    Raises, when opened:
        UsageError: the broker cannot be reached, or refuses us.
    """

    def __init__(self, settings: KafkaSettings, *, at: Callable[[str], None] | None = None) -> None:
        """Take the settings; `at` is told of each step of a commit, for tests that fail there."""
        self._settings = settings
        self._at = at or (lambda _: None)
        # One that stays, so that what a process left behind is ended by the next in its slot.
        self._who = settings.slot or uuid.uuid4().hex
        self._writer: TransactionalWriter | None = None
        self._members: list[KafkaMember] = []
        self._closed = False

    async def __aenter__(self) -> Self:
        self._options = client_options(self._settings)
        self._thread = ThreadPoolExecutor(1, "kafka-log")
        connecting = partial(open_client, KafkaAdminClient, self._options)
        try:
            with reaching(self._settings):
                loop = asyncio.get_running_loop()
                self._admin = await loop.run_in_executor(self._thread, connecting)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        async with AsyncExitStack() as ending:
            ending.callback(self._thread.shutdown)
            ending.push_async_callback(self._in_thread, self._admin.close)
            if self._writer:
                ending.push_async_callback(self._in_thread, self._writer.close)
            # What kept a member from its work is for those who work with it.
            closing = (member.close() for member in self._members)
            await asyncio.gather(*closing, return_exceptions=True)

    async def append(self, entries: Sequence[Entry]) -> None:
        """Write all entries, in order, or none.

        Raises:
            LogError: whether they were written is not known.
        """
        if entries:
            await self._in_thread(partial(self._append, entries), right="WRITE")

    def _append(self, entries: Sequence[Entry]) -> None:
        try:
            if self._writer is None:
                self._writer = self._opened()
            self._writer.write(entries)
        except KafkaError:
            if self._writer:
                self._writer.close()
            self._writer = None
            raise

    def _opened(self) -> TransactionalWriter:
        """Open a writer: brokers that have just begun may make a topic of their own first."""
        patience = time.monotonic() + _OPENING_SECONDS
        while True:
            try:
                return TransactionalWriter(
                    self._options,
                    prefix=self._settings.prefix,
                    transactional_id=f"{self._settings.prefix}codeio.append-{self._who}",
                    transaction_seconds=self._settings.transaction_seconds,
                )
            except KafkaTimeoutError:
                if time.monotonic() > patience:
                    raise

    async def subscribe(self, group: str, topics: Sequence[str]) -> KafkaMember:
        name = f"{self._settings.prefix}codeio.{group}"
        member = KafkaMember(
            Membership(
                group=name,
                topics=topics,
                prefix=self._settings.prefix,
                slot=self._settings.slot,
                transactional_id=f"{name}-{self._who}",
            ),
            self._options,
            settings=self._settings,
            at=self._at,
        )
        self._members.append(member)
        return member

    async def read(self, topic: str) -> AsyncIterator[Message]:
        """Yield what a topic holds at the start of the call, one partition after another."""
        for partition, end in sorted(
            (await self.ends([topic])).items(), key=lambda item: item[0].number
        ):
            async for message in self.read_partition(partition, start=0, end=end):
                yield message

    async def read_partition(
        self, partition: Partition, *, start: int, end: int
    ) -> AsyncIterator[Message]:
        """Yield the messages of a partition from offset `start` to before `end`."""
        tp = TopicPartition(self._theirs(partition.topic), partition.number)
        thread = ThreadPoolExecutor(1, "kafka-read")
        try:
            consumer = await self._in_thread(self._reader, thread)
            try:
                await self._in_thread(partial(_begin, consumer, tp, start), thread)
                reached, since = start, time.monotonic()
                while reached < end:
                    polled, position = await self._in_thread(partial(_next, consumer, tp), thread)
                    for record in polled:
                        if record.offset < end:
                            yield message_of(record, Assignment(partition, 0))
                    if position > reached:
                        reached, since = position, time.monotonic()
                    elif time.monotonic() - since > _SILENCE_SECONDS:
                        raise LogError(f"the broker has sent nothing for {_SILENCE_SECONDS:.0f} s")
            finally:
                closing = partial(close_consumer, consumer, seconds=_CLOSE_SECONDS)
                loop = asyncio.get_running_loop()
                await asyncio.shield(loop.run_in_executor(thread, closing))
        finally:
            thread.shutdown(wait=False)

    async def ends(self, topics: Sequence[str]) -> dict[Partition, int]:
        """Return the offset that the next message of each partition will have.

        Raises:
            UsageError: a topic is missing or may not be seen, of which the broker says nothing.
            LogError: the broker failed.
        """
        return await self._in_thread(partial(self._ends, topics))

    def _ends(self, topics: Sequence[str]) -> dict[Partition, int]:
        consumer = self._reader()
        try:
            found: dict[Partition, int] = {}
            for topic in topics:
                numbers = consumer.partitions_for_topic(self._theirs(topic))
                if not numbers:
                    raise UsageError(missing_topic(self._settings, self._theirs(topic)))
                wanted = [TopicPartition(self._theirs(topic), number) for number in numbers]
                ends = consumer.end_offsets(wanted)
                found |= {Partition(topic, tp.partition): end for tp, end in ends.items()}
            return found
        finally:
            close_consumer(consumer, seconds=_CLOSE_SECONDS)

    async def committed(self, group: str, topics: Sequence[str]) -> dict[Partition, Position]:
        return await self._in_thread(partial(self._committed, group, topics))

    def _committed(self, group: str, topics: Sequence[str]) -> dict[Partition, Position]:
        name = f"{self._settings.prefix}codeio.{group}"
        ours = {self._theirs(topic): topic for topic in topics}
        offsets = self._group_offsets(name)
        return {
            Partition(ours[tp.topic], tp.partition): Position(found.offset, found.metadata or "")
            for tp, found in offsets.items()
            if tp.topic in ours and found.offset >= 0
        }

    def _group_offsets(self, name: str) -> dict[TopicPartition, OffsetAndMetadata]:
        deadline = time.monotonic() + _COORDINATOR_SECONDS
        while True:
            # F16: a coordinator once found would be asked for ever, though it is another by now.
            self._admin._manager.cluster._coordinators.clear()
            try:
                found: dict[TopicPartition, OffsetAndMetadata] = self._admin.list_group_offsets(
                    {name: None}
                )[name]
            except BrokerResponseError as error:
                # The first who asks a broker for a group makes it look for a place for groups.
                if not error.retriable or time.monotonic() > deadline:
                    raise
                time.sleep(_COORDINATOR_PAUSE)
            else:
                return found

    async def unread(self, group: str, topics: Sequence[str]) -> int:
        """Return how many messages a group has not committed.

        Offsets alone would count the marks of transactions as well; so where few
        are left they are read, and many are taken for what the offsets say.
        """
        ends = await self.ends(topics)
        done = await self.committed(group, topics)
        starts = {part: done[part].offset if part in done else 0 for part in ends}
        gap = sum(max(0, end - starts[part]) for part, end in ends.items())
        if gap > _COUNTED:
            return gap
        count = 0
        for part, end in ends.items():
            if starts[part] < end:
                async for _ in self.read_partition(part, start=starts[part], end=end):
                    count += 1
        return count

    def _theirs(self, topic: str) -> str:
        return f"{self._settings.prefix}{topic}"

    def _reader(self) -> KafkaConsumer:
        ours = {
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "max_partition_fetch_bytes": MAX_MESSAGE_BYTES,
            "fetch_max_wait_ms": _READ_MS,
        }
        return open_client(KafkaConsumer, {**self._options, **ours})

    async def _in_thread(
        self,
        work: Callable[[], T],
        thread: ThreadPoolExecutor | None = None,
        *,
        right: str = "READ",
    ) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread or self._thread, work)
        except AuthorizationError as error:
            raise LogError(refusal(error, self._settings, right=right)) from error
        except KafkaError as error:
            raise LogError(f"the broker failed: {error!r}") from error


def _begin(consumer: KafkaConsumer, tp: TopicPartition, start: int) -> None:
    consumer.assign([tp])
    consumer.seek(tp, start)


def _next(consumer: KafkaConsumer, tp: TopicPartition) -> tuple[Iterable[Any], int]:
    polled = consumer.poll(timeout_ms=_READ_MS)
    # It may not know its place yet; to ask for it would wait for a broker that is not there.
    known = consumer._subscription.assignment[tp].position
    return polled.get(tp, ()), known.offset if known else 0
