"""Garbage in any topic becomes a dead letter, whole; what is valid before and behind it passes."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from kafka.structs import OffsetAndMetadata, TopicPartition

from codeio.pipeline.broker.dead_letters import dead_letters, find, replay
from codeio.pipeline.broker.snapshot import take_snapshot
from codeio.pipeline.broker.status import stage_statuses
from codeio.runtime.errors import Rejected
from codeio.runtime.kafka import KafkaLog
from codeio.runtime.kafka.topics import apply_topics
from codeio.runtime.records import record_id
from codeio.runtime.settings import load_settings
from codeio.runtime.topics import (
    ATTEMPTS,
    DEAD_LETTERS,
    EXECUTIONS,
    FLOWS,
    PROGRAMS,
    RAW_FILES,
    REJECTIONS,
    REVISIONS,
    SAMPLES,
    TASKS,
    Topic,
)
from codeio.runtime.worker import Worker
from codeio.v1.records_pb2 import (
    Attempt,
    DeadLetter,
    ExecutedProgram,
    PredictionTask,
    Program,
    RawFile,
    Sample,
)
from kafka import KafkaConsumer, KafkaProducer
from tests.kafka.copier import settings_of
from tests.kafka.test_commands import sample
from tests.runtime.stages import FAST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from codeio.runtime.records import Record
    from codeio.runtime.settings import KafkaSettings

pytestmark = pytest.mark.timeout(120)

Sent = tuple[bytes | None, bytes | None, list[tuple[Any, bytes]]]
"""Key, value and headers as anybody may send them."""


class RawName(str):
    """A header name of bytes that are no text; the library sends what `encode` returns."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe name"


