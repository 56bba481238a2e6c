"""One member of a consumer group: reads in a thread of its own, writes in another.

The reader polls without pause, so the group never takes a slow stage for a dead
one; partitions of which enough is read ahead are paused. After each poll it
publishes what is held now, and as whom: a commit of positions bears that
identity, and the broker refuses it from one who is no longer the holder.

After any failed transaction the member gives up all that it holds and is built
anew, reader and writer. Opening the writer settles what became of the last
transaction, and only then are positions read. So it is not to be known whether
that transaction was written: the positions tell.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    AuthorizationError,
    FencedInstanceIdError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    UnknownMemberIdError,
)
from kafka.structs import MemberState, OffsetAndMetadata, TopicPartition

from codeio.runtime.kafka.connection import (
    close_consumer,
    missing_topic,
    open_client,
    refusal,
)
from codeio.runtime.kafka.writer import TransactionalWriter
from codeio.runtime.log import Assignment, LogError, Message, Partition, Position, Revoked
from codeio.runtime.sizes import MAX_MESSAGE_BYTES
from kafka import KafkaConsumer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from kafka.structs import ConsumerGroupMetadata

    from codeio.runtime.log import Entry
    from codeio.runtime.settings import KafkaSettings

_logger = structlog.get_logger()

_POLL_MS = 100
_ANSWER_MS = 1000
_READ_AHEAD = 500
"""Messages of a partition that wait here, about; then it is paused."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_CLOSE_SECONDS = 10.0
_LEAVE_SECONDS = 2.0
_METADATA_SECONDS = 30.0
_STUCK_SESSIONS = 3


@dataclass(slots=True)
class _Held:
    """A partition that is held now."""

    position: Position
    """Where it was taken over."""
    waiting: deque[Message] = field(default_factory=deque)
    open: deque[int] = field(default_factory=deque)
    """Offsets that were read and are not committed."""
    unread: int = 0
    """Messages in the broker that were not read yet, about."""


@dataclass(frozen=True, slots=True)
class Membership:
    """Who reads what: the names as the broker knows them."""

    group: str
    topics: Sequence[str]
    """Our names, the most urgent first."""
    prefix: str
    """What the broker's names have before ours."""
    slot: str
    transactional_id: str


