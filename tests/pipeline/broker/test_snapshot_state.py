"""A state of a snapshot that is none, or is spoilt, is told of in a sentence."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from codeio.pipeline.broker.snapshot import _Mirror, _place
from codeio.runtime.errors import UsageError
from codeio.runtime.local import LocalLog
from codeio.runtime.topics import SAMPLES
from codeio.v1.records_pb2 import Sample

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from codeio.runtime.log import Message, Partition


class Readable(LocalLog):
    """A log in a file that is read as one in a broker is."""

    async def read_partition(
        self, partition: Partition, *, start: int, end: int
    ) -> AsyncIterator[Message]:
        async for message in self.read(partition.topic):
            if start <= message.offset < end:
                yield message


async def sizes(path: Path, folder: Path) -> tuple[int, int]:
    """Return what a snapshot finds to be new, and all that it has."""
    async with Readable(folder / "log.sqlite") as log:
        if not any(end for end in (await log.ends([SAMPLES.name])).values()):
            await log.append([SAMPLES.encode(Sample(sample_id=f"s{n}")) for n in range(3)])
        with _Mirror(path) as mirror:
            new, _ = await mirror.catch_up(log)  # type: ignore[arg-type]
            return new, len(list(mirror.samples()))


async def state(tmp_path: Path) -> Path:
    path = tmp_path / "state.sqlite"
    assert await sizes(path, tmp_path) == (3, 3)
    assert await sizes(path, tmp_path) == (0, 3)
    return path


async def test_a_file_of_anything_is_no_state(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(UsageError, match=r"is no state of a snapshot: .*remove it"):
        await sizes(path, tmp_path)


def test_a_folder_that_holds_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").write_text("a run's")
    with pytest.raises(UsageError, match=r"holds other things .* by --out"), _place(str(tmp_path)):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["log.sqlite"]


async def test_a_state_that_cannot_be_opened_is_not_to_be_removed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot use .*unable to open"), _Mirror(tmp_path):
        pass


async def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    path = await state(tmp_path)
    async with Readable(tmp_path / "log.sqlite") as log:
        await log.append([SAMPLES.encode(Sample(sample_id="x" * 100_000))])

        async def catch_up() -> None:
            with _Mirror(path) as mirror:
                mirror._database.execute("PRAGMA max_page_count = 5")
                await mirror.catch_up(log)  # type: ignore[arg-type]

        with pytest.raises(UsageError, match=r"cannot use .*disk is full; then give the same"):
            await catch_up()
    assert await sizes(path, tmp_path) == (1, 4)


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE samples SET value = x'ffff'",
        "UPDATE samples SET value = 7",
        "UPDATE positions SET next = 'many'",
        "UPDATE positions SET next = -5",
        "UPDATE positions SET next = 1000",
        "UPDATE positions SET next = NULL",
        "DROP TABLE samples; CREATE TABLE samples (other)",
        "DROP TABLE positions; CREATE TABLE positions (other)",
    ],
)
async def test_a_spoilt_state_is_told_of(tmp_path: Path, spoil: str) -> None:
    path = await state(tmp_path)
    database = sqlite3.connect(path)
    database.executescript(spoil)
    database.close()
    with pytest.raises(UsageError, match=r"remove (it|that file) to read"):
        await sizes(path, tmp_path)


@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_a_state_with_bytes_turned_is_read_or_told_of(tmp_path: Path, data: Any) -> None:
    path = tmp_path / "state.sqlite"
    path.unlink(missing_ok=True)
    await sizes(path, tmp_path)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    with suppress(UsageError):
        await sizes(path, tmp_path)
