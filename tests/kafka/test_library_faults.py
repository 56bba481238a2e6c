"""What kafka-python 3.0.12 does wrong, and that we do right in the same situation.

Each fault of docs/kafka.md is shown with the library as its documentation shows it.
Where that part of a test fails, the library is mended and what works round it can go.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import sys
import threading
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kafka.admin import NewPartitions, NewTopic
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from kafka.serializer import Deserializer
from kafka.structs import MemberState, OffsetAndMetadata, TopicPartition

from codeio.runtime.kafka import KafkaLog, member
from codeio.runtime.kafka.connection import client_options
from codeio.runtime.kafka.topics import apply_topics
from codeio.runtime.kafka.writer import TransactionalWriter
from codeio.runtime.log import Entry, Position, Revoked
from codeio.runtime.sizes import MAX_RECORD_BYTES
from codeio.runtime.topics import DEAD_LETTERS, PROGRAMS, RAW_FILES, REJECTIONS
from codeio.runtime.worker import Worker
from codeio.v1.records_pb2 import DeadLetter, Program, RawFile, Rejection
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from tests.kafka.broker import cluster
from tests.kafka.copier import Copy, plain_consumer, plain_producer, settings_of, wait_until
from tests.kafka.proxy import Proxy, distant_broker
from tests.runtime.log_contract import commit, contents, fresh, take

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from codeio.runtime.log import Message

pytestmark = pytest.mark.timeout(120)
FILES = 20
COORDINATOR = "coordinator-1"
"""The library's name for its connection to the broker as coordinator of transactions."""
Far = tuple[Proxy, str]


@pytest.fixture
def prefix() -> str:
    return f"f{uuid.uuid4().hex[:8]}."


@pytest.fixture(scope="module")
def far() -> Iterator[Far]:
    """A broker behind a network that can be cut, and the address of a way around it."""
    with distant_broker() as both:
        yield both


def make_topic(address: str, partitions: int = 1, **configs: str) -> str:
    topic = fresh("topic")
    admin = KafkaAdminClient(bootstrap_servers=address)
    made = NewTopic(
        name=topic, num_partitions=partitions, replication_factor=1, topic_configs=configs
    )
    admin.create_topics([made])
    admin.wait_for_topics([topic])
    admin.close()
    return topic


def numbers(topic: str, count: int) -> list[Entry]:
    return [Entry(topic, b"k%d" % n, b"%d" % n) for n in range(count)]


def end_of(address: str, topic: str) -> int:
    """Return where the next record will be, whatever became of those before."""
    consumer = KafkaConsumer(bootstrap_servers=address)
    try:
        (end,) = consumer.end_offsets([TopicPartition(topic, 0)]).values()
    finally:
        consumer.close()
    assert isinstance(end, int)
    return end


async def values(address: str, topic: str) -> list[bytes]:
    async with KafkaLog(settings_of(address, "")) as log:
        return await contents(log, topic)


async def put_files(log: KafkaLog, count: int = FILES) -> None:
    await log.append([RAW_FILES.encode(RawFile(file_id=f"f{n:04}")) for n in range(count)])


async def read_all(log: KafkaLog, topic: str, count: int) -> list[Message]:
    """Return what a topic holds once it holds so many."""
    async with asyncio.timeout(30):
        while True:
            found = [message async for message in log.read(topic)]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)


class Copier:
    """`tests.kafka.copier` in a process of its own."""

    def __init__(self, how: str, address: str, prefix: str, *, pause: bool = False) -> None:
        self._command = ["-m", "tests.kafka.copier", how, address, prefix, *["pause"] * pause]

    async def __aenter__(self) -> Copier:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, *self._command, stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.terminate()
        await self.process.communicate()

    async def paused(self) -> None:
        """Return when it has stopped itself."""
        status = Path(f"/proc/{self.process.pid}/stat")
        async with asyncio.timeout(30):
            while " T " not in status.read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def says(self, words: str) -> None:
        assert self.process.stdout
        async with asyncio.timeout(30):
            while line := await self.process.stdout.readline():
                if words in line.decode():
                    return
        raise AssertionError(f"it ended without {words!r}")


