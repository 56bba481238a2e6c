"""A topic that is missing is told of: at the start of a stage, and when it is taken from one."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from codeio.runtime.errors import UsageError
from codeio.runtime.kafka import KafkaLog
from codeio.runtime.kafka.topics import apply_topics, check_topics
from codeio.runtime.log import LogError
from codeio.runtime.topics import DEAD_LETTERS, FLOWS, PROGRAMS, RAW_FILES, REJECTIONS, Topic
from codeio.runtime.worker import Worker
from codeio.v1.records_pb2 import RawFile
from tests.kafka.copier import Copy, settings_of, wait_until

if TYPE_CHECKING:
    from codeio.runtime.settings import KafkaSettings
    from kafka import KafkaAdminClient

pytestmark = pytest.mark.timeout(90)

NEEDED = [
    (stage, topic)
    for stage, flow in FLOWS.items()
    for topic in (*flow.consumes, *flow.produces, REJECTIONS, DEAD_LETTERS)
]


@pytest.fixture
def settings(kafka: str) -> KafkaSettings:
    settings = settings_of(kafka, f"g{uuid.uuid4().hex[:8]}.", session_seconds=1)
    apply_topics(settings)
    return settings


@pytest.fixture(scope="module")
def shared(kafka: str) -> KafkaSettings:
    settings = settings_of(kafka, f"g{uuid.uuid4().hex[:8]}.")
    apply_topics(settings)
    return settings


def delete(admin: KafkaAdminClient, name: str) -> None:
    """Delete a topic; return when the broker has forgotten it."""
    admin.delete_topics([name])
    wait_until(lambda: bool(admin.describe_topics([name])[0]["error_code"]))


@pytest.mark.parametrize(("stage", "topic"), NEEDED, ids=lambda one: getattr(one, "name", one))
def test_a_stage_names_the_topic_that_it_misses(
    admin: KafkaAdminClient, shared: KafkaSettings, stage: str, topic: Topic
) -> None:
    delete(admin, shared.prefix + topic.name)
    with pytest.raises(UsageError, match=rf"topic {shared.prefix}{topic.name} is missing.*apply"):
        check_topics(FLOWS[stage], shared)
    apply_topics(shared)
    check_topics(FLOWS[stage], shared)


@pytest.mark.parametrize("stage", FLOWS)
def test_a_stage_tells_that_a_topic_has_too_few_partitions(
    shared: KafkaSettings, stage: str
) -> None:
    more = shared.model_copy(update={"partitions": 2})
    with pytest.raises(UsageError, match=r"has 1 partitions, and kafka\.partitions asks for 2"):
        check_topics(FLOWS[stage], more)


async def passed(log: KafkaLog) -> None:
    while await log.unread("normalizer", [RAW_FILES.name]):  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def put(log: KafkaLog) -> None:
    await log.append([RAW_FILES.encode(RawFile(file_id=uuid.uuid4().hex))])


@pytest.mark.parametrize("topic", [RAW_FILES, PROGRAMS], ids=lambda one: one.name)
async def test_a_service_whose_topic_is_deleted_ends_and_names_it(
    admin: KafkaAdminClient, settings: KafkaSettings, topic: Topic
) -> None:
    async with KafkaLog(settings) as log, KafkaLog(settings) as own:
        await put(log)
        running = asyncio.create_task(Worker(Copy(), own).run())
        await passed(log)
        delete(admin, settings.prefix + topic.name)
        if topic is not RAW_FILES:
            await put(log)
        with pytest.raises(LogError, match=rf"topic {settings.prefix}{topic.name} is missing"):
            await asyncio.wait_for(running, 40)


async def test_a_service_goes_on_where_its_topic_was_made_anew(
    admin: KafkaAdminClient, settings: KafkaSettings
) -> None:
    async with KafkaLog(settings) as log, KafkaLog(settings) as own:
        await put(log)
        worker = Worker(Copy(), own)
        running = asyncio.create_task(worker.run())
        await passed(log)
        for topic in (RAW_FILES, PROGRAMS):
            delete(admin, settings.prefix + topic.name)
        apply_topics(settings)
        async with KafkaLog(settings) as another:
            await put(another)
            async with asyncio.timeout(40):
                while not await another.unread("executor", [PROGRAMS.name]):
                    assert not running.done()
                    await asyncio.sleep(0.05)
        worker.drain()
        await running
