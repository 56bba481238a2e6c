"""What broke a stage is listed, found and put back as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codeio.pipeline.broker.dead_letters import dead_letters, find, replay
from codeio.runtime.errors import UsageError
from codeio.runtime.local import LocalLog
from codeio.runtime.records import record_id
from codeio.runtime.topics import DEAD_LETTERS, PROGRAMS
from codeio.v1.records_pb2 import DeadLetter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[LocalLog]:
    async with LocalLog(tmp_path / "log.sqlite") as log:
        yield log


def letter(offset: int, *, stage: str = "executor", value: bytes = b"\x00\xff") -> DeadLetter:
    return DeadLetter(
        key=b"key",
        value=value,
        headers={"type": b"odd \xff"},
        topic=PROGRAMS.name,
        partition=3,
        offset=offset,
        stage=stage,
        error="ValueError: no",
    )


async def put(log: LocalLog, *letters: DeadLetter) -> None:
    await log.append([DEAD_LETTERS.encode(one) for one in letters])


async def test_they_are_listed_in_order_and_by_stage(log: LocalLog) -> None:
    await put(log, letter(1), letter(2, stage="verifier"), letter(3))
    assert [one.offset async for one in dead_letters(log)] == [1, 2, 3]
    assert [one.offset async for one in dead_letters(log, stage="executor")] == [1, 3]
    with pytest.raises(UsageError, match=r"no stage 'excutor'; there are normalizer, executor"):
        await replay(log, stage="excutor")


async def test_one_is_found_by_its_id(log: LocalLog) -> None:
    await put(log, letter(1), letter(2))
    assert (await find(log, record_id(letter(2)))).offset == 2
    with pytest.raises(UsageError, match="there is no dead letter nonsense"):
        await find(log, "nonsense")


async def test_a_replay_puts_the_bytes_back_and_only_once(log: LocalLog) -> None:
    await put(log, letter(1), letter(2))
    assert await replay(log, ids=["codeio.programs/3/1"]) == (1, 0)
    assert await replay(log) == (1, 0)
    assert await replay(log) == (0, 0)
    back = [message async for message in log.read(PROGRAMS.name)]
    assert [(m.key, m.value) for m in back] == [(b"key", b"\x00\xff")] * 2
    assert [m.headers for m in back] == [
        {"type": b"odd \xff", "replayed": b"codeio.programs/3/%d" % n} for n in (1, 2)
    ]


async def test_one_that_broke_the_stage_again_is_another(log: LocalLog) -> None:
    await put(log, letter(1))
    await replay(log)
    again = letter(9)
    again.headers["replayed"] = b"codeio.programs/3/1"
    await put(log, again)
    assert await replay(log) == (1, 0)


async def test_an_id_that_is_not_there_puts_nothing_back(log: LocalLog) -> None:
    await put(log, letter(1))
    with pytest.raises(UsageError, match="there is no dead letter other"):
        await replay(log, ids=["codeio.programs/3/1", "other"])
    assert [message async for message in log.read(PROGRAMS.name)] == []


async def test_what_was_too_large_to_keep_is_counted(log: LocalLog) -> None:
    cut = letter(1, value=b"")
    cut.cut = True
    await put(log, cut, letter(2), letter(3, value=b""))
    assert await replay(log) == (2, 1)


async def test_nothing_is_put_into_a_topic_that_is_not_ours(log: LocalLog) -> None:
    foreign = letter(1)
    foreign.topic = "payments"
    await put(log, foreign)
    assert await replay(log) == (0, 1)
    assert [message async for message in log.read("payments")] == []