async def overtaken(how: str, address: str, prefix: str, *, says: str) -> tuple[list[bytes], bool]:
    """Pause a copier before its commit until another has copied all; then let it go on.

    Returns what was written, and whether the group's position is still behind it all.
    """
    settings = settings_of(address, prefix)
    apply_topics(settings)
    async with KafkaLog(settings) as log:
        await put_files(log)
        async with Copier(how, address, prefix, pause=True) as first:
            await first.paused()
            async with Copier(how, address, prefix):
                while await log.unread("normalizer", [RAW_FILES.name]):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                first.go_on()
                await first.says(says)
        written = [message.key async for message in log.read(PROGRAMS.name)]
        return written, not await log.unread("normalizer", [RAW_FILES.name])


class TestF1GroupMetadataAtTheCommit:
    async def test_the_library_lets_an_overtaken_process_commit(
        self, kafka: str, prefix: str
    ) -> None:
        written, at_the_end = await overtaken("plain", kafka, prefix, says="committed")
        assert len(set(written)) == FILES < len(written)
        assert not at_the_end

    async def test_ours_is_refused(self, kafka: str, prefix: str) -> None:
        written, at_the_end = await overtaken("ours", kafka, prefix, says="transaction failed")
        assert sorted(written) == [b"f%04d" % n for n in range(FILES)]
        assert at_the_end


class Pausing(list[Entry]):
    """Entries between the first and the second of which something happens."""

    def __init__(self, entries: list[Entry], between: Callable[[], None]) -> None:
        super().__init__(entries)
        self._between = between

    def __iter__(self) -> Iterator[Entry]:
        first, *others = super().__iter__()
        yield first
        self._between()
        yield from others


class TestF2CommitOfWhatTheBrokerGaveUp:
    """One record is written, the broker gives the transaction up, another record follows."""

    async def test_the_library_says_that_all_is_well(self, kafka: str) -> None:
        topic = make_topic(kafka)
        # It lingers, so that the second record surely goes out with the commit.
        producer = plain_producer(kafka, fresh("id"), transaction_timeout_ms=1000, linger_ms=2000)
        producer.begin_transaction()
        producer.send(topic, b"0")
        producer.flush(10)
        wait_until(lambda: end_of(kafka, topic) == 2)  # the record and the mark behind it
        producer.send(topic, b"1")
        producer.commit_transaction()
        producer.close()
        assert await values(kafka, topic) == []

    async def test_ours_raises(self, kafka: str) -> None:
        topic = make_topic(kafka)
        options, name = client_options(settings_of(kafka, "")), fresh("id")
        writer = TransactionalWriter(options, transactional_id=name, transaction_seconds=1)
        entries = numbers(topic, 2)
        given_up = Pausing(entries, lambda: wait_until(lambda: end_of(kafka, topic) == 2))
        with pytest.raises(KafkaError):
            writer.write(given_up)
        writer.close()
        again = TransactionalWriter(options, transactional_id=name, transaction_seconds=5)
        again.write(entries)
        again.close()
        assert await values(kafka, topic) == [b"0", b"1"]


