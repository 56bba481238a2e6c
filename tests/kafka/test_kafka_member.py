"""The log in a broker where things go wrong: nothing lost, nothing twice, no hang, no remains."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from codeio.runtime.errors import UsageError
from codeio.runtime.kafka import KafkaLog, connection
from codeio.runtime.kafka.topics import apply_topics
from codeio.runtime.log import LogError, Revoked
from codeio.runtime.topics import PROGRAMS, RAW_FILES
from codeio.runtime.worker import Worker
from codeio.v1.records_pb2 import RawFile
from kafka import KafkaAdminClient
from tests.kafka.broker import cluster, settle
from tests.kafka.copier import Copy, settings_of, wait_until
from tests.kafka.proxy import distant_broker
from tests.runtime.log_contract import commit, fresh, take

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from codeio.runtime.settings import KafkaSettings

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def settings(kafka: str) -> KafkaSettings:
    settings = settings_of(kafka, f"m{uuid.uuid4().hex[:8]}.", partitions=4)
    apply_topics(settings)
    return settings


class Copying:
    """Workers that copy files, each as if in a process of its own."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._running: list[tuple[KafkaLog, Worker, asyncio.Task[None]]] = []

    async def more(self, slot: str = "") -> asyncio.Task[None]:
        log = KafkaLog(self._settings.model_copy(update={"slot": slot}))
        await log.__aenter__()
        worker = Worker(Copy(), log, concurrency=4)
        task = asyncio.create_task(worker.run())
        self._running.append((log, worker, task))
        return task

    async def fewer(self) -> None:
        log, worker, task = self._running.pop(0)
        worker.drain()
        await task
        await log.close()

    async def __aenter__(self) -> Copying:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._running:
            await self.fewer()


async def put(log: KafkaLog, count: int) -> list[bytes]:
    names = [f"f{number:05}" for number in range(count)]
    await log.append([RAW_FILES.encode(RawFile(file_id=name)) for name in names])
    return [name.encode() for name in names]


async def written(log: KafkaLog) -> Counter[bytes]:
    return Counter([message.key async for message in log.read(PROGRAMS.name)])


