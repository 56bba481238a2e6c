"""No clock but the broker's decides what becomes of a record; no jump of ours stops anything."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from kafka.record.default_records import DefaultRecordBatchBuilder

from codeio.runtime.kafka import KafkaLog
from codeio.runtime.kafka.topics import apply_topics
from codeio.runtime.topics import PROGRAMS, RAW_FILES
from codeio.runtime.worker import Worker
from codeio.v1.records_pb2 import RawFile
from kafka import KafkaConsumer, KafkaProducer
from tests.kafka.copier import Copy, settings_of

if TYPE_CHECKING:
    from codeio.runtime.settings import KafkaSettings

pytestmark = pytest.mark.timeout(60)
DAY = 86_400.0


@pytest.fixture
def settings(kafka: str) -> KafkaSettings:
    settings = settings_of(kafka, f"t{uuid.uuid4().hex[:8]}.")
    apply_topics(settings)
    return settings


async def copied(settings: KafkaSettings, log: KafkaLog) -> Counter[bytes]:
    """Carry all files through a worker; return the keys of what it wrote."""
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks, KafkaLog(settings) as own:
        worker = Worker(Copy(), own, concurrency=4)
        running = tasks.create_task(worker.run())
        while await log.unread("normalizer", [RAW_FILES.name]):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        worker.drain()
        await running
    return Counter([message.key async for message in log.read(PROGRAMS.name)])


@pytest.mark.parametrize("sent_at", [0, 1, -1], ids=["in 1970", "tomorrow", "yesterday"])
async def test_a_writers_time_is_not_taken(settings: KafkaSettings, sent_at: int) -> None:
    """By it the broker would refuse what is of tomorrow, and delete what is of 1970."""
    now = time.time()
    at = now + sent_at * DAY if sent_at else 1.0
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers)
    entry = RAW_FILES.encode(RawFile(file_id="f"))
    topic = settings.prefix + entry.topic
    headers = list(entry.headers.items())
    sent = producer.send(
        topic, key=entry.key, value=entry.value, headers=headers, timestamp_ms=round(at * 1000)
    )
    sent.get(10)
    producer.close()
    consumer = KafkaConsumer(
        topic, bootstrap_servers=settings.bootstrap_servers, auto_offset_reset="earliest"
    )
    record = next(consumer)
    consumer.close()
    assert abs(record.timestamp / 1000 - now) < 60
    async with KafkaLog(settings) as log:
        assert await copied(settings, log) == Counter([b"f"])


@pytest.mark.parametrize("jumps", [[DAY], [-DAY], [DAY, -DAY, 0.0]], ids=["on", "back", "about"])
async def test_a_clock_that_jumps_stops_nothing(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch, jumps: list[float]
) -> None:
    """Not the writing of records, nor a heartbeat, a time limit or a wait."""
    true, offsets = time.time, itertools.cycle(jumps)

    def jumping() -> float:
        return true() + next(offsets)

    monkeypatch.setattr(time, "time", jumping)
    # The library has a hold of the clock from before.
    append = DefaultRecordBatchBuilder.append
    bound = tuple(jumping if one is true else one for one in append.__defaults__)
    assert jumping in bound
    monkeypatch.setattr(append, "__defaults__", bound)
    names = [b"f%03d" % number for number in range(200)]
    async with KafkaLog(settings) as log:
        await log.append([RAW_FILES.encode(RawFile(file_id=name.decode())) for name in names])
        assert await copied(settings, log) == Counter(names)