class Through:
    """A stage of any name that passes one record for each that it reads."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[str] = []

    async def handle(self, record: Record) -> AsyncIterator[Record]:
        self.seen.append(record_id(record))
        yield OUTPUTS[self.name](record_id(record))


OUTPUTS: dict[str, Any] = {
    "normalizer": lambda name: Program(program_id=name),
    "executor": lambda name: PredictionTask(task_id=name),
    "cot-generator": lambda name: Attempt(sample_id=name),
    "verifier": lambda name: Sample(sample_id=name),
}
VALID: dict[Topic, Any] = {
    RAW_FILES: lambda name: RawFile(file_id=name),
    PROGRAMS: lambda name: Program(program_id=name),
    TASKS: lambda name: PredictionTask(task_id=name),
    REVISIONS: lambda name: Attempt(sample_id=name),
    ATTEMPTS: lambda name: Attempt(sample_id=name),
}
READ = [(flow.stage, topic) for flow in FLOWS.values() for topic in flow.consumes]


def as_sent(topic: Topic, record: Record, **headers: bytes) -> Sent:
    entry = topic.encode(record)
    return entry.key, entry.value, list({**entry.headers, **headers}.items())


def garbage(topic: Topic) -> dict[str, Sent]:
    """Return what a stage must not take for a record of this topic."""
    chance = random.Random(topic.name)
    other = next(one for one in VALID if one.kind is not topic.kind)
    key, value, headers = as_sent(topic, VALID[topic]("it"))
    return {
        "random bytes": (b"k", chance.randbytes(1000), [("x", chance.randbytes(100))]),
        "random bytes under our headers": (key, b"\xff" + chance.randbytes(1000), headers),
        "nothing": (b"k", None, []),
        "nothing but no key": (None, b"", []),
        "an empty value": (b"k", b"", []),
        "no value under our headers": (key, None, headers),
        "another type": as_sent(other, VALID[other]("it")),
        "a newer schema": as_sent(topic, VALID[topic]("it"), schema=b"2"),
        "a schema of no number": as_sent(topic, VALID[topic]("it"), schema=b"\xff"),
        "an unknown type": as_sent(topic, VALID[topic]("it"), type=b"codeio.v9.Unknown"),
        "a type of no text": as_sent(topic, VALID[topic]("it"), type=b"\xff\xfe"),
        "no headers": (key, value, []),
        "headers without values": (key, value, [("type", b""), ("schema", b"")]),
        "a wrong key": (b"not its id", value, headers),
        "no key": (None, value, headers),
        "a key of a megabyte": (b"k" * (1 << 20), value, headers),
        "a header name that is no text": (b"k", value, [(RawName(), bytes(5000))]),
        "a huge header": (b"k", value, [("h", bytes(1 << 20))]),
        "many headers": (b"k", value, [(f"h{n}", b"v") for n in range(2_000)]),
    }


@pytest.fixture
def settings(kafka: str) -> KafkaSettings:
    settings = settings_of(kafka, f"b{uuid.uuid4().hex[:8]}.")
    apply_topics(settings)
    return settings


def send(
    settings: KafkaSettings,
    topic: Topic,
    messages: Iterable[Sent],
    *,
    compression: str | None = "lz4",
) -> list[int]:
    """Send as anybody may; return the offsets.

    What is not compressed as the topic is, since it gets no smaller for one, the broker writes
    anew, and mends names then.
    """
    producer = KafkaProducer(
        bootstrap_servers=settings.bootstrap_servers,
        max_request_size=128 << 20,
        compression_type=compression,
    )
    try:
        sent = [
            producer.send(settings.prefix + topic.name, key=key, value=value, headers=headers)
            for key, value, headers in messages
        ]
        producer.flush(30)
        return [future.get(0).offset for future in sent]
    finally:
        producer.close()


async def pass_all(settings: KafkaSettings, stage: Through) -> None:
    """Carry a stage to the end of its topics."""
    async with asyncio.timeout(60), KafkaLog(settings) as log, asyncio.TaskGroup() as tasks:
        worker = Worker(stage, log, concurrency=4, settings=FAST)
        tasks.create_task(worker.run())
        while await log.unread(stage.name, worker.topics):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        worker.drain()


def written_headers(headers: list[tuple[Any, bytes]]) -> dict[str, bytes]:
    return {
        r"\xff\xfe name" if isinstance(name, RawName) else name: value for name, value in headers
    }


@pytest.mark.parametrize(("stage", "topic"), READ, ids=lambda one: getattr(one, "name", one))
async def test_garbage_becomes_whole_dead_letters_between_valid_records(
    settings: KafkaSettings, log: KafkaLog, stage: str, topic: Topic
) -> None:
    bad = garbage(topic)
    before, behind = (as_sent(topic, VALID[topic](name)) for name in ("before", "behind"))
    first, *offsets, last = send(settings, topic, [before, *bad.values(), behind])
    through = Through(stage)
    await pass_all(settings, through)
    assert sorted(through.seen) == ["before", "behind"]
    assert last - first == len(bad) + 1
    letters = {
        letter.offset: letter
        async for letter in dead_letters(log, stage=stage)
        if letter.topic == topic.name
    }
    assert sorted(letters) == offsets
    for (name, (key, value, headers)), offset in zip(bad.items(), offsets, strict=True):
        letter = letters[offset]
        assert (letter.key, letter.value) == (key or b"", value or b""), name
        assert dict(letter.headers) == written_headers(headers), name
        assert (letter.partition, letter.stage, letter.attempts) == (0, stage, 1), name
        assert letter.error.startswith("ValueError: "), name
        assert not letter.cut


async def test_others_headers_and_times_do_no_harm(settings: KafkaSettings, log: KafkaLog) -> None:
    extra = {"traceparent": b"\xff00-garbage", "baggage": b"x" * 100_000}
    names = [uuid.uuid4().hex for _ in range(3)]
    sent = [as_sent(RAW_FILES, RawFile(file_id=name), **extra) for name in names]
    send(settings, RAW_FILES, sent)
    through = Through("normalizer")
    await pass_all(settings, through)
    assert sorted(through.seen) == sorted(names)


@pytest.mark.parametrize("how", ["gzip", "zstd", "lz4", "unpacked"])
async def test_what_is_compressed_otherwise_is_read(settings: KafkaSettings, how: str) -> None:
    name = uuid.uuid4().hex
    send(
        settings,
        RAW_FILES,
        [as_sent(RAW_FILES, RawFile(file_id=name))],
        compression=None if how == "unpacked" else how,
    )
    through = Through("normalizer")
    await pass_all(settings, through)
    assert through.seen == [name]


LARGE: dict[str, Sent] = {
    "value": (b"k", bytes(30 << 20), [("h", b"v")]),
    "key": (bytes(3 << 20), b"v", [("h", b"v")]),
    "header": (b"k", b"v", [("h", bytes(30 << 20))]),
    "header name": (b"k", b"v", [("h" * (5 << 20), b"v")]),
    "headers": (b"k", bytes((4 << 20) - 200_000), [(f"h{n}", b"") for n in range(30_000)]),
}


@pytest.mark.parametrize("what", LARGE)
async def test_what_is_too_large_to_be_kept_is_told_of_and_stops_nothing(
    settings: KafkaSettings, log: KafkaLog, what: str
) -> None:
    """Compressed it gets past the broker's limit."""
    key, value, headers = LARGE[what]
    (offset,) = send(settings, RAW_FILES, [LARGE[what]])
    name = uuid.uuid4().hex
    send(settings, RAW_FILES, [as_sent(RAW_FILES, RawFile(file_id=name))])
    through = Through("normalizer")
    await pass_all(settings, through)
    assert through.seen == [name]
    letter = await find(log, f"{RAW_FILES.name}/0/{offset}")
    assert (letter.cut, letter.value, dict(letter.headers)) == (True, b"", {})
    assert (key or b"").startswith(letter.key)
    size = len(key or b"") + len(value or b"") + sum(len(n) + len(v) for n, v in headers)
    assert letter.error.startswith(f"the message has {size:,} bytes, too many to be kept: Value")
    assert await replay(log, ids=[record_id(letter)]) == (0, 1)


