"""The log in a real broker passes the contract of every log."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from kafka.admin import NewTopic

from codeio.runtime.kafka import KafkaLog
from codeio.runtime.settings import KafkaSettings
from tests.runtime.log_contract import LogContract, fresh

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from codeio.runtime.log import Consumer
    from kafka import KafkaAdminClient


@pytest.fixture
def settings(kafka: str) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=kafka, slot=f"slot-{uuid.uuid4().hex[:8]}", session_seconds=6
    )


@pytest.fixture
async def log(settings: KafkaSettings) -> AsyncIterator[KafkaLog]:
    async with KafkaLog(settings) as log:
        yield log


class TestKafkaLog(LogContract):
    @pytest.fixture
    def new_topic(self, admin: KafkaAdminClient) -> Callable[[str], str]:
        def make(name: str) -> str:
            topic = fresh(name)
            admin.create_topics([NewTopic(name=topic, num_partitions=1, replication_factor=1)])
            admin.wait_for_topics([topic])
            return topic

        return make

    async def seen(self, consumer: Consumer, *, messages: int) -> None:
        async with asyncio.timeout(10):
            while consumer.lag < messages:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    @pytest.fixture
    async def reopen(
        self, settings: KafkaSettings
    ) -> AsyncIterator[Callable[[Any], Awaitable[Any]]]:
        opened: list[KafkaLog] = []

        async def reopen(log: KafkaLog) -> KafkaLog:
            await log.close()
            opened.append(await KafkaLog(settings).__aenter__())
            return opened[-1]

        yield reopen
        for log in opened:
            await log.close()