async def reached(log: KafkaLog, count: int, *, seconds: float = 60) -> None:
    """Return when so many were written."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                if sum((await log.ends([PROGRAMS.name])).values()) >= count:
                    return
            except LogError:
                pass  # a broker that was hurt a moment ago
            await asyncio.sleep(0.02)


async def all_done(log: KafkaLog, *, seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while True:
            try:
                if not await log.unread("normalizer", [RAW_FILES.name]):
                    return
            except LogError:
                pass
            await asyncio.sleep(0.1)


async def test_members_come_and_go_while_all_is_copied_once(
    settings: KafkaSettings, log: KafkaLog
) -> None:
    names = await put(log, 2000)
    async with Copying(settings) as copying:
        await copying.more()
        for count in (100, 400):
            await reached(log, count)
            await copying.more()
        for count in (700, 1000):
            await reached(log, count)
            await copying.fewer()
        await reached(log, 1300)
        await copying.more()
        await all_done(log)
    await asyncio.to_thread(settle, settings.bootstrap_servers)
    assert await written(log) == Counter(names)


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("slots", [("", ""), ("a", "b")], ids=["dynamic", "static"])
async def test_a_broker_goes_and_comes_while_all_is_copied_once(
    how: str, slots: tuple[str, str]
) -> None:
    # Of three: one alone forgets transactions when it is killed, see docs/kafka.md.
    with cluster(nodes=3) as brokers:
        broker = brokers.brokers[0]
        settings = settings_of(brokers.bootstrap, "", partitions=4, replicas=3)
        apply_topics(settings)
        async with KafkaLog(settings) as log, Copying(settings) as copying:
            names = await put(log, 2000)
            for slot in slots:
                await copying.more(slot)
            await reached(log, 500)
            end: Callable[[], None] = getattr(broker, how)
            await asyncio.to_thread(end)
            await asyncio.to_thread(broker.start)
            await all_done(log)
            await asyncio.to_thread(settle, brokers.bootstrap)
            assert await written(log) == Counter(names)


async def test_the_first_in_a_slot_ends_when_another_takes_it(
    settings: KafkaSettings, log: KafkaLog
) -> None:
    names = await put(log, 500)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(KafkaLog(settings.model_copy(update={"slot": "s"})))
        running = asyncio.create_task(Worker(Slow(), first, concurrency=4).run())
        await reached(log, 1)
        copying = await stack.enter_async_context(Copying(settings))
        second = await copying.more("s")
        with pytest.raises(LogError, match=r"another process works in slot 's' of .*normalizer"):
            await running
        await all_done(log)
        assert not second.done()
        assert await written(log) == Counter(names)


class Slow(Copy):
    async def handle(self, file: RawFile) -> AsyncIterator[object]:  # type: ignore[override]
        await asyncio.sleep(0.02)
        async for program in super().handle(file):
            yield program


@pytest.mark.parametrize(
    ("step", "drains"),
    [
        ("begin", False),
        ("sent", False),
        ("positions", False),
        ("flushed", False),
        ("flushed", True),
    ],
)
async def test_one_that_lost_its_slot_in_a_transaction_says_so_and_does_not_take_it_back(
    settings: KafkaSettings, log: KafkaLog, step: str, drains: bool
) -> None:
    """The other has opened its writer, and joins the group only a while later."""
    loop, reached, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def hold(now: str) -> None:
        if now == step and not go_on.is_set():
            loop.call_soon_threadsafe(reached.set)
            assert go_on.wait(30)

    names = await put(log, 10)
    mine = settings.model_copy(update={"slot": "s"})
    async with KafkaLog(mine, at=hold) as log_of_first, KafkaLog(mine) as log_of_second:
        worker = Worker(Copy(), log_of_first)
        first = asyncio.create_task(worker.run())
        await reached.wait()
        if drains:
            worker.drain()
        second = Worker(Copy(), log_of_second)
        running = asyncio.create_task(second.run())
        await all_done(log)
        go_on.set()
        with pytest.raises(LogError, match="another process works in slot 's'"):
            await first
        second.drain()
        await running
    assert await written(log) == Counter(names)


async def test_one_whose_transaction_took_too_long_goes_on(
    settings: KafkaSettings, log: KafkaLog
) -> None:
    """The broker refuses it as it refuses one whose slot was taken."""
    names = await put(log, 10)
    waited = False

    def dawdle(step: str) -> None:
        nonlocal waited
        if step == "flushed" and not waited:
            waited = True
            wait_until(lambda: given_up(settings, f"{settings.prefix}codeio.normalizer-s"))

    mine = settings.model_copy(update={"slot": "s", "transaction_seconds": 1})
    async with KafkaLog(mine, at=dawdle) as slow:
        worker = Worker(Copy(), slow)
        running = asyncio.create_task(worker.run())
        await all_done(log)
        worker.drain()
        await running
    assert waited
    assert await written(log) == Counter(names)


def given_up(settings: KafkaSettings, transactional_id: str) -> bool:
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    try:
        found = admin.list_transactions()
    finally:
        admin.close()
    return any(
        one.transactional_id == transactional_id and one.state.value == "CompleteAbort"
        for listings in found.values()
        for one in listings
    )


async def test_all_ends_in_time_while_the_broker_is_away() -> None:
    before = threads()
    with distant_broker() as (proxy, direct):
        settings = settings_of(proxy.address, "", transaction_seconds=2)
        apply_topics(settings_of(direct, ""))
        log = KafkaLog(settings)
        await log.__aenter__()
        await put(log, 500)
        async with KafkaLog(settings_of(direct, "")) as near:
            worker = Worker(Slow(), log, concurrency=2)
            running = asyncio.create_task(worker.run())
            await reached(near, 1)
            proxy.cut()
            started = time.monotonic()
            worker.drain()
            await running
            await log.close()
            assert time.monotonic() - started < 20
            # What still waited for an answer ends as well, a little later.
            await vanished(
                lambda: {t for t in threading.enumerate() if t.name == "kafka-reader"}, 30
            )
    await vanished(lambda: threads() - before)


async def test_one_whose_broker_is_away_is_not_said_to_be_joined() -> None:
    with distant_broker() as (proxy, direct):
        apply_topics(settings_of(direct, ""))
        async with KafkaLog(settings_of(proxy.address, "")) as log:
            worker = Worker(Copy(), log)
            running = asyncio.create_task(worker.run())
            await vanished(lambda: set() if worker.joined else {worker}, 30)
            proxy.cut()
            await vanished(lambda: {worker} if worker.joined else set(), 30)
            worker.drain()
            await running


async def test_a_closed_log_leaves_nothing_behind(settings: KafkaSettings) -> None:
    before, sockets = threads(), open_sockets()
    async with KafkaLog(settings) as log:
        await put(log, 10)
        consumer = await log.subscribe(fresh("group"), [RAW_FILES.name])
        await commit(consumer, await take(consumer, 10))
        assert len([message async for message in log.read(RAW_FILES.name)]) == 10
    await vanished(lambda: (threads() - before) | (open_sockets() - sockets))


async def vanished(remains: Callable[[], set[object]], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while remains():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def readers() -> set[object]:
    return {one for one in threading.enumerate() if one.name == "kafka-reader"}


def threads() -> set[object]:
    """Return the threads that run, without the event loop's own, which stay."""
    return {one for one in threading.enumerate() if not one.name.startswith("asyncio_")}


