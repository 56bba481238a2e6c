"""The store in one SQLite file, which several processes of one machine may share.

One thread writes, another reads, so the event loop never waits for the disk.
What is asked to be put while a transaction is on its way gathers for the next
one: the more there is to do, the more responses share a sync of the disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from codeio.language_model.store.packing import check_key, pack, unpack
from codeio.runtime.errors import Stopped, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

_APPLICATION_ID = 0x72657370  # "resp", in the header of the file
_VERSION = 1
_ELSEWHERE = "name another file in CODEIO_TEACHER__STORE"


@dataclass(frozen=True, slots=True)
class _Put:
    key: str
    text: str
    done: Future[None] = field(default_factory=Future)


class SqliteStore:
    """A `ResponseStore` in one file.

    Raises, when opened:
        UsageError: it is not such a store, or it cannot be written.
        Stopped: another process does not let go of it.
    """

    def __init__(self, path: Path, *, busy_seconds: float = 60.0) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._waiting: deque[_Put] = deque()
        self._closed = True

    async def __aenter__(self) -> Self:
        self._write_thread = ThreadPoolExecutor(1, "response-writer")
        self._read_thread = ThreadPoolExecutor(1, "response-reader")
        opening = self._write_thread.submit(_File, self._path, busy_seconds=self._busy_seconds)
        try:
            self._file = await asyncio.wrap_future(opening)
        except BaseException:
            self._write_thread.submit(_close_late, opening)
            self._write_thread.shutdown(wait=False)
            raise
        self._closed = False
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self._closed = True
        # In a thread of its own, which ends its work even when nobody waits for it any more.
        await asyncio.to_thread(self._close)

    async def get(self, key: str, /) -> str | None:
        self._check(key)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._read_thread, self._file.read, key)

    async def put(self, key: str, text: str, /) -> None:
        self._check(key)
        put = _Put(key, text)
        self._waiting.append(put)
        # The first call takes all that wait then; those behind it find the rest, or nothing.
        self._write_thread.submit(self._write_group)
        await asyncio.wrap_future(put.done)

    def _check(self, key: str) -> None:
        check_key(key)
        if self._closed:
            raise Stopped(f"the store of responses in {self._path} is closed")

    def _write_group(self) -> None:
        group: list[_Put] = []
        while self._waiting:
            group.append(self._waiting.popleft())
        if not group:
            return
        failure: Exception | None = None
        try:
            self._file.write((put.key, put.text) for put in group)
        except Exception as error:  # noqa: BLE001  (handed to those who wait)
            failure = error
        for put in group:
            # What nobody waits for any more is kept all the same: it is paid for.
            if not put.done.set_running_or_notify_cancel():
                continue
            if failure:
                put.done.set_exception(failure)
            else:
                put.done.set_result(None)

    def _close(self) -> None:
        for thread in (self._write_thread, self._read_thread):
            thread.shutdown()
        self._file.close()


def _close_late(opening: Future[_File]) -> None:
    """Close the file that was opened for somebody who went away."""
    if not opening.cancelled() and not opening.exception():
        opening.result().close()


class _File:
    """The open file; synchronous, for one thread that writes and one that reads."""

    def __init__(self, path: Path, *, busy_seconds: float) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with ExitStack() as opened:
                self._writer = opened.enter_context(closing(self._connect()))
                self._prepare()
                self._reader = opened.enter_context(closing(self._connect()))
                self._opened = opened.pop_all()
        except OSError as error:
            raise UsageError(
                f"cannot write {path}: {error.strerror or error}; {_ELSEWHERE}"
            ) from error
        except sqlite3.Error as error:
            if _is_busy(error) or _code(error) == sqlite3.SQLITE_FULL:
                raise self._stopped("written", error) from error
            raise UsageError(
                f"cannot use {path} as a store of responses: {error}; {_ELSEWHERE}"
            ) from error

    def close(self) -> None:
        self._opened.close()

    def read(self, key: str) -> str | None:
        try:
            row = self._reader.execute(
                "SELECT packed FROM responses WHERE key = ?", (key,)
            ).fetchone()
        except sqlite3.Error as error:
            raise self._stopped("read", error) from error
        return None if row is None else unpack(row[0], key=key, where=str(self._path))

    def write(self, responses: Iterable[tuple[str, str]]) -> None:
        """Write all in one transaction and one sync of the disk, or none."""
        packed = [(key, pack(text)) for key, text in responses]
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                self._writer.executemany("INSERT OR IGNORE INTO responses VALUES (?, ?)", packed)
                self._writer.execute("COMMIT")
            except BaseException:
                # A full disk has rolled back already.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._stopped("written", error) from error

    def _connect(self) -> sqlite3.Connection:
        # Each connection serves one thread, but not the one that opens or closes it.
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=self._busy_seconds
        )
        # What is committed survives a power cut; group commits keep the price small.
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    def _prepare(self) -> None:
        """Make the table of a new file, and see that this one is ours and can be written."""
        if self._header() != (_APPLICATION_ID, _VERSION):
            self._refuse_unless_empty()
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been faster.
            if self._header() != (_APPLICATION_ID, _VERSION):
                self._refuse_unless_empty()
                self._writer.execute(
                    "CREATE TABLE responses (key TEXT PRIMARY KEY, packed BLOB NOT NULL)"
                )
                self._writer.execute(f"PRAGMA application_id={_APPLICATION_ID}")
                self._writer.execute(f"PRAGMA user_version={_VERSION}")
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise
        # For this change SQLite does not wait until other processes let go of the file.
        for attempt in Retrying(
            retry=retry_if_exception(_is_busy),
            wait=wait_random(0.01, 0.1),
            stop=stop_after_delay(self._busy_seconds),
            reraise=True,
        ):
            with attempt:
                self._writer.execute("PRAGMA journal_mode=WAL")

    def _header(self) -> tuple[int, int]:
        application, version = (
            self._writer.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        )
        return application, version

    def _refuse_unless_empty(self) -> None:
        if self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise UsageError(
                f"{self._path} is not a store of responses of this version of codeio; {_ELSEWHERE}"
            )

    def _stopped(self, what: str, error: sqlite3.Error) -> Stopped:
        if _is_busy(error):
            return Stopped(
                f"the store of responses {self._path} has been in use by another process for "
                f"{self._busy_seconds:g} s; end that process and start again"
            )
        advice = "start again when that is mended"
        if _code(error) == sqlite3.SQLITE_FULL:
            advice = "free some space and start again"
        return Stopped(
            f"the store of responses {self._path} cannot be {what}: {error}; {advice}: what the "
            "store holds is not paid for twice"
        )


def _code(error: BaseException) -> int:
    """Return SQLite's primary result code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_busy(error: BaseException) -> bool:
    return _code(error) == sqlite3.SQLITE_BUSY