async def test_a_refusal_too_large_to_be_written_becomes_a_dead_letter(
    settings: KafkaSettings, log: KafkaLog
) -> None:
    class Refusing(Through):
        async def handle(self, record: Record) -> AsyncIterator[Record]:

            raise Rejected("impure", "x")
            yield record

    huge = RawFile(file_id="f" * (5 << 19))
    (offset,) = send(settings, RAW_FILES, [as_sent(RAW_FILES, huge)])
    await pass_all(settings, Refusing("normalizer"))
    letter = await find(log, f"{RAW_FILES.name}/0/{offset}")
    assert "Rejected: impure" in letter.error


async def printed(settings: KafkaSettings, *command: str) -> list[str]:
    """Return the lines that `codeio dead-letters` prints."""
    told = {
        "CODEIO_KAFKA__BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "CODEIO_KAFKA__PREFIX": settings.prefix,
    }
    script = "from codeio.cli import main; main()"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, "dead-letters", *command),
        env={**os.environ, **told},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().removesuffix("\n").split("\n")


ODD = DeadLetter(topic="\x1b[31m\n", partition=-1, offset=-(1 << 63), stage="\x00", error="\n\n")


def foreign_letters() -> list[Sent]:
    """Return what the topic of dead letters may hold, and should not."""
    return [*garbage_of_any(), as_sent(DEAD_LETTERS, ODD), as_sent(DEAD_LETTERS, DeadLetter())]


def garbage_of_any() -> list[Sent]:
    return list(garbage(RAW_FILES).values())