def open_sockets() -> set[object]:
    links = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(path.readlink()))
        except OSError:
            continue
    return {link for link in links if link.startswith("socket:")}


async def test_a_log_that_is_not_reached_leaves_nothing_behind(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, sockets = threads(), open_sockets()
    nowhere = settings.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    monkeypatch.setattr(connection, "BOOTSTRAP_SECONDS", 1.0)
    with pytest.raises(UsageError, match=r"no Kafka can be reached at 127\.0\.0\.1:1"):
        await KafkaLog(nowhere).__aenter__()
    await vanished(lambda: (threads() - before) | (open_sockets() - sockets))


async def test_a_poll_that_is_cancelled_takes_nothing_with_it(
    settings: KafkaSettings, log: KafkaLog
) -> None:
    consumer = await log.subscribe(fresh("group"), [RAW_FILES.name])
    poll = asyncio.create_task(consumer.poll(10))
    await asyncio.sleep(0)
    poll.cancel()
    names = await put(log, 10)
    got = await take(consumer, 10)
    assert sorted(message.key for message in got) == sorted(names)


async def test_what_was_taken_over_is_read_from_its_position(
    settings: KafkaSettings, log: KafkaLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group drops a member in the midst of a join; the library keeps its partitions."""
    names = await put(log, 40)
    group = fresh("group")
    async with KafkaLog(settings) as other:
        first = await log.subscribe(group, [RAW_FILES.name])
        polled = await take(first, 40, limit=40)
        coordinators: list[object] = []
        original = type(first)._see_dropped

        def dropped(self: object, identity: object) -> None:
            if not coordinators:
                coordinators.append(identity)
                identity = identity._replace(member_id="another")  # type: ignore[attr-defined]
            original(self, identity)  # type: ignore[arg-type]

        monkeypatch.setattr(type(first), "_see_dropped", dropped)
        while first.assignments:
            await first.poll(0)
        with pytest.raises(Revoked):
            await commit(first, polled)
        again = await take(first, 40, limit=40)
        await commit(first, again)
        assert sorted(message.key for message in again) == sorted(names)
        assert not await other.unread(group, [RAW_FILES.name])
