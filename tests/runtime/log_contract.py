"""What every log must do: the same suite runs on the local log and on a broker's.

A subclass gives a `log` fixture. Topics and groups get fresh names per test,
so that one broker can serve the whole suite; topics have one partition unless
a test of the subclass says otherwise.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from codeio.runtime.log import Entry, Position, Revoked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from codeio.runtime.log import Consumer, Log, Message


def fresh(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:12]}"


def entries(topic: str, count: int, *, start: int = 0) -> list[Entry]:
    return [
        Entry(topic, b"key %d" % i, b"value %d" % i, {"type": b"number", "raw": b"\x00\xff"})
        for i in range(start, start + count)
    ]


async def contents(log: Log, topic: str) -> list[bytes]:
    return [message.value async for message in log.read(topic)]


async def take(consumer: Consumer, count: int, *, limit: int = 10) -> list[Message]:
    """Poll until so many messages have come."""
    messages: list[Message] = []
    while len(messages) < count:
        messages += await consumer.poll(min(limit, count - len(messages)))
    return messages


async def commit(
    consumer: Consumer,
    messages: Sequence[Message],
    outputs: Sequence[Entry] = (),
    metadata: str = "",
) -> None:
    """Commit the positions behind these messages."""
    positions = {message.assignment: Position(message.offset + 1, metadata) for message in messages}
    await consumer.commit(positions, outputs)


async def nothing_comes(consumer: Consumer) -> None:
    """Check that a poll waits, which ends only because it is woken."""
    poll = asyncio.create_task(consumer.poll(10))
    await asyncio.sleep(0)
    consumer.wake()
    assert await poll == []


class LogContract:
    """The suite. `reopen` closes the log and opens the same one anew."""

    @pytest.fixture
    def new_topic(self) -> Callable[[str], str]:
        """Names topics of one partition, which are there when they are used."""
        return fresh

    @pytest.fixture
    def topic(self, new_topic: Callable[[str], str]) -> str:
        return new_topic("topic")

    @pytest.fixture
    async def reopen(self) -> Callable[[Log], Awaitable[Log]]:
        raise NotImplementedError

    async def seen(self, consumer: Consumer, *, messages: int) -> None:
        """Return when the consumer knows of so many that are not committed."""
        while consumer.lag < messages:  # noqa: ASYNC110
            await asyncio.sleep(0)

    async def test_messages_come_back_whole_and_in_order(self, log: Log, topic: str) -> None:
        await log.append(entries(topic, 200))
        await log.append(entries(topic, 100, start=200))
        messages = [message async for message in log.read(topic)]
        assert [(m.key, m.value) for m in messages] == [
            (e.key, e.value) for e in entries(topic, 300)
        ]
        assert messages[0].headers == {"type": b"number", "raw": b"\x00\xff"}
        offsets = [message.offset for message in messages]
        assert offsets == sorted(set(offsets))

    async def test_a_topic_that_nobody_wrote_to_is_empty(self, log: Log, topic: str) -> None:
        assert await contents(log, topic) == []
        assert sum((await log.ends([topic])).values()) == 0

    async def test_a_group_gets_each_message_once_and_in_order(self, log: Log, topic: str) -> None:
        await log.append(entries(topic, 150))
        consumer = await log.subscribe(fresh("group"), [topic])
        messages = await take(consumer, 150, limit=7)
        assert [message.value for message in messages] == await contents(log, topic)
        await nothing_comes(consumer)

    async def test_poll_gives_no_more_than_its_limit(self, log: Log, topic: str) -> None:
        await log.append(entries(topic, 20))
        consumer = await log.subscribe(fresh("group"), [topic])
        assert len(await consumer.poll(3)) <= 3
        waiting = asyncio.create_task(consumer.poll(0))
        await asyncio.sleep(0)
        assert not waiting.done()
        consumer.wake()
        assert await waiting == []

    async def test_poll_waits_for_what_is_appended_later(self, log: Log, topic: str) -> None:
        consumer = await log.subscribe(fresh("group"), [topic])
        poll = asyncio.create_task(take(consumer, 1))
        await asyncio.sleep(0)
        assert not poll.done()
        await log.append(entries(topic, 1))
        assert [message.value for message in await poll] == [b"value 0"]

    async def test_a_wake_before_the_poll_is_not_lost(self, log: Log, topic: str) -> None:
        consumer = await log.subscribe(fresh("group"), [topic])
        consumer.wake()
        assert await consumer.poll(10) == []

    async def test_earlier_topics_go_first(self, log: Log, new_topic: Callable[[str], str]) -> None:
        urgent, ordinary = new_topic("urgent"), new_topic("ordinary")
        await log.append(entries(ordinary, 50) + entries(urgent, 5))
        consumer = await log.subscribe(fresh("group"), [urgent, ordinary])
        await self.seen(consumer, messages=55)
        first = await take(consumer, 8, limit=1)
        assert [m.partition.topic for m in first] == [urgent] * 5 + [ordinary] * 3
        await log.append(entries(urgent, 2, start=5))
        await self.seen(consumer, messages=57)
        then = await take(consumer, 3, limit=1)
        assert [m.partition.topic for m in then] == [urgent, urgent, ordinary]

    async def test_a_paused_partition_gives_nothing_and_loses_nothing(
        self, log: Log, new_topic: Callable[[str], str]
    ) -> None:
        first, second = new_topic("first"), new_topic("second")
        await log.append(entries(first, 3) + entries(second, 3))
        consumer = await log.subscribe(fresh("group"), [first, second])
        (message,) = await take(consumer, 1)
        paused = [message.assignment]
        got: list[Message] = []
        while len(got) < 3:
            got += await consumer.poll(10, paused=paused)
        assert {m.partition.topic for m in got} == {second}
        assert [m.value for m in await take(consumer, 2)] == [b"value 1", b"value 2"]

    async def test_a_commit_writes_outputs_and_positions(
        self, log: Log, new_topic: Callable[[str], str], topic: str
    ) -> None:
        group, target = fresh("group"), new_topic("target")
        await log.append(entries(topic, 10))
        consumer = await log.subscribe(group, [topic])
        messages = await take(consumer, 4)
        assert consumer.lag == 10
        await commit(consumer, messages, entries(target, 6), metadata="so far")
        assert await contents(log, target) == [entry.value for entry in entries(target, 6)]
        (position,) = (await log.committed(group, [topic])).values()
        assert position == Position(messages[-1].offset + 1, "so far")
        assert consumer.lag == 6

    async def test_what_was_not_committed_is_given_again(self, log: Log, topic: str) -> None:
        group = fresh("group")
        await log.append(entries(topic, 10))
        consumer = await log.subscribe(group, [topic])
        messages = await take(consumer, 8)
        await commit(consumer, messages[:5], metadata="five")
        await consumer.close()
        successor = await log.subscribe(group, [topic])
        again = await take(successor, 5)
        assert [m.value for m in again] == [b"value %d" % i for i in range(5, 10)]
        (start,) = successor.assignments.values()
        assert start == Position(messages[4].offset + 1, "five")

    async def test_groups_are_independent(self, log: Log, topic: str) -> None:
        await log.append(entries(topic, 10))
        one = await log.subscribe(fresh("one"), [topic])
        other = await log.subscribe(fresh("other"), [topic])
        await commit(one, await take(one, 10))
        assert len(await take(other, 10)) == 10
        assert (one.lag, other.lag) == (0, 10)

    async def test_a_member_that_lost_its_partitions_cannot_commit(
        self, log: Log, new_topic: Callable[[str], str], topic: str
    ) -> None:
        group, target = fresh("group"), new_topic("target")
        await log.append(entries(topic, 10))
        zombie = await log.subscribe(group, [topic])
        messages = await take(zombie, 5)
        successor = await log.subscribe(group, [topic])
        await commit(successor, await take(successor, 10), entries(target, 1))
        with pytest.raises(Revoked):
            await commit(zombie, messages, entries(target, 5, start=1))
        assert messages[0].assignment not in zombie.assignments
        assert await contents(log, target) == [b"value 0"]
        (position,) = (await log.committed(group, [topic])).values()
        assert position.offset == messages[-1].offset + 6

    async def test_a_successor_sees_all_that_was_committed_before_it(
        self, log: Log, new_topic: Callable[[str], str], topic: str
    ) -> None:
        group, target = fresh("group"), new_topic("target")
        await log.append(entries(topic, 10))
        consumer = await log.subscribe(group, [topic])
        committing = asyncio.create_task(
            commit(consumer, await take(consumer, 10), entries(target, 10))
        )
        await asyncio.sleep(0)
        successor = await log.subscribe(group, [topic])
        try:
            await committing
        except Revoked:
            assert len(await take(successor, 10)) == 10
        else:
            await nothing_comes(successor)

    async def test_all_is_there_after_closing_and_opening_again(
        self, log: Log, topic: str, reopen: Callable[[Log], Awaitable[Log]]
    ) -> None:
        group = fresh("group")
        for _ in range(3):
            await log.append(entries(topic, 4))
            consumer = await log.subscribe(group, [topic])
            await commit(consumer, await take(consumer, 4), metadata="kept")
            before = await contents(log, topic), await log.committed(group, [topic])
            log = await reopen(log)
            assert (await contents(log, topic), await log.committed(group, [topic])) == before
        consumer = await log.subscribe(group, [topic])
        await nothing_comes(consumer)

    async def test_many_who_commit_at_once_do_not_mix(
        self, log: Log, new_topic: Callable[[str], str]
    ) -> None:
        source, target = new_topic("source"), new_topic("target")
        await log.append(entries(source, 20))
        consumers = [await log.subscribe(fresh("group"), [source]) for _ in range(5)]

        async def copy(consumer: Consumer, name: bytes) -> None:
            for _ in range(10):
                batch = await take(consumer, 2)
                await commit(consumer, batch, [Entry(target, name, m.value) for m in batch])

        await asyncio.gather(*(copy(c, b"%d" % i) for i, c in enumerate(consumers)))
        messages = [message async for message in log.read(target)]
        for i in range(5):
            mine = [m.value for m in messages if m.key == b"%d" % i]
            assert mine == [b"value %d" % j for j in range(20)]