async def test_commands_read_past_garbage(kafka: str, tmp_path: Path) -> None:
    settings = settings_of(kafka, f"b{uuid.uuid4().hex[:8]}.")
    apply_topics(settings)
    whole = load_settings().model_copy(update={"kafka": settings})
    good = DeadLetter(key=b"k", value=b"v", topic=RAW_FILES.name, offset=7, stage="normalizer")
    mine = as_sent(DEAD_LETTERS, good)
    send(settings, DEAD_LETTERS, [*foreign_letters(), mine, *foreign_letters()])
    samples = [as_sent(SAMPLES, sample(n)) for n in range(3)]
    send(settings, SAMPLES, [*garbage_of_any(), *samples, *garbage_of_any()])
    for topic in (EXECUTIONS, REJECTIONS, RAW_FILES, PROGRAMS):
        send(settings, topic, garbage_of_any())
    executed = ExecutedProgram(program=Program(program_id="p"), python_version="3.11")
    send(settings, EXECUTIONS, [as_sent(EXECUTIONS, executed)])
    async with KafkaLog(settings) as log:
        waiting = {one.stage: one.lag for one in await stage_statuses(log)}
        listed = [record_id(letter) async for letter in dead_letters(log)]
        assert (await find(log, record_id(good))).value == b"v"
        assert await replay(log, ids=[record_id(good)]) == (1, 0)
        assert await replay(log, ids=[record_id(ODD)]) == (0, 1)
    assert waiting["normalizer"] == waiting["executor"] == len(garbage_of_any())
    assert listed.count(record_id(good)) == 1
    lines = await printed(settings, "list")
    assert len(lines) == len(listed)
    assert all(line.replace("\t", "").isprintable() for line in lines)
    assert json.loads("".join(await printed(settings, "show", record_id(good))))["value"] == "dg=="
    taken = await take_snapshot(whole, str(tmp_path / "out"), formats=["messages"], command="")
    assert (taken.new, taken.unreadable) == (3, 2 * len(garbage_of_any()))


@pytest.mark.parametrize("note", ["{", "[]", '{"read": 1e999}'])
async def test_a_note_at_a_position_that_is_not_ours_counts_as_none(kafka: str, note: str) -> None:
    settings = settings_of(kafka, f"b{uuid.uuid4().hex[:8]}.")
    apply_topics(settings)
    sent = [as_sent(RAW_FILES, RawFile(file_id=f"f{n}")) for n in range(3)]
    send(settings, RAW_FILES, sent)
    group, tp = (
        f"{settings.prefix}codeio.normalizer",
        TopicPartition(settings.prefix + RAW_FILES.name, 0),
    )
    consumer = KafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    consumer.assign([tp])
    consumer.commit({tp: OffsetAndMetadata(1, note, -1)})
    consumer.close()
    async with KafkaLog(settings) as log:
        normalizer, *_ = await stage_statuses(log)
        assert (normalizer.lag, normalizer.tally.read) == (2, 0)
    through = Through("normalizer")
    await pass_all(settings, through)
    assert sorted(through.seen) == ["f1", "f2"]


async def test_a_position_beyond_the_topic_is_taken_for_none(kafka: str) -> None:
    settings = settings_of(kafka, f"b{uuid.uuid4().hex[:8]}.")
    apply_topics(settings)
    send(settings, RAW_FILES, [as_sent(RAW_FILES, RawFile(file_id="f"))])
    tp = TopicPartition(settings.prefix + RAW_FILES.name, 0)
    group = f"{settings.prefix}codeio.normalizer"
    consumer = KafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    consumer.assign([tp])
    consumer.commit({tp: OffsetAndMetadata(1000, "", -1)})
    consumer.close()
    through = Through("normalizer")
    async with asyncio.timeout(30), KafkaLog(settings) as log, asyncio.TaskGroup() as tasks:
        worker = Worker(through, log, settings=FAST)
        tasks.create_task(worker.run())
        while not await log.unread("executor", [PROGRAMS.name]):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        worker.drain()
    assert through.seen == ["f"]