class TestF3BatchThatExpires:
    """The middle one of three records cannot be sent for too long."""

    async def test_the_library_commits_the_others(self, far: Far) -> None:
        proxy, direct = far
        topic = make_topic(direct)
        producer = plain_producer(
            proxy.address, fresh("id"), request_timeout_ms=900, delivery_timeout_ms=1000
        )
        producer.begin_transaction()
        producer.send(topic, b"0").get(10)
        proxy.cut()
        wait_until(lambda: not connected(producer, 1))
        lost = producer.send(topic, b"1")
        with pytest.raises(KafkaTimeoutError):
            lost.get(10)
        proxy.mend()
        producer.send(topic, b"2")
        producer.commit_transaction()
        producer.close()
        assert await values(direct, topic) == [b"0", b"2"]

    async def test_ours_raises(self, far: Far) -> None:
        proxy, direct = far
        topic = make_topic(direct)
        options, name = client_options(settings_of(proxy.address, "")), fresh("id")
        writer = TransactionalWriter(options, transactional_id=name, transaction_seconds=1)
        accumulator = writer._producer._accumulator

        def lose() -> None:
            wait_until(lambda: end_of(direct, topic) == 1)
            proxy.cut()
            wait_until(lambda: not connected(writer._producer, 1))
            writer._producer.send(topic, b"lost")
            wait_until(lambda: not accumulator.has_incomplete)
            proxy.mend()

        entries = numbers(topic, 3)
        with pytest.raises(KafkaError):
            writer.write(Pausing(entries, lose))
        writer.close()
        again = TransactionalWriter(options, transactional_id=name, transaction_seconds=5)
        again.write(entries)
        again.close()
        assert await values(direct, topic) == [b"0", b"1", b"2"]


class TestF4ProducerAfterAnAbort:
    """A partition was given to another member, who has read it to its end."""

    def test_the_library_sets_back_the_position_of_another(self, kafka: str) -> None:
        topic, group = make_topic(kafka, partitions=2), fresh("group")
        first, second = (plain_consumer(kafka, group, topic) for _ in range(2))
        producers = [plain_producer(kafka, fresh("id")) for _ in range(2)]
        wait_until(lambda: first.poll(100) == {} and len(first.assignment()) == 2)
        stale = first.group_metadata()

        def shared() -> bool:
            first.poll(50)
            second.poll(50)
            return all(
                len(one.assignment()) == 1 and one.group_metadata().state == MemberState.STABLE
                for one in (first, second)
            )

        wait_until(shared)
        (mine,), (theirs,) = first.assignment(), second.assignment()
        producers[1].begin_transaction()
        producers[1].send_offsets_to_transaction({theirs: at(10)}, second.group_metadata())
        producers[1].commit_transaction()

        producers[0].begin_transaction()
        with pytest.raises(KafkaError, match="IllegalGeneration"):
            producers[0].send_offsets_to_transaction({theirs: at(5)}, stale)
        producers[0].abort_transaction()
        producers[0].begin_transaction()
        producers[0].send_offsets_to_transaction({mine: at(3)}, first.group_metadata())
        producers[0].commit_transaction()
        assert second.committed(theirs) == 5
        for one in (first, second, *producers):
            one.close()

    async def test_ours_leaves_it_alone(self, kafka: str) -> None:
        topic, group = make_topic(kafka, partitions=2), fresh("group")
        loop, reached, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        def hold(step: str) -> None:
            if step == "begin" and not go_on.is_set():
                loop.call_soon_threadsafe(reached.set)
                assert go_on.wait(30)

        settings = settings_of(kafka, "")
        async with KafkaLog(settings, at=hold) as one, KafkaLog(settings) as other:
            await other.append(numbers(topic, 40))
            first = await one.subscribe(group, [topic])
            stale = await take(first, 40, limit=40)
            refused = asyncio.create_task(commit(first, stale[:5] + stale[20:25]))
            await reached.wait()
            second = await other.subscribe(group, [topic])
            theirs = await second.poll(40)
            while not theirs:
                theirs = await second.poll(40)
            await commit(second, theirs)
            go_on.set()
            with pytest.raises(Revoked):
                await refused
            mine = await take(first, 1)
            assert mine[0].partition != theirs[0].partition
            await commit(first, mine)
            found = await other.committed(group, [topic])
        assert found == {
            theirs[0].partition: Position(theirs[-1].offset + 1),
            mine[0].partition: Position(mine[-1].offset + 1),
        }


def connected(producer: KafkaProducer, node: int | str) -> bool:
    """Tell whether a producer takes itself for connected."""
    return bool(producer._sender._client.connected(node))


