"""A real broker for the session; `CODEIO_TEST_KAFKA` names another one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from codeio.runtime.kafka import KafkaLog
from kafka import KafkaAdminClient
from tests.kafka.broker import cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from codeio.runtime.settings import KafkaSettings


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The address of a broker."""
    if address := os.environ.get("CODEIO_TEST_KAFKA"):
        yield address
        return
    with cluster() as brokers:
        yield brokers.bootstrap


@pytest.fixture(scope="session")
def admin(kafka: str) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=kafka.split(","))
    yield client
    client.close()


@pytest.fixture
async def log(settings: KafkaSettings) -> AsyncIterator[KafkaLog]:
    """What a test's own `settings` name."""
    async with KafkaLog(settings) as log:
        yield log
