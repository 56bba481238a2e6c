"""What the benchmarks of the transport share: records of 2 KB, and a stage that passes them on.

Not a benchmark itself.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from codeio.runtime.kafka.connection import client_options
from codeio.runtime.settings import KafkaSettings
from codeio.runtime.topics import PROGRAMS, Flow, Topic
from codeio.v1.records_pb2 import Program
from kafka import KafkaAdminClient, KafkaProducer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.runtime.worker import Worker

RECORD_BYTES = 2048
COPIES = Topic("codeio.copies", Program, "program id", None)
_WORDS = [f"{a}{b}" for a in "abcdefghij" for b in ("x", "count", "item", "left", "total")]
_FILLING_BATCH = 1 << 18
_LOOK_SECONDS = 0.02


class Copier:
    """A stage that does nothing but pass programs on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.flow = Flow(name, consumes=(PROGRAMS,), produces=(COPIES,))

    async def handle(self, program: Program) -> AsyncIterator[Program]:
        yield program


def settings_of(bootstrap: str, *, partitions: int) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=bootstrap, partitions=partitions, replicas=1)


def create_topics(settings: KafkaSettings) -> None:
    """Create the topic of programs and that of their copies."""
    admin = KafkaAdminClient(**client_options(settings))
    shape = {"num_partitions": settings.partitions, "replication_factor": settings.replicas}
    admin.create_topics({topic.name: shape for topic in (PROGRAMS, COPIES)})
    admin.wait_for_topics([PROGRAMS.name, COPIES.name])
    admin.close()


def fill(settings: KafkaSettings, count: int) -> None:
    """Write so many programs of about 2 KB."""
    draw = random.Random(0)
    producer = KafkaProducer(
        **client_options(settings), compression_type="lz4", batch_size=_FILLING_BATCH
    )
    for number in range(count):
        code = " ".join(draw.choices(_WORDS, k=RECORD_BYTES // 5))[: RECORD_BYTES - 50]
        entry = PROGRAMS.encode(Program(program_id=f"{number:032x}", code=code))
        producer.send(
            entry.topic, key=entry.key, value=entry.value, headers=list(entry.headers.items())
        )
    producer.close()


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[None]:
    """Run a worker for the time of the body; what it holds then is not committed."""
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(worker.run())
        yield
        run.cancel()


async def committed(worker: Worker, count: int) -> None:
    """Return when a worker has committed so many records."""
    while True:
        if worker.progress.tally.read >= count:
            return
        await asyncio.sleep(_LOOK_SECONDS)