class KafkaMember:
    """A `Consumer` of a group in a broker."""

    def __init__(
        self,
        membership: Membership,
        options: Mapping[str, Any],
        *,
        settings: KafkaSettings,
        at: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._membership = membership
        self._options = options
        self._settings = settings
        self._at = at
        self._loop = asyncio.get_running_loop()
        self._bell = asyncio.Event()
        self._woken = False
        self._view: dict[Assignment, Position] = {}
        self._urgency = {topic: rank for rank, topic in enumerate(membership.topics)}
        # What both threads and the loop look at.
        self._lock = threading.Lock()
        self._held: dict[Assignment, _Held] = {}
        self._identity: ConsumerGroupMetadata | None = None
        self._failure: LogError | None = None
        self._broken = False
        """Whether reader and writer are to be built anew."""
        self._doubtful = False
        """Whether another process may have our slot."""
        self._closing = threading.Event()
        self._generations = itertools.count(1)
        self._in_group_at = self._topics_seen_at = time.monotonic()
        self._writer: TransactionalWriter | None = None
        self._writing = ThreadPoolExecutor(1, "kafka-writer")
        self._reader = threading.Thread(target=self._read, name="kafka-reader", daemon=True)
        self._reader.start()

    @property
    def assignments(self) -> Mapping[Assignment, Position]:
        return self._view

    @property
    def joined(self) -> bool:
        identity = self._identity  # the reader may take it away meanwhile
        # To the library one is a member as long as no broker says otherwise.
        seen = time.monotonic() - self._in_group_at < self._settings.session_seconds
        return identity is not None and identity.generation_id >= 0 and seen

    @property
    def lag(self) -> int:
        with self._lock:
            return sum(len(held.open) + held.unread for held in self._held.values())

    async def poll(self, limit: int, *, paused: Collection[Assignment] = ()) -> list[Message]:
        while True:
            self._bell.clear()
            with self._lock:
                if self._failure:
                    raise self._failure
                changed = self._look()
                messages = self._take(limit, paused)
            if messages or changed or self._woken:
                self._woken = False
                return messages
            await self._bell.wait()

    def wake(self) -> None:
        self._woken = True
        self._bell.set()

    async def commit(
        self, positions: Mapping[Assignment, Position], outputs: Sequence[Entry]
    ) -> None:
        try:
            await self._loop.run_in_executor(
                self._writing, partial(self._commit, positions, outputs)
            )
        except Revoked:
            with self._lock:
                self._look()
            raise

    async def close(self) -> None:
        """Leave; in a static slot the partitions stay with it for a while.

        Raises:
            LogError: it could not work any more, and nobody has asked it since.
        """
        if self._closing.is_set():
            return
        self._closing.set()
        self._view = {}
        # Longer it takes only while the broker is away, and then it ends by itself.
        await asyncio.to_thread(self._reader.join, _CLOSE_SECONDS)
        if not self._reader.is_alive():
            self._writing.shutdown()
        if self._failure:
            raise self._failure

    def _look(self) -> bool:
        """Take over what is held now; tell whether that changed."""
        now = {assignment: held.position for assignment, held in self._held.items()}
        changed = now.keys() != self._view.keys()
        self._view = now
        return changed

    def _take(self, limit: int, paused: Collection[Assignment]) -> list[Message]:
        messages: list[Message] = []
        ordered = sorted(self._held, key=lambda a: self._urgency[a.partition.topic])
        for assignment in ordered:
            waiting = self._held[assignment].waiting
            while waiting and len(messages) < limit and assignment not in paused:
                messages.append(waiting.popleft())
        return messages

    def _ring(self) -> None:
        with suppress(RuntimeError):  # the loop may be gone by now
            self._loop.call_soon_threadsafe(self._bell.set)

    # The writer's thread.

    def _commit(self, positions: Mapping[Assignment, Position], outputs: Sequence[Entry]) -> None:
        with self._lock:
            identity, writer = self._identity, self._writer
            if not positions.keys() <= self._held.keys():
                raise Revoked("a partition was given to another member")
            if self._failure:
                raise self._failure
        if writer is None or identity is None or identity.generation_id < 0:
            # F1: without a generation the broker would not check who commits.
            raise Revoked("this member is not in its group")
        try:
            writer.write(
                outputs,
                {
                    self._theirs(assignment.partition): OffsetAndMetadata(
                        position.offset, position.metadata, -1
                    )
                    for assignment, position in positions.items()
                },
                identity,
            )
        except KafkaError as error:
            missing = writer.missing(entry.topic for entry in outputs)
            raise self._give_up(error, writer, missing) from error
        with self._lock:
            for assignment, position in positions.items():
                if held := self._held.get(assignment):
                    while held.open and held.open[0] < position.offset:
                        held.open.popleft()

    def _give_up(
        self, error: KafkaError, writer: TransactionalWriter, missing: Sequence[str]
    ) -> Revoked | LogError:
        """Let go of everything; return what the worker is told."""
        has_slot = bool(self._membership.slot)
        # The library may have joined anew under our slot, and so be the one that has it.
        self._doubtful = has_slot and (writer.fenced or isinstance(error, FencedInstanceIdError))
        with self._lock:
            self._held.clear()
            self._broken = True
        if has_slot and writer.displaced:
            self._fail(self._slot_taken())
        if isinstance(error, AuthorizationError):
            return self._fail(refusal(error, self._settings, right="WRITE"))
        if missing:
            return self._fail(missing_topic(self._settings, missing[0]))
        if isinstance(error, MessageSizeTooLargeError):
            return self._fail(
                f"the broker takes no message of this size: {error}; run `codeio topics apply`"
            )
        _logger.warning("transaction failed", error=repr(error), group=self._membership.group)
        self._ring()
        return Revoked(f"the transaction failed: {error!r}")

    def _fail(self, sentence: str) -> LogError:
        self._failure = LogError(sentence)
        self._ring()
        return self._failure

    def _slot_taken(self) -> str:
        return (
            f"another process works in slot {self._membership.slot!r} of {self._membership.group}; "
            "give each process a kafka.slot of its own"
        )

    # The reader's thread.

    def _read(self) -> None:
        pause = _FIRST_PAUSE
        while not self._closing.is_set() and not self._failure:
            consumer: KafkaConsumer | None = None
            try:
                # F4: a producer is not to be used again after an aborted transaction.
                self._in_writers_thread(self._reopen_writer)
                consumer = self._subscribe()
                while not self._closing.is_set() and not self._broken and not self._failure:
                    self._poll(consumer)
                    pause = _FIRST_PAUSE
            except FencedInstanceIdError:
                self._fail(self._slot_taken())
            except AuthorizationError as error:
                self._fail(refusal(error, self._settings, right="READ"))
            except KafkaError as error:
                _logger.warning("broker", error=repr(error), group=self._membership.group)
                self._closing.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except Exception as error:  # noqa: BLE001  (the worker is told, and ends)
                self._fail(f"reading from the broker failed: {error!r}")
            finally:
                with self._lock:
                    self._held.clear()
                    self._identity = None
                self._ring()
                if consumer is not None:
                    self._leave(consumer)
        self._in_writers_thread(self._close_writer)
        if self._closing.is_set():
            self._writing.shutdown(wait=False)

    def _in_writers_thread(self, work: Callable[[], None]) -> None:
        """Do it behind a commit that is on its way, which does not take long, one way or other."""
        self._writing.submit(work).result()

    def _leave(self, consumer: KafkaConsumer) -> None:
        try:
            if self._doubtful:
                self._wait_for_doubt(consumer)
        except FencedInstanceIdError:
            self._fail(self._slot_taken())
        except Exception as error:  # noqa: BLE001  (what is left behind the broker will notice)
            _logger.warning("left the group in disorder", error=repr(error))
        finally:
            self._doubtful = False
            close_consumer(consumer, seconds=_LEAVE_SECONDS)

    def _wait_for_doubt(self, consumer: KafkaConsumer) -> None:
        """Find out why the broker refused a transaction, which may just have been too slow.

        It may also be that another process has our slot. What is built next would displace
        that in turn, so it gets the time to join the group, which ours is told then.

        Raises:
            FencedInstanceIdError: another process has our slot.
        """
        deadline = time.monotonic() + self._settings.session_seconds
        while time.monotonic() < deadline and not self._closing.is_set() and not self._failure:
            consumer.poll(timeout_ms=_POLL_MS)
            self._see_displaced(consumer)

    def _see_displaced(self, consumer: KafkaConsumer) -> None:
        """Find out whether another process has our slot.

        F8: the library's heartbeat is told, and falls silent; poll() does not say a word.

        Raises:
            FencedInstanceIdError: it has.
        """
        coordinator = consumer._coordinator
        if (
            self._membership.slot
            and consumer.group_metadata().state == MemberState.STABLE
            and not coordinator._heartbeat_enabled
            and not coordinator.rejoining  # or it is silent for that
        ):
            raise FencedInstanceIdError(self._membership.slot)

    def _see_dropped(self, identity: ConsumerGroupMetadata) -> None:
        """Find out whether the group had dropped this member, if only for a moment.

        F12: it may then keep partitions, and its place in them, that others have had.

        Raises:
            UnknownMemberIdError: it had.
        """
        before = self._identity
        if (
            before is not None
            and before.generation_id >= 0
            and (identity.generation_id < 0 or identity.member_id != before.member_id)
        ):
            raise UnknownMemberIdError(before.member_id)

    def _see_stuck(self, consumer: KafkaConsumer) -> None:
        """Find out whether the consumer has lost its group for good.

        F9: after a broker was away it may look for its coordinator for ever.

        Raises:
            KafkaTimeoutError: it has.
        """
        joined = consumer.group_metadata().state == MemberState.STABLE
        if joined and not consumer._coordinator.coordinator_unknown():
            self._in_group_at = time.monotonic()
        elif (
            time.monotonic() - self._in_group_at > _STUCK_SESSIONS * self._settings.session_seconds
        ):
            raise KafkaTimeoutError("the consumer does not get back into its group")

    def _see_missing(self, consumer: KafkaConsumer) -> None:
        """Find out whether a topic is gone; the library goes on asking for it, without a word.

        One that is made anew meanwhile is read from its start.
        """
        names = (self._membership.prefix + topic for topic in self._membership.topics)
        gone = [name for name in names if not consumer._cluster.partitions_for_topic(name)]
        now = time.monotonic()
        # Out of the group it may be that the broker is away.
        if not gone or self._in_group_at < now - self._settings.session_seconds:
            self._topics_seen_at = now
        elif now - self._topics_seen_at > _STUCK_SESSIONS * self._settings.session_seconds:
            self._fail(missing_topic(self._settings, gone[0]))

    def _close_writer(self) -> None:
        if self._writer:
            self._writer.close()
            self._writer = None

    def _reopen_writer(self) -> None:
        self._close_writer()
        self._writer = TransactionalWriter(
            self._options,
            prefix=self._membership.prefix,
            transactional_id=self._membership.transactional_id,
            transaction_seconds=self._settings.transaction_seconds,
            at=self._at,
        )
        self._broken = False

    def _subscribe(self) -> KafkaConsumer:
        self._listener = _Listener()
        self._in_group_at = self._topics_seen_at = time.monotonic()
        ours = {
            "group_id": self._membership.group,
            "group_instance_id": self._membership.slot or None,
            # Only so does it wait for the positions of a transaction that is not settled yet.
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "partition_assignment_strategy": [CooperativeStickyAssignor],
            "session_timeout_ms": round(self._settings.session_seconds * 1000),
            "heartbeat_interval_ms": round(self._settings.session_seconds * 1000 / 5),
            "max_poll_records": _READ_AHEAD,
            "max_partition_fetch_bytes": MAX_MESSAGE_BYTES,
            "fetch_max_wait_ms": _POLL_MS,
            "metadata_max_age_ms": round(_METADATA_SECONDS * 1000),
            # F6: no deserializers; one that raises would keep poll() busy for ever.
        }
        consumer = open_client(KafkaConsumer, {**self._options, **ours})
        names = [self._membership.prefix + topic for topic in self._membership.topics]
        consumer.subscribe(names, listener=self._listener)
        return consumer

    def _poll(self, consumer: KafkaConsumer) -> None:
        self._pause_full(consumer)
        _see_parked(consumer)
        polled = consumer.poll(timeout_ms=_POLL_MS)
        self._see_displaced(consumer)
        self._see_stuck(consumer)
        self._see_missing(consumer)
        _see_to_join(consumer)
        # F1: taken here, right after the poll, and not when it is committed.
        identity = consumer.group_metadata()
        self._see_dropped(identity)
        gained = {
            tp: self._start(consumer, tp)
            for tp in self._listener.gained
            if tp in consumer.assignment()
        }
        with self._lock:
            if self._broken:
                return
            self._let_go(self._listener.lost)
            for tp, position in gained.items():
                held = Assignment(self._ours(tp), next(self._generations))
                self._held[held] = _Held(position)
            self._identity = identity
            self._keep(polled, consumer)
        rings = bool(polled or gained or self._listener.lost)
        self._listener.clear()
        if rings:
            self._ring()

    def _start(self, consumer: KafkaConsumer, tp: TopicPartition) -> Position:
        # F9: this asks the coordinator too, and would wait for ever.
        deadline = time.monotonic() + _STUCK_SESSIONS * self._settings.session_seconds
        while True:
            try:
                found = consumer.committed(tp, metadata=True, timeout_ms=_ANSWER_MS)
            except KafkaTimeoutError as error:
                if not self._closing.is_set() and time.monotonic() < deadline:
                    continue
                if consumer._coordinator.coordinator_unknown():
                    raise
                raise KafkaTimeoutError(
                    f"the position of {tp.topic}-{tp.partition} is undecided: the broker does not "
                    "end a transaction that holds it; if this stays, see docs/kafka.md, A fault "
                    "of the broker"
                ) from error
            else:
                return Position(found.offset, found.metadata) if found else Position(0)

    def _let_go(self, lost: Collection[TopicPartition]) -> None:
        gone = {self._ours(tp) for tp in lost}
        for assignment in [held for held in self._held if held.partition in gone]:
            del self._held[assignment]

    def _keep(
        self, polled: Mapping[TopicPartition, Iterable[Any]], consumer: KafkaConsumer
    ) -> None:
        for assignment, held in self._held.items():
            tp = self._theirs(assignment.partition)
            for record in polled.get(tp, ()):
                held.waiting.append(message_of(record, assignment))
                held.open.append(record.offset)
            # Both are what the library knows already; asking for them costs nothing.
            known = consumer._subscription.assignment.get(tp)
            if known and known.highwater is not None and known.position is not None:
                held.unread = max(0, known.highwater - known.position.offset)

    def _pause_full(self, consumer: KafkaConsumer) -> None:
        with self._lock:
            full = {
                self._theirs(assignment.partition)
                for assignment, held in self._held.items()
                if len(held.waiting) >= _READ_AHEAD
            }
        assigned = consumer.assignment()
        paused = consumer.paused()
        consumer.pause(*((full & assigned) - paused))
        consumer.resume(*((paused & assigned) - full))

    def _ours(self, tp: TopicPartition) -> Partition:
        return Partition(tp.topic.removeprefix(self._membership.prefix), tp.partition)

    def _theirs(self, partition: Partition) -> TopicPartition:
        return TopicPartition(self._membership.prefix + partition.topic, partition.number)


def _see_to_join(consumer: KafkaConsumer) -> None:
    """Have the next poll go on with a join that is not done.

    F10: one that new metadata had begun and a poll did not see the end of is forgotten.
    """
    coordinator = consumer._coordinator
    if coordinator.rebalance_in_progress() and not coordinator.rejoin_needed:
        coordinator.request_rejoin()


def _see_parked(consumer: KafkaConsumer) -> None:
    """Have the next poll begin with a partition that was paused with records fetched already.

    F15: it would wait for a place that is not given free, and never be read again.
    """
    fetcher = consumer._fetcher
    parked, current = fetcher._paused_partition_records, fetcher._next_partition_records
    resumed = next((tp for tp in parked if not consumer._subscription.is_paused(tp)), None)
    if resumed is not None:
        # In this order each is always in one of the two, where it is not fetched again.
        if current:
            parked[current.topic_partition] = current
        fetcher._next_partition_records = parked[resumed]
        del parked[resumed]


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes what a poll changes; the library calls it from within."""

    def __init__(self) -> None:
        self.gained: set[TopicPartition] = set()
        self.lost: set[TopicPartition] = set()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self.gained.update(assigned)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self.lost.update(revoked)
        self.gained.difference_update(revoked)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self.on_partitions_revoked(lost)

    def clear(self) -> None:
        self.gained.clear()
        self.lost.clear()


def message_of(record: Any, assignment: Assignment) -> Message:
    return Message(
        partition=assignment.partition,
        offset=record.offset,
        # Foreign writers may leave out what ours never do.
        key=record.key or b"",
        value=record.value or b"",
        headers={name: value or b"" for name, value in record.headers},
        generation=assignment.generation,
    )
