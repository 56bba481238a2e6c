"""The local log passes the contract, and is one file that one process holds."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from codeio.runtime.errors import UsageError
from codeio.runtime.local import LocalLog
from codeio.runtime.log import Entry, LogError
from codeio.runtime.logfile import LogFile
from tests.runtime.log_contract import LogContract, commit, contents, entries, take

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from codeio.runtime.logfile import Change


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "log.sqlite"


@pytest.fixture
async def log(path: Path) -> AsyncIterator[LocalLog]:
    async with LocalLog(path) as log:
        yield log


class TestLocalLog(LogContract):
    @pytest.fixture
    async def reopen(self, path: Path) -> AsyncIterator[Callable[[LocalLog], Awaitable[LocalLog]]]:
        opened: list[LocalLog] = []

        async def reopen(log: LocalLog) -> LocalLog:
            await log.close()
            opened.append(await LocalLog(path).__aenter__())
            return opened[-1]

        yield reopen
        for log in opened:
            await log.close()


async def test_any_bytes_come_back(log: LocalLog) -> None:
    entry = Entry("topic", b"\x00\xff", b"", {"empty": b"", "all": bytes(range(256))})
    large = Entry("topic", b"", bytes(1 << 20), {})
    await log.append([entry, large])
    messages = [message async for message in log.read("topic")]
    assert [Entry("topic", m.key, m.value, m.headers) for m in messages] == [entry, large]


async def test_a_topic_that_no_broker_would_take_is_refused_and_harms_nobody(
    log: LocalLog,
) -> None:
    with pytest.raises(ValueError, match="name of a topic"):
        await log.append([Entry('x"; DROP TABLE positions', b"", b"")])
    await log.append(entries("fine", 1))
    assert await contents(log, "fine") == [b"value 0"]


async def test_metadata_is_kept(path: Path) -> None:
    async with LocalLog(path) as log:
        assert log.get_metadata("settings") is None
        await log.set_metadata("settings", "one")
        await log.set_metadata("settings", "two")
        assert log.get_metadata("settings") == "two"
    async with LocalLog(path) as log:
        assert log.get_metadata("settings") == "two"


async def test_drained_waits_for_every_group_at_one_moment(log: LocalLog) -> None:
    await log.append(entries("in", 1))
    first = await log.subscribe("first", ["in", "back"])
    second = await log.subscribe("second", ["out"])
    drained = asyncio.create_task(log.drained({"first": ["in", "back"], "second": ["out"]}))
    await commit(first, await take(first, 1), entries("out", 1))
    await commit(second, await take(second, 1), entries("back", 1))
    assert not drained.done()
    await commit(first, await take(first, 1))
    await drained


async def test_a_log_in_use_is_refused(log: LocalLog, path: Path) -> None:
    with pytest.raises(UsageError, match=r"log\.sqlite is in use by another process; wait"):
        await LocalLog(path).__aenter__()
    await log.append(entries("topic", 1))
    assert await contents(log, "topic") == [b"value 0"]


def test_a_lock_goes_with_the_process_that_is_killed(path: Path) -> None:
    holding = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import pathlib, sys, signal; from codeio.runtime.logfile import LogFile\n"
            "held = LogFile(pathlib.Path(sys.argv[1])); print('held', flush=True); signal.pause()",
            str(path),
        ],
        stdout=subprocess.PIPE,
    )
    with holding:
        assert holding.stdout
        assert holding.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match="in use by another process"):
            LogFile(path)
        holding.kill()
    LogFile(path).close()


def test_what_is_not_a_log_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("my diary, which is long enough to be taken for something else " * 50)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="choose another folder"):
        LogFile(path)
    assert path.read_bytes() == before


def test_another_program_s_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(UsageError, match="not written by this version of codeio"):
        LogFile(path)


def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(UsageError, match="choose another folder"):
        LogFile(path)


def test_a_file_as_its_folder_is_refused(path: Path) -> None:
    path.parent.write_text("not a folder")
    with pytest.raises(UsageError, match="choose another folder"):
        LogFile(path)


async def test_a_full_disk_fails_the_log_and_spoils_nothing(path: Path) -> None:
    async with LocalLog(path) as log:
        await log.append(entries("topic", 10))
        log._file._writer.execute("PRAGMA max_page_count=20")
        consumer = await log.subscribe("group", ["topic"])
        noise = random.Random(0).randbytes(1 << 18)
        with pytest.raises(LogError, match="full"):
            await commit(consumer, await take(consumer, 10), [Entry("topic", b"large", noise)])
        with pytest.raises(LogError, match="full"):
            await log.append(entries("topic", 1))
    async with LocalLog(path) as log:
        assert len(await contents(log, "topic")) == 10
        consumer = await log.subscribe("group", ["topic"])
        assert len(await take(consumer, 10)) == 10


async def test_a_damaged_file_is_told(path: Path) -> None:
    async with LocalLog(path) as log:
        await log.append(entries("topic", 3))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE \"log topic\" SET value = x'00'")
    async with LocalLog(path) as log:
        with pytest.raises(LogError, match="cannot be read"):
            await contents(log, "topic")


async def test_a_closed_log_takes_nothing_more(path: Path) -> None:
    log = await LocalLog(path).__aenter__()
    await log.close()
    with pytest.raises(LogError, match="closed"):
        await log.append(entries("topic", 1))


async def test_waiting_writes_share_a_transaction(
    log: LocalLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = []
    write = LogFile.write

    def counted(self: LogFile, changes: list[Change]) -> None:
        groups.append(len(changes))
        write(self, changes)

    monkeypatch.setattr(LogFile, "write", counted)
    await asyncio.gather(*(log.append(entries("topic", 1)) for _ in range(1000)))
    assert sum(groups) == 1000
    assert len(groups) < 20