def at(offset: int) -> OffsetAndMetadata:
    return OffsetAndMetadata(offset, "", -1)


class _Dropping(logging.Handler):
    """Notes that a producer could not send a transactional request."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "trying to find a node to send a transactional request" in record.msg:
            self.dropped.set()


@contextmanager
def dropping() -> Iterator[threading.Event]:
    handler, logger = _Dropping(), logging.getLogger("kafka.producer.sender")
    logger.addHandler(handler)
    try:
        yield handler.dropped
    finally:
        logger.removeHandler(handler)


class TestF5RequestThatIsLost:
    """The broker cannot be reached for the moment in which positions are to be sent."""

    async def test_the_library_waits_for_ever(self, far: Far) -> None:
        proxy, direct = far
        topic, group = make_topic(direct), fresh("group")
        consumer = plain_consumer(direct, group, topic)
        wait_until(lambda: consumer.poll(100) == {} and bool(consumer.assignment()))
        producer = plain_producer(proxy.address, fresh("id"))
        producer.begin_transaction()
        producer.send(topic, b"0").get(10)

        manager = producer._transaction_manager
        results = []
        send = manager.send_offsets_to_transaction

        def noted(*arguments: Any) -> Any:
            results.append(send(*arguments))
            return results[-1]

        manager.send_offsets_to_transaction = noted
        arguments = ({TopicPartition(topic, 0): at(1)}, consumer.group_metadata())
        sending = threading.Thread(
            target=producer.send_offsets_to_transaction, args=arguments, daemon=True
        )
        with dropping() as dropped:
            proxy.cut()
            wait_until(lambda: not connected(producer, COORDINATOR))
            sending.start()
            assert dropped.wait(20)
            proxy.mend()
        # What it asks first is answered again, and the request itself is nowhere.
        wait_until(
            lambda: (
                not manager._pending_requests and not manager.has_in_flight_transactional_request()
            )
        )
        other = plain_producer(proxy.address, fresh("id"))
        other.begin_transaction()
        other.send(topic, b"1")
        other.commit_transaction()
        other.close()
        assert sending.is_alive()
        assert not results[0].is_done
        results[0].done()
        sending.join()
        producer.close(timeout=5)
        consumer.close()

    async def test_ours_gives_up_and_goes_on(self, far: Far) -> None:
        proxy, direct = far
        source, target = make_topic(direct), make_topic(direct)
        lost = 0

        with dropping() as dropped:

            def mend_when_dropped() -> None:
                dropped.wait(20)
                proxy.mend()

            def cut(step: str) -> None:
                nonlocal lost
                if step == "sent" and not lost:
                    lost += 1
                    wait_until(lambda: end_of(direct, target) == 1)
                    proxy.cut()
                    assert consumer._writer
                    producer = consumer._writer._producer
                    wait_until(lambda: not connected(producer, COORDINATOR))
                    threading.Thread(target=mend_when_dropped).start()

            # More than it takes a busy machine to get from the record to the cut.
            settings = settings_of(proxy.address, "", transaction_seconds=5)
            async with KafkaLog(settings, at=cut) as log:
                await log.append(numbers(source, 3))
                consumer = await log.subscribe(fresh("group"), [source])
                async with asyncio.timeout(60):
                    for _ in range(3):
                        while True:
                            (message,) = await take(consumer, 1)
                            copied = [Entry(target, b"", message.value)]
                            try:
                                await commit(consumer, [message], copied)
                            except Revoked:
                                continue
                            break
                assert dropped.is_set()
        assert await values(direct, target) == [b"0", b"1", b"2"]


class Number(Deserializer):  # type: ignore[misc]
    def deserialize(self, topic: str, headers: Any, data: bytes) -> int:
        return int(data)


class TestF6PoisonedRecord:
    """A record cannot be decoded; another one follows it."""

    def test_the_library_never_comes_back_from_the_poll_after_the_error(self, kafka: str) -> None:
        topic = make_topic(kafka)
        producer = KafkaProducer(bootstrap_servers=kafka)
        for value in (b"poison", b"1"):
            producer.send(topic, value).get(10)
        producer.close()
        consumer = plain_consumer(kafka, fresh("group"), topic, value_deserializer=Number())
        with pytest.raises(ValueError, match="poison"):
            wait_until(lambda: consumer.poll(100) != {})
        fetcher, rounds = consumer._fetcher, itertools.count()
        many, enough = threading.Event(), threading.Event()
        append = fetcher._append

        def counted(drained: Any, part: Any, *limits: Any) -> Any:
            if next(rounds) > 10_000:
                many.set()
            if enough.is_set():
                part.drain()
            return append(drained, part, *limits)

        fetcher._append = counted
        polling = threading.Thread(target=lambda: consumer.poll(timeout_ms=100))
        polling.start()
        assert many.wait(60)  # rounds of a loop that is to end after 100 ms
        assert polling.is_alive()
        enough.set()
        polling.join(30)
        consumer.close()

    async def test_ours_is_a_dead_letter(self, kafka: str, prefix: str) -> None:
        settings = settings_of(kafka, prefix)
        apply_topics(settings)
        good = RAW_FILES.encode(RawFile(file_id="good"))
        poison = Entry(RAW_FILES.name, b"bad", b"poison", good.headers)
        async with KafkaLog(settings) as log:
            await log.append([poison, good])
            async with working(Copy(), log):
                (made,) = await read_all(log, PROGRAMS.name, 1)
                (dead,) = await read_all(log, DEAD_LETTERS.name, 1)
        assert made.key == b"good"
        assert DeadLetter.FromString(dead.value).value == b"poison"


class working:  # noqa: N801
    """Runs a stage for the time of the body."""

    def __init__(self, stage: Any, log: KafkaLog) -> None:
        self._worker = Worker(stage, log)

    async def __aenter__(self) -> None:
        self._running = asyncio.create_task(self._worker.run())

    async def __aexit__(self, *_: object) -> None:
        self._worker.drain()
        await self._running


class Swelling:
    """A stage that makes a record of any size of one file."""

    name = "normalizer"

    async def handle(self, file: RawFile) -> AsyncIterator[Program]:
        size = 2 * MAX_RECORD_BYTES if file.file_id == "large" else 1
        yield Program(program_id=file.file_id, code=os.urandom(size // 2).hex())


class TestF7RecordAboveTheLimit:
    """A record is larger than the broker takes; another one follows it."""

    def test_the_librarys_producer_takes_nothing_more(self, kafka: str) -> None:
        topic = make_topic(kafka, **{"max.message.bytes": "10000"})
        producer = KafkaProducer(bootstrap_servers=kafka, max_request_size=1 << 24)
        with pytest.raises(MessageSizeTooLargeError):
            producer.send(topic, os.urandom(20_000)).get(10)
        with pytest.raises(MessageSizeTooLargeError):
            producer.send(topic, b"small").get(10)
        producer.close()

    async def test_ours_is_a_rejection(self, kafka: str, prefix: str) -> None:
        settings = settings_of(kafka, prefix)
        apply_topics(settings)
        async with KafkaLog(settings) as log:
            names = ("large", "small")
            await log.append([RAW_FILES.encode(RawFile(file_id=name)) for name in names])
            async with working(Swelling(), log):
                (made,) = await read_all(log, PROGRAMS.name, 1)
                (refused,) = await read_all(log, REJECTIONS.name, 1)
        assert made.key == b"small"
        assert Rejection.FromString(refused.value).reason == "record_too_large"


class TestF10JoinThatOutlastsAPoll:
    """A topic gets a partition more; polls are shorter than it takes to join again."""

    def test_the_library_stays_outside_of_its_group(self, kafka: str) -> None:
        topic = make_topic(kafka)
        consumer = plain_consumer(kafka, fresh("group"), topic)
        wait_until(lambda: consumer.poll(100) == {} and len(consumer.assignment()) == 1)
        add_partition(kafka, topic)
        consumer._coordinator._cluster.request_update()

        def joining() -> bool:
            consumer.poll(1)
            return bool(consumer.group_metadata().state == MemberState.REBALANCING)

        wait_until(joining)
        task = consumer._coordinator._join_task
        wait_until(lambda: task.is_done)
        for _ in range(10):
            consumer.poll(200)
        assert consumer.group_metadata().state == MemberState.REBALANCING
        assert len(consumer.assignment()) == 1
        consumer.close()

    async def test_ours_goes_on_with_the_join(
        self, kafka: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(member, "_POLL_MS", 1)
        monkeypatch.setattr(member, "_METADATA_SECONDS", 0.5)
        topic = make_topic(kafka)
        async with KafkaLog(settings_of(kafka, "", session_seconds=20)) as log:
            consumer = await log.subscribe(fresh("group"), [topic])
            while not consumer.assignments:
                await consumer.poll(1)
            add_partition(kafka, topic)
            async with asyncio.timeout(10):
                while len(consumer.assignments) < 2:
                    await consumer.poll(1)


class TestF15PausedWithRecordsFetched:
    """Of two partitions one is paused, with records of it fetched, until the other is read."""

    COUNT = 100

    @pytest.fixture
    def topic(self, kafka: str) -> str:
        topic = make_topic(kafka, 2)
        producer = KafkaProducer(bootstrap_servers=kafka)
        for number in range(2 * self.COUNT):
            producer.send(topic, b"%d" % number, partition=number % 2)
        producer.close()
        return topic

    def test_the_library_never_reads_on(self, kafka: str, topic: str) -> None:
        consumer = KafkaConsumer(
            bootstrap_servers=kafka, auto_offset_reset="earliest", max_poll_records=10
        )
        consumer.assign([TopicPartition(topic, number) for number in range(2)])
        while not (polled := consumer.poll(200)):
            pass
        (first,) = polled
        consumer.pause(first)
        read = 0

        def other_is_read() -> bool:
            nonlocal read
            read += sum(map(len, consumer.poll(200).values()))
            return read == self.COUNT

        wait_until(other_is_read)
        consumer.resume(first)
        for _ in range(10):
            assert consumer.poll(200) == {}
        assert consumer.position(first) < self.COUNT
        consumer.close()

    async def test_ours_reads_all(
        self, kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(member, "_READ_AHEAD", 10)
        async with KafkaLog(settings_of(kafka, "")) as log:
            consumer = await log.subscribe(fresh("group"), [topic])
            read = await take(consumer, 1)
            first = read[0].assignment
            async with asyncio.timeout(20):
                while len(read) < 1 + self.COUNT:
                    read += await consumer.poll(5, paused=[first])
                while len(read) < 2 * self.COUNT:
                    read += await consumer.poll(5)
        assert len({message.value for message in read}) == 2 * self.COUNT


class TestF16CoordinatorThatMoved:
    """A broker that coordinates a group goes away for a moment, and another one does it then."""

    async def test_the_library_asks_the_old_one_and_ours_the_new_one(self) -> None:
        with cluster(3) as brokers:
            address, group = brokers.bootstrap, fresh("group")
            admin = KafkaAdminClient(bootstrap_servers=address.split(","))
            async with KafkaLog(settings_of(address, "")) as log:
                assert await log.committed(group, []) == {}
                name = f"codeio.{group}"
                admin.list_group_offsets({name: None})
                (old,) = (b for b in brokers.brokers if b.node == coordinator_of(admin, name))
                old.stop()
                old.start()
                assert await log.committed(group, []) == {}
            for _ in range(3):
                with pytest.raises(KafkaError):
                    admin.list_group_offsets({name: None})
            admin.close()


def coordinator_of(admin: KafkaAdminClient, group: str) -> int | None:
    found: int | None = admin._manager.cluster.get_coordinator(group)
    return found


def add_partition(address: str, topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_partitions({topic: NewPartitions(2)})
    admin.close()
