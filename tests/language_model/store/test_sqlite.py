"""The store in an SQLite file passes the contract, survives kills and tells what is wrong."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from codeio.language_model.store import sqlite
from codeio.language_model.store.sqlite import SqliteStore
from codeio.runtime.errors import Stopped, UsageError
from tests.language_model.store.store_contract import StoreContract, key_of, putter

if TYPE_CHECKING:
    from collections.abc import Iterable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "responses.sqlite"


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def address(self, path: Path) -> str:
        return str(path)


@pytest.mark.parametrize("count", [1, 17, 500])
async def test_what_a_killed_process_was_told_to_be_kept_is_there(path: Path, count: int) -> None:
    with putter(str(path), "killed", str(count), "die") as process:
        assert process.stdout
        printed = [int(line) for line in process.stdout]
    assert process.returncode == -signal.SIGKILL
    assert len(printed) == count
    async with SqliteStore(path) as store:
        for number in printed:
            assert await store.get(key_of(f"killed {number}")) == f"killed {number} " * 100


async def test_puts_that_wait_share_a_transaction(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = []
    write = sqlite._File.write

    def counted(self: sqlite._File, responses: Iterable[tuple[str, str]]) -> None:
        group = list(responses)
        groups.append(len(group))
        write(self, group)

    monkeypatch.setattr(sqlite._File, "write", counted)
    async with SqliteStore(path) as store:
        await asyncio.gather(*(store.put(key_of(i), str(i)) for i in range(1000)))
    assert sum(groups) == 1000
    assert len(groups) < 100


async def test_what_waits_is_written_before_the_store_closes(path: Path) -> None:
    async with SqliteStore(path) as store:
        putting = [asyncio.create_task(store.put(key_of(i), str(i))) for i in range(100)]
        await asyncio.sleep(0)
    await asyncio.gather(*putting)
    async with SqliteStore(path) as store:
        assert await store.get(key_of(99)) == "99"


async def test_what_nobody_waits_for_any_more_is_kept_all_the_same(path: Path) -> None:
    async with SqliteStore(path) as store:
        putting = asyncio.create_task(store.put(key_of(1), "paid for"))
        await asyncio.sleep(0)
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
    async with SqliteStore(path) as store:
        assert await store.get(key_of(1)) == "paid for"


async def test_a_commit_is_synced(path: Path) -> None:
    async with SqliteStore(path) as store:
        assert store._file._writer.execute("PRAGMA synchronous").fetchone() == (2,)
        assert store._file._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def refused(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        await SqliteStore(path).__aenter__()
    (told,) = str(caught.value).splitlines()
    assert str(path) in told
    assert told.endswith("name another file in CODEIO_TEACHER__STORE")
    return told


async def test_another_program_s_database_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    before = path.read_bytes()
    assert "is not a store of responses" in await refused(path)
    assert path.read_bytes() == before


async def test_what_is_no_database_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("my diary, which is long enough to be taken for something else " * 50)
    before = path.read_bytes()
    assert "file is not a database" in await refused(path)
    assert path.read_bytes() == before


async def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    assert "unable to open" in await refused(path)


async def test_a_file_as_its_folder_is_refused(path: Path) -> None:
    path.parent.write_text("not a folder")
    assert "exists" in await refused(path)


@pytest.mark.parametrize("filled", [False, True])
async def test_a_folder_that_cannot_be_written_is_refused(path: Path, *, filled: bool) -> None:
    if filled:
        async with SqliteStore(path) as store:
            await store.put(key_of(1), "one")
        path.chmod(0o400)
    path.parent.mkdir(exist_ok=True)
    path.parent.chmod(0o500)
    script = (
        "import asyncio, pathlib, sys\n"
        "from codeio.language_model.store.sqlite import SqliteStore\n"
        "from codeio.runtime.errors import UsageError\n"
        "try:\n"
        "    asyncio.run(SqliteStore(pathlib.Path(sys.argv[1])).__aenter__())\n"
        "except UsageError as error:\n"
        "    print(error)\n"
    )
    told = await asyncio.to_thread(
        subprocess.run,
        [*_bound_by_modes(), sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    path.parent.chmod(0o700)
    assert told.stdout.startswith(f"cannot use {path} as a store of responses: ")
    assert told.stdout.endswith("; name another file in CODEIO_TEACHER__STORE\n")


def _bound_by_modes() -> list[str]:
    """Return what makes a command of root's heed the modes of files, as others' do."""
    if Path("/proc/self").owner() != "root":
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root writes everywhere, and there is no setpriv to bind it")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


async def test_a_full_disk_is_told_and_spoils_nothing(path: Path) -> None:
    noise = random.Random(0).randbytes(1 << 17).hex()
    async with SqliteStore(path) as store:
        await store.put(key_of(1), "one")
        store._file._writer.execute("PRAGMA max_page_count=20")
        with pytest.raises(Stopped, match=r"responses\.sqlite cannot be written: .* full; free"):
            await store.put(key_of(2), noise)
        assert await store.get(key_of(1)) == "one"
        assert await store.get(key_of(2)) is None
        store._file._writer.execute("PRAGMA max_page_count=1000000")
        await store.put(key_of(2), noise)
        assert await store.get(key_of(2)) == noise


async def test_a_file_that_another_holds_is_waited_for_and_then_told(path: Path) -> None:
    async with SqliteStore(path) as store:
        await store.put(key_of(1), "one")
    async with SqliteStore(path, busy_seconds=0.1) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Stopped, match=r"in use by another process for 0\.1 s; end"):
                await store.put(key_of(2), "two")
            with pytest.raises(Stopped, match="in use by another process"):
                await SqliteStore(path, busy_seconds=0.1).__aenter__()
            assert await store.get(key_of(1)) == "one"
        await store.put(key_of(2), "two")
        assert await store.get(key_of(2)) == "two"


async def test_a_damaged_response_is_told(path: Path) -> None:
    async with SqliteStore(path) as store:
        await store.put(key_of(1), "one")
        store._file._writer.execute("UPDATE responses SET packed = x'00'")
        with pytest.raises(Stopped, match=rf"{key_of(1)} in .*sqlite is damaged"):
            await store.get(key_of(1))


async def test_who_stops_waiting_for_a_store_to_open_leaves_nothing_open(path: Path) -> None:
    async with SqliteStore(path):
        opening = asyncio.create_task(SqliteStore(path).__aenter__())
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
