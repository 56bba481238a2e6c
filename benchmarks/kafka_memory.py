"""Resident memory of a worker over a million records.

A worker with a stage that does nothing passes records of 2 KB from topic to topic
in a process of its own, and says after each 100,000, when it has nothing left to
do, what it takes: amid its work that goes up and down by what is on its way. The
baseline is what it takes after the first 200,000: from then on nothing may stay
behind of a record. The slope is that of a straight line through what follows.

    python benchmarks/kafka_memory.py [--records N] [--partitions N]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.kafka.broker import cluster

from codeio.runtime.kafka import KafkaLog
from codeio.runtime.worker import Worker
from executor_load import describe_machine
from kafka_copies import Copier, committed, create_topics, fill, running, settings_of

if TYPE_CHECKING:
    from codeio.runtime.settings import KafkaSettings

MIB = 1 << 20
STEPS, WARM_STEPS = 10, 2
CONCURRENCY = 16
TARGET = 16
"""Bytes a record; a list that a record were kept in would take as much as its entry."""


async def copy(
    settings: KafkaSettings, records: int, told: multiprocessing.Queue[tuple[int, int]]
) -> None:
    process, stage = psutil.Process(), Copier("copier")
    async with KafkaLog(settings) as log:
        worker = Worker(stage, log, concurrency=CONCURRENCY, flow=stage.flow)
        async with running(worker):
            for step in range(1, STEPS + 1):
                await committed(worker, records * step // STEPS)
                told.put((worker.progress.tally.read, process.memory_info().rss))


def work(
    settings: KafkaSettings, records: int, told: multiprocessing.Queue[tuple[int, int]]
) -> None:
    asyncio.run(copy(settings, records, told))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=6)
    options = parser.parse_args()
    describe_machine()
    spawn = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[tuple[int, int]] = spawn.Queue()
    with cluster() as brokers:
        settings = settings_of(brokers.bootstrap, partitions=options.partitions)
        create_topics(settings)
        worker = spawn.Process(target=work, args=(settings, options.records, told))
        began = time.monotonic()
        worker.start()
        rows: list[tuple[int, int]] = []
        for _ in range(STEPS):
            fill(settings, options.records // STEPS)
            rows.append(told.get())
            read, size = rows[-1]
            seconds = time.monotonic() - began
            print(f"{read:>10,} records  {size / MIB:7.1f} MiB  {seconds:5.0f} s", flush=True)
        worker.join()
    slope, _ = statistics.linear_regression(*zip(*rows[WARM_STEPS - 1 :], strict=True))
    met = "met" if slope <= TARGET else "missed"
    print(
        f"after the first {rows[WARM_STEPS - 1][0]:,}: {slope:+.1f} bytes a record "
        f"(target at most {TARGET}: {met})"
    )


if __name__ == "__main__":
    main()
