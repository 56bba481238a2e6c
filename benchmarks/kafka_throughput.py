"""Records a second that a stage passes on, exactly once, beside plain consuming and producing.

A worker with a stage that does nothing reads records of 2 KB from one topic and
writes them to another, in transactions with its positions. Beside it kafka-python
does the same as anybody would write it: a loop of poll and send, lz4 as well,
positions committed now and then, no transactions; what it read before a crash may
be lost or come twice. It does so with its own batches of 16 KiB, and with batches
as large as ours, which is the baseline. All run in turn, over the same records in
the same partitions, each from its first record to the last that the broker has taken.

Then the worker again, with transactions of at most so many records.

    python benchmarks/kafka_throughput.py [--records N] [--repeats N] [--partitions N]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.kafka.broker import cluster

from codeio.runtime import worker as worker_module
from codeio.runtime.kafka import KafkaLog
from codeio.runtime.kafka.connection import client_options
from codeio.runtime.kafka.writer import BATCH_BYTES
from codeio.runtime.topics import PROGRAMS
from codeio.runtime.worker import Worker
from executor_load import Spread, describe_machine
from kafka import KafkaConsumer, KafkaProducer
from kafka_copies import (
    COPIES,
    RECORD_BYTES,
    Copier,
    committed,
    create_topics,
    fill,
    running,
    settings_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.runtime.settings import KafkaSettings
    from codeio.v1.records_pb2 import Program

TARGET = 0.5
PLAIN_BATCH_BYTES = 16_384
CONCURRENCY = 16
TRANSACTIONS = 200
BATCHES = (1, 10, 100, 1000, 10_000)


class TimedCopier(Copier):
    """Knows when it was given its first record."""

    began = 0.0

    async def handle(self, program: Program) -> AsyncIterator[Program]:
        self.began = self.began or time.perf_counter()
        yield program


def plainly(
    settings: KafkaSettings, records: int, group: str, *, batch_bytes: int = PLAIN_BATCH_BYTES
) -> float:
    """Return records a second without transactions."""
    options = client_options(settings)
    consumer = KafkaConsumer(PROGRAMS.name, **options, group_id=group, auto_offset_reset="earliest")
    producer = KafkaProducer(**options, compression_type="lz4", batch_size=batch_bytes)
    began, read = 0.0, 0
    while read < records:
        for polled in consumer.poll(timeout_ms=100).values():
            began = began or time.perf_counter()
            for record in polled:
                producer.send(
                    COPIES.name, key=record.key, value=record.value, headers=record.headers
                )
            read += len(polled)
    producer.flush()
    rate = records / (time.perf_counter() - began)
    producer.close()
    consumer.close()
    return rate


async def exactly_once(settings: KafkaSettings, records: int, group: str) -> tuple[float, float]:
    """Return records a second with transactions, and the records of a transaction."""
    transactions = 0

    def at(step: str) -> None:
        nonlocal transactions
        transactions += step == "committed"

    stage = TimedCopier(group)
    async with KafkaLog(settings, at=at) as log:
        worker = Worker(stage, log, concurrency=CONCURRENCY, flow=stage.flow)
        async with running(worker):
            await committed(worker, records)
            rate = records / (time.perf_counter() - stage.began)
    return rate, records / transactions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=6)
    options = parser.parse_args()
    describe_machine()
    with cluster() as brokers:
        settings = settings_of(brokers.bootstrap, partitions=options.partitions)
        create_topics(settings)
        fill(settings, options.records)
        rows: dict[str, list[float]] = {}
        made: list[float] = []
        for number in range(options.repeats):
            for batch_bytes in (PLAIN_BATCH_BYTES, BATCH_BYTES):
                name = f"plain, batches of {batch_bytes >> 10:,} KiB"
                rate = plainly(
                    settings,
                    options.records,
                    f"plain-{batch_bytes}-{number}",
                    batch_bytes=batch_bytes,
                )
                rows.setdefault(name, []).append(rate)
            rate, size = asyncio.run(exactly_once(settings, options.records, f"ours-{number}"))
            rows.setdefault("exactly once", []).append(rate)
            made.append(size)
        print(f"records a second, {RECORD_BYTES:,} bytes each, {options.partitions} partitions")
        rates = {name: Spread(tuple(row)) for name, row in rows.items()}
        for name, spread in rates.items():
            print(f"  {name:<28} {spread:,.0f}")
        *_, plain, ours = (spread.median for spread in rates.values())
        met = "met" if ours >= TARGET * plain else "missed"
        print(f"  {Spread(tuple(made)).median:,.0f} records a transaction")
        print(f"exactly once / plain: {ours / plain:.2f} (target at least {TARGET}: {met})")
        print("records of a transaction, at most, and records a second")
        for most in BATCHES:
            worker_module._COMMIT_BYTES = most * RECORD_BYTES
            # A few hundred transactions tell as much as all of them.
            count = min(options.records, TRANSACTIONS * most)
            found = [
                asyncio.run(exactly_once(settings, count, f"batch-{most}-{number}"))
                for number in range(options.repeats)
            ]
            spread, sizes = (Spread(column) for column in zip(*found, strict=True))
            print(f"  {most:>6,} ({sizes.median:>7,.1f} made)  {spread:,.0f}", flush=True)


if __name__ == "__main__":
    main()
