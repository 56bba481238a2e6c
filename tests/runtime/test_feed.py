"""The feed: what a source gives is in the log, once, wherever the run was cut off."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from codeio.runtime.errors import UsageError
from codeio.runtime.feed import Feed
from codeio.runtime.local import LocalLog
from codeio.runtime.topics import RAW_FILES, REJECTIONS
from codeio.v1.records_pb2 import RawFile, Rejection
from tests.runtime.log_contract import contents
from tests.runtime.stages import raw_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from codeio.runtime.feed import Found


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[LocalLog]:
    async with LocalLog(tmp_path / "log.sqlite") as log:
        yield log


async def names(log: LocalLog) -> list[str]:
    return [RawFile.FromString(value).file_id for value in await contents(log, RAW_FILES.name)]


async def test_files_and_refusals_go_to_their_topics_in_order(log: LocalLog) -> None:
    feed = Feed(log, raw_files(200))
    await feed.run()
    assert await names(log) == [f"file-{i}" for i in range(1, 201) if i % 10]
    refused = await contents(log, REJECTIONS.name)
    assert [Rejection.FromString(value).record_id for value in refused] == [
        f"file-{i}" for i in range(10, 201, 10)
    ]
    tally = feed.progress.tally
    assert (tally.read, tally.written, tally.rejected) == (200, 180, 20)
    assert feed.finished


async def test_a_source_that_was_fed_is_not_asked_again(log: LocalLog) -> None:
    await Feed(log, raw_files(5)).run()

    def source(skip: int) -> Iterator[Found]:
        raise AssertionError("asked again")

    again = Feed(log, source)
    assert again.finished
    await again.run()
    assert again.progress.tally.read == 5


async def test_a_source_that_broke_goes_on_behind_what_was_written(log: LocalLog) -> None:
    def broken(skip: int) -> Iterator[Found]:
        for position, found in raw_files(100)(skip):
            if position == 80:
                raise UsageError("line 80 is not JSON")
            yield position, found

    feed = Feed(log, broken)
    with pytest.raises(UsageError, match="line 80"):
        await feed.run()
    assert not feed.finished
    assert len(await names(log)) == 72

    again = Feed(log, raw_files(100))
    await again.run()
    assert await names(log) == [f"file-{i}" for i in range(1, 101) if i % 10]
    assert again.progress.tally.read == 100


async def test_an_empty_source_is_finished(log: LocalLog) -> None:
    feed = Feed(log, raw_files(0))
    await feed.run()
    assert Feed(log, raw_files(0)).finished


async def test_a_slow_source_is_written_as_it_comes(log: LocalLog) -> None:
    more = threading.Event()

    def source(skip: int) -> Iterator[Found]:
        yield 1, RawFile(file_id="first")
        more.wait(60)
        yield 2, RawFile(file_id="second")

    consumer = await log.subscribe("normalizer", [RAW_FILES.name])
    running = asyncio.create_task(Feed(log, source).run())
    (message,) = await consumer.poll(10)
    assert message.key == b"first"
    more.set()
    await running
    assert await names(log) == ["first", "second"]


async def test_a_fast_source_does_not_run_ahead_of_the_log(log: LocalLog) -> None:
    given = 0

    def source(skip: int) -> Iterator[Found]:
        nonlocal given
        for found in raw_files(1000)(skip):
            given += 1
            yield found

    feed = Feed(log, source)
    ahead = []
    write = log.write

    async def watched(change: object) -> None:
        ahead.append(given - feed.progress.tally.read)
        await write(change)  # type: ignore[arg-type]

    log.write = watched  # type: ignore[method-assign]
    await feed.run()
    assert max(ahead) <= 2 * 64 + 1


async def test_a_feed_that_is_cancelled_lets_its_source_end(log: LocalLog) -> None:
    started, asked, ended = asyncio.Event(), threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def source(skip: int) -> Iterator[Found]:
        try:
            yield 1, RawFile(file_id="first")
            loop.call_soon_threadsafe(started.set)
            asked.wait(60)
            yield 2, RawFile(file_id="second")
        finally:
            ended.set()

    running = asyncio.create_task(Feed(log, source).run())
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    asked.set()
    assert await asyncio.to_thread(ended.wait, 60)
