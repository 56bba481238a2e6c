"""`codeio snapshot`: the samples in the broker as a data set, as `codeio run` would write it.

What was read is kept in a file beside the data set, so that the next snapshot
reads what is new alone. Lost, it is made anew: samples are kept for ever.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import fsspec
from google.protobuf.message import DecodeError

from codeio import __version__
from codeio.dataset import DatasetSummary, Provenance, export
from codeio.pipeline.out_folder import check_folder
from codeio.runtime.errors import UsageError
from codeio.runtime.jsonl import write_records
from codeio.runtime.kafka import KafkaLog
from codeio.runtime.records import record_id
from codeio.runtime.settings import default_home
from codeio.runtime.topics import EXECUTIONS, SAMPLES
from codeio.v1.records_pb2 import ExecutedProgram, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeio.runtime.settings import Settings

_STATE = "samples.sqlite"
_FOREIGN = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
"""What SQLite says of a file that is none of ours."""
_UNREADABLE = (sqlite3.Error, DecodeError, UnicodeDecodeError)
"""What reading a spoilt file raises; the last, where SQLite quotes what is no text."""


@dataclass(frozen=True)
class Taken:
    """What a snapshot found."""

    new: int
    """Samples that the snapshot before did not have."""
    unreadable: int
    """Messages of this snapshot that are no samples."""
    dataset: DatasetSummary


async def take_snapshot(
    settings: Settings, out: str, *, formats: Sequence[str], command: str
) -> Taken:
    """Write `samples.jsonl.zst` and `dataset/` to a folder, or below an fsspec URL.

    Raises:
        UsageError: the place cannot be written, or the broker cannot be reached.
        LogError: the broker failed; the same command goes on.
    """
    async with KafkaLog(settings.kafka) as log:
        # That the topics are there is seen before a folder is made.
        await log.ends([SAMPLES.name, EXECUTIONS.name])
        with _place(out) as (folder, state), _Mirror(state) as mirror:
            new, unreadable = await mirror.catch_up(log)
            guest = await _guest(log)
            summary = await asyncio.to_thread(
                _write, mirror, folder, settings, formats, command, guest
            )
    return Taken(new=new, unreadable=unreadable, dataset=summary)


def _write(  # noqa: PLR0913, PLR0917
    mirror: _Mirror,
    folder: Path,
    settings: Settings,
    formats: Sequence[str],
    command: str,
    guest: ExecutedProgram,
) -> DatasetSummary:
    with write_records(str(folder / "samples.jsonl.zst")) as write:
        for sample in mirror.samples():
            write(sample)
    return export(
        mirror.samples(),
        folder / "dataset",
        settings=settings.dataset,
        formats=formats,
        seed=settings.seed,
        provenance=Provenance(
            command=command,
            settings=settings.told(),
            python_version=guest.python_version,
            lock_hash=guest.lock_hash,
            codeio_version=__version__,
        ),
    )


async def _guest(log: KafkaLog) -> ExecutedProgram:
    """Return a program as it was executed, which tells by what."""
    async for message in log.read(EXECUTIONS.name):
        try:
            return cast("ExecutedProgram", EXECUTIONS.decode(message))
        except ValueError:
            continue
    return ExecutedProgram()


@contextmanager
def _place(out: str) -> Iterator[tuple[Path, Path]]:
    """Give the folder to write to and the state's file; a URL is written to at the end."""
    if "://" not in out:
        folder = Path(out)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make the folder {out}: {error.strerror}") from error
        check_folder(folder, mark=_STATE, of="a snapshot")
        yield folder, folder / _STATE
        return
    name = hashlib.sha256(out.encode()).hexdigest()[:16]
    state = default_home() / "snapshots" / name / _STATE
    state.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="codeio-") as scratch:
        yield Path(scratch), state
        try:
            system, path = fsspec.core.url_to_fs(out)
            system.put(f"{scratch}/", path.rstrip("/") + "/", recursive=True)
        except (OSError, ValueError, ImportError) as error:
            raise UsageError(f"cannot write {out}: {error}") from error


class _Mirror:
    """The samples read so far, each id once, and how far each partition was read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> _Mirror:
        try:
            self._database = sqlite3.connect(self._path, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        try:
            self._database.executescript(
                "CREATE TABLE IF NOT EXISTS samples (id TEXT PRIMARY KEY, value BLOB NOT NULL);"
                "CREATE TABLE IF NOT EXISTS positions (number INTEGER PRIMARY KEY, next INTEGER);"
            )
        except _UNREADABLE as error:
            self._database.close()
            raise self._unusable(error) from error
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._database.close()
        if isinstance(error, _UNREADABLE):
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> UsageError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code & 0xFF not in _FOREIGN:
            # Of the machine's making: a full disk, a folder that may not be written.
            return UsageError(f"cannot use {self._path}: {error}; then give the same command again")
        return UsageError(
            f"{self._path} is no state of a snapshot: {error}; remove it to read all anew"
        )

    async def catch_up(self, log: KafkaLog) -> tuple[int, int]:
        """Read what is new; return how many samples that is, and what was none."""
        before = self._count()
        unreadable = 0
        ends = await log.ends([SAMPLES.name])
        starts = dict(self._database.execute("SELECT number, next FROM positions"))
        for partition, end in sorted(ends.items(), key=lambda item: item[0].number):
            start = starts.get(partition.number, 0)
            if not isinstance(start, int) or not 0 <= start <= end:
                raise UsageError(
                    f"the topic of samples ends at {end}, and {self._path} goes on at {start}; it "
                    "is another broker's, or made anew: remove that file to read all of it"
                )
            async for message in log.read_partition(partition, start=start, end=end):
                try:
                    sample = cast("Sample", SAMPLES.decode(message))
                except ValueError:
                    unreadable += 1
                    continue
                # The first of an id stays, in each partition; all of an id are in one.
                self._database.execute(
                    "INSERT OR IGNORE INTO samples VALUES (?, ?)",
                    (record_id(sample), message.value),
                )
            self._database.execute(
                "INSERT OR REPLACE INTO positions VALUES (?, ?)", (partition.number, end)
            )
            self._database.commit()
        return self._count() - before, unreadable

    def samples(self) -> Iterator[Sample]:
        """Yield the samples in the order of their ids."""
        with closing(self._database.cursor()) as rows:
            for (value,) in rows.execute("SELECT CAST(value AS BLOB) FROM samples ORDER BY id"):
                yield Sample.FromString(value)

    def _count(self) -> int:
        ((count,),) = self._database.execute("SELECT count(*) FROM samples")
        return int(count)
