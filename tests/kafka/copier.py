"""Copies records from topic to topic: our way, and as kafka-python's documentation shows it.

`python -m tests.kafka.copier plain|ours ADDRESS PREFIX [pause]` copies until SIGTERM;
told to pause, it stops itself with SIGSTOP before its first commit.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

from kafka.structs import OffsetAndMetadata

from codeio.runtime.kafka import KafkaLog
from codeio.runtime.settings import KafkaSettings
from codeio.runtime.signals import stop_signals
from codeio.runtime.topics import PROGRAMS, RAW_FILES
from codeio.runtime.worker import Worker
from codeio.v1.records_pb2 import Program, RawFile
from kafka import KafkaConsumer, KafkaProducer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

SESSION_SECONDS = 2.0


def settings_of(address: str, prefix: str, **more: Any) -> KafkaSettings:
    return KafkaSettings(
        **{
            "bootstrap_servers": address,
            "prefix": prefix,
            "replicas": 1,
            "partitions": 1,
            "session_seconds": SESSION_SECONDS,
            "transaction_seconds": 5,
            **more,
        }
    )


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Look again and again, where the library has no event for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.02)


class Copy:
    """A stage that makes one program of one file."""

    name = "normalizer"

    async def handle(self, file: RawFile) -> AsyncIterator[Program]:
        yield Program(program_id=file.file_id)


def plain_consumer(address: str, group: str, *topics: str, **options: Any) -> KafkaConsumer:
    """Return a consumer as anybody would make it for transactions."""
    consumer = KafkaConsumer(
        bootstrap_servers=address,
        group_id=group,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=round(SESSION_SECONDS * 1000),
        heartbeat_interval_ms=300,
        **options,
    )
    # F10: one that joins before it knows its topics may be left without partitions.
    wait_until(lambda: all(consumer.partitions_for_topic(topic) for topic in topics))
    consumer.subscribe(topics)
    return consumer


def plain_producer(address: str, transactional_id: str, **options: Any) -> KafkaProducer:
    producer = KafkaProducer(
        bootstrap_servers=address, transactional_id=transactional_id, **options
    )
    producer.init_transactions()
    return producer


def copy_plainly(address: str, prefix: str, pause: Callable[[], None] | None) -> None:
    consumer = plain_consumer(
        address, f"{prefix}codeio.normalizer", prefix + RAW_FILES.name, max_poll_records=10
    )
    producer = plain_producer(address, f"copier-{os.getpid()}")
    while True:
        polled = consumer.poll(timeout_ms=200)
        if not polled:
            continue
        producer.begin_transaction()
        for records in polled.values():
            for record in records:
                producer.send(prefix + PROGRAMS.name, key=record.key, value=record.value)
        offsets = {
            tp: OffsetAndMetadata(records[-1].offset + 1, "", -1) for tp, records in polled.items()
        }
        if pause:
            pause()
            while consumer.group_metadata().generation_id >= 0:
                time.sleep(0.01)  # any work takes longer than the next heartbeat
        producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
        producer.commit_transaction()
        print("committed", flush=True)  # noqa: T201
        if pause:
            break
    producer.close()
    consumer.close()


async def copy(address: str, prefix: str, pause: Callable[[], None] | None) -> None:
    def at(step: str) -> None:
        nonlocal pause
        if pause and step == "begin":
            now, pause = pause, None
            now()

    async with stop_signals() as stop, KafkaLog(settings_of(address, prefix), at=at) as log:
        worker = Worker(Copy(), log)
        running = asyncio.create_task(worker.run())
        await stop.wait()
        worker.drain()
        await running


def stop_oneself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def main() -> None:
    warnings.simplefilter("ignore")
    how, address, prefix, *rest = sys.argv[1:]
    pause = stop_oneself if rest else None
    if how == "plain":
        copy_plainly(address, prefix, pause)
    else:
        asyncio.run(copy(address, prefix, pause))


if __name__ == "__main__":
    main()
