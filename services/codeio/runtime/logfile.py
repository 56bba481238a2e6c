"""The file of the local log: SQLite in WAL mode, held by one process at a time.

Synchronous code without a loop; `runtime.local` calls it from two threads, one
that writes and one that reads.
"""

from __future__ import annotations

import fcntl
import json
import re
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import zstandard

from codeio.runtime.errors import UsageError
from codeio.runtime.log import Entry, LogError, Message, Partition, Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

_APPLICATION_ID = 0x636F6465  # "code", in the header of the file
_VERSION = 1
_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS topics (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (
    consumer_group TEXT NOT NULL, topic TEXT NOT NULL,
    next INTEGER NOT NULL, metadata TEXT NOT NULL,
    PRIMARY KEY (consumer_group, topic)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Change:
    """What is written together or not at all."""

    entries: Sequence[Entry] = ()
    positions: Mapping[tuple[str, str], Position] = field(default_factory=dict)
    """By group and topic."""
    metadata: Mapping[str, str] = field(default_factory=dict)


class LogFile:
    """One open log file. Each topic is a table whose row ids are the offsets."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            UsageError: another process has it open, it is not a log, or the
                folder cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Before the lock: a folder with a lock is then always one with a log.
            path.open("ab").close()
            with ExitStack() as opened:
                opened.enter_context(_lock(path))
                self._writer = opened.enter_context(closing(_connect(path)))
                self._reader = opened.enter_context(closing(_connect(path)))
                self.ends = self._prepare(path)
                self._opened = opened.pop_all()
        except OSError as error:
            raise UsageError(
                f"cannot write {path}: {error.strerror or error}; choose another folder"
            ) from error
        except sqlite3.Error as error:
            raise UsageError(
                f"cannot use {path} as a log: {error}; choose another folder"
            ) from error
        # Each serves one thread, as the connections do.
        self._compressor = zstandard.ZstdCompressor(level=3)
        self._decompressor = zstandard.ZstdDecompressor()

    def close(self) -> None:
        self._opened.close()

    def write(self, changes: Iterable[Change]) -> None:
        """Write all changes in one transaction and one sync of the disk.

        Raises:
            LogError: nothing was written.
        """
        ends = dict(self.ends)
        with _failing_as_log("written"):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                for change in changes:
                    self._apply(change, ends)
                self._writer.execute("COMMIT")
            except BaseException:
                # A full disk has rolled back already.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
        self.ends = ends

    def read(self, topic: str, start: int, stop: int, limit: int) -> list[Message]:
        """Return up to `limit` messages with offsets from `start` to below `stop`."""
        partition = Partition(topic, 0)
        with _failing_as_log("read"):
            rows = self._reader.execute(
                f"SELECT ordinal, key, value, headers FROM {_table(topic)}"  # noqa: S608
                " WHERE ordinal >= ? AND ordinal < ? ORDER BY ordinal LIMIT ?",
                (start, stop, limit),
            )
            return [
                Message(
                    partition,
                    offset,
                    key,
                    self._decompressor.decompress(value),
                    _load_headers(headers),
                )
                for offset, key, value, headers in rows
            ]

    def positions(self) -> dict[tuple[str, str], Position]:
        """Return all positions, by group and topic."""
        with _failing_as_log("read"):
            rows = self._reader.execute(
                "SELECT consumer_group, topic, next, metadata FROM positions"
            )
            return {(group, topic): Position(offset, note) for group, topic, offset, note in rows}

    def metadata(self) -> dict[str, str]:
        with _failing_as_log("read"):
            return dict(self._reader.execute("SELECT key, value FROM metadata"))

    def _prepare(self, path: Path) -> dict[str, int]:
        """Make the tables of a new file and return the end of each topic."""
        application, version = (
            self._writer.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        )
        empty = not self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if empty:
            self._writer.execute("PRAGMA journal_mode=WAL")
            self._writer.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            self._writer.execute(f"PRAGMA user_version={_VERSION}")
        elif application != _APPLICATION_ID or version != _VERSION:
            raise UsageError(
                f"{path} was not written by this version of codeio; choose another folder"
            )
        self._writer.executescript(_SCHEMA)
        topics = [name for (name,) in self._writer.execute("SELECT name FROM topics")]
        return {topic: self._end(topic) for topic in topics}

    def _apply(self, change: Change, ends: dict[str, int]) -> None:
        """Write a change inside the open transaction and move the ends on."""
        for entry in change.entries:
            if entry.topic not in ends:
                self._writer.execute(
                    f"CREATE TABLE {_table(entry.topic)} (ordinal INTEGER PRIMARY KEY,"
                    " key BLOB NOT NULL, value BLOB NOT NULL, headers TEXT NOT NULL)"
                )
                self._writer.execute("INSERT INTO topics VALUES (?)", (entry.topic,))
                ends[entry.topic] = 0
            # Compressed, since a task, its attempts and its sample each hold the program.
            value = self._compressor.compress(entry.value)
            self._writer.execute(
                f"INSERT INTO {_table(entry.topic)} VALUES (?, ?, ?, ?)",  # noqa: S608
                (ends[entry.topic], entry.key, value, _dump_headers(entry.headers)),
            )
            ends[entry.topic] += 1
        self._writer.executemany(
            "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)",
            [
                (group, topic, position.offset, position.metadata)
                for (group, topic), position in change.positions.items()
            ],
        )
        self._writer.executemany(
            "INSERT OR REPLACE INTO metadata VALUES (?, ?)", change.metadata.items()
        )

    def _end(self, topic: str) -> int:
        row = self._writer.execute(f"SELECT max(ordinal) FROM {_table(topic)}")  # noqa: S608
        (last,) = row.fetchone()
        return 0 if last is None else last + 1


@contextmanager
def _failing_as_log(what: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, zstandard.ZstdError) as error:
        raise LogError(f"the log cannot be {what}: {error}") from error


def _lock(path: Path) -> IO[bytes]:
    """Hold the lock beside the log; the kernel lets go of it when the process ends."""
    lock = path.with_name(f".{path.name}.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise UsageError(
            f"{path} is in use by another process; wait until it ends or choose another folder"
        ) from error
    return lock


def _connect(path: Path) -> sqlite3.Connection:
    # Each connection serves one thread, but not the one that opens it.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    # What is committed survives a power cut, as it would in a broker; group
    # commits keep the price small.
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def check_topic(name: str) -> None:
    """Raise `ValueError` unless the name is one that a broker takes too."""
    if not _TOPIC_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a topic")


def _table(topic: str) -> str:
    check_topic(topic)
    return f'"log {topic}"'


def _dump_headers(headers: Mapping[str, bytes]) -> str:
    return json.dumps({name: value.decode("latin-1") for name, value in headers.items()})


def _load_headers(text: str) -> dict[str, bytes]:
    return {name: value.encode("latin-1") for name, value in json.loads(text).items()}
