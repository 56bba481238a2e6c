"""Stages as workers on a broker: what `codeio serve` runs beside a service's gRPC."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from codeio.pipeline.stages import build_worker
from codeio.runtime.kafka.topics import check_topics
from codeio.runtime.metrics import watch_worker
from codeio.runtime.policy import decisive
from codeio.runtime.topics import FLOWS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from codeio.pipeline.workshop import Workshop
    from codeio.runtime.kafka import KafkaLog
    from codeio.runtime.settings import Settings
    from codeio.runtime.worker import Worker


@asynccontextmanager
async def working(
    stages: Sequence[str], log: KafkaLog, settings: Settings, workshop: Workshop
) -> AsyncIterator[list[Worker]]:
    """Carry stages over the broker for the time of the body, and drain them at its end.

    A worker that fails cancels the body, and its error is raised.

    Raises:
        UsageError: a topic or a right is missing.
        Stopped: a language model cannot be asked any more.
        LogError: the broker refuses a worker, or another one has its slot.
    """
    for stage in stages:
        await asyncio.to_thread(check_topics, FLOWS[stage], settings.kafka)
    workers = [build_worker(name, log, settings, workshop) for name in stages]
    for worker in workers:
        watch_worker(worker)
    try:
        async with asyncio.TaskGroup() as tasks:
            for worker in workers:
                tasks.create_task(worker.run(), name=worker.name)
            yield workers
            for worker in workers:
                worker.drain()
    except ExceptionGroup as group:
        raise decisive(group) from None
