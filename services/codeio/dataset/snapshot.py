"""The samples of one export, ordered and without duplicates, in a scratch database on disk.

What needs many records at once is decided here, and deterministically: records
are collapsed by their ids, programs are taken in the order of their ids, and
the smallest id represents its duplicates. So the same samples in any order give
the same snapshot, in memory that does not grow with their number.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import zstandard

from codeio.dataset.duplicates import DuplicateIndex
from codeio.dataset.splits import split_of
from codeio.v1.records_pb2 import Program, Sample, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from google.protobuf.message import Message

M = TypeVar("M", bound="Message")

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -131072;  -- KiB
CREATE TABLE programs (
    program_id TEXT PRIMARY KEY, source TEXT, licence TEXT, record BLOB NOT NULL);
CREATE TABLE samples (
    sample_id TEXT PRIMARY KEY, program_id TEXT NOT NULL, task_id TEXT NOT NULL,
    direction INTEGER NOT NULL, verdict INTEGER NOT NULL, turns INTEGER NOT NULL,
    right_at_once INTEGER NOT NULL, supported INTEGER NOT NULL, contradicted INTEGER NOT NULL,
    teacher TEXT NOT NULL, record BLOB NOT NULL);
CREATE TABLE tasks (task_id TEXT PRIMARY KEY, pass_rate REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE kept (program_id TEXT PRIMARY KEY, split TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE duplicates (program_id TEXT PRIMARY KEY, kind TEXT, original TEXT) WITHOUT ROWID;
"""

# Where one id came with two contents, the smaller bytes stay: a rule that
# does not ask which came first.
_ADD_PROGRAM = """
INSERT INTO programs VALUES (?, ?, ?, ?) ON CONFLICT (program_id) DO UPDATE
SET source = excluded.source, licence = excluded.licence, record = excluded.record
WHERE excluded.record < programs.record
"""
_ADD_SAMPLE = """
INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sample_id) DO UPDATE
SET program_id = excluded.program_id, task_id = excluded.task_id,
    direction = excluded.direction, verdict = excluded.verdict, turns = excluded.turns,
    right_at_once = excluded.right_at_once, supported = excluded.supported,
    contradicted = excluded.contradicted, teacher = excluded.teacher, record = excluded.record
WHERE excluded.record < samples.record
"""


class Snapshot:
    """Holds the samples of an export; see `open_snapshot`."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._compress = zstandard.ZstdCompressor(level=1).compress
        self._decompress = zstandard.ZstdDecompressor().decompress
        self.read = 0
        """Samples read, repeated ones included."""

    def add(self, samples: Iterable[Sample]) -> None:
        """Take samples in, in any order."""
        for sample in samples:
            self.read += 1
            slim = Sample()
            slim.CopyFrom(sample)
            task, program = slim.task, sample.task.program
            task.ClearField("program")
            origin = program.origin
            self._database.execute(
                _ADD_PROGRAM,
                (program.program_id, origin.source, origin.licence, self._pack(program)),
            )
            self._database.execute(
                _ADD_SAMPLE,
                (
                    slim.sample_id,
                    program.program_id,
                    task.task_id,
                    task.direction,
                    slim.verdict,
                    len(slim.turns),
                    bool(slim.turns) and slim.turns[0].verdict == Verdict.VERDICT_CORRECT,
                    slim.turns[-1].statements.supported if slim.turns else 0,
                    slim.turns[-1].statements.contradicted if slim.turns else 0,
                    slim.teacher,
                    self._pack(slim),
                ),
            )

    def settle(self, *, threshold: float, shares: Sequence[float], seed: int) -> None:
        """Remove duplicate programs, give every other one its split, and rate the tasks."""
        index = DuplicateIndex(self._database, threshold=threshold)
        programs = self._database.execute("SELECT record FROM programs ORDER BY program_id")
        for (record,) in programs:
            program = self._unpack(record, Program)
            name = program.program_id
            found = index.original(name, code=program.code, entry_point=program.entry_point)
            if found is not None:
                self._database.execute("INSERT INTO duplicates VALUES (?, ?, ?)", (name, *found))
            else:
                split = split_of(name, shares=shares, seed=seed)
                self._database.execute("INSERT INTO kept VALUES (?, ?)", (name, split))
        self._database.execute("CREATE INDEX sample_tasks ON samples (task_id, sample_id)")
        self._database.execute(
            "INSERT INTO tasks SELECT task_id, avg(right_at_once) FROM samples GROUP BY task_id"
        )

    def samples(self, split: str, *, where: str = "TRUE") -> Iterator[tuple[Sample, float]]:
        """Yield the whole samples of a split with their tasks' pass rates, in the order of ids.

        `where` is a condition in SQL on the columns of the tables `samples` and `tasks`.
        The joins are CROSS so that SQLite walks the samples by id and sorts nothing.
        """
        rows = self._database.execute(
            "SELECT samples.record, programs.record, pass_rate FROM samples"  # noqa: S608
            " CROSS JOIN kept USING (program_id) CROSS JOIN programs USING (program_id)"
            " CROSS JOIN tasks USING (task_id)"
            f" WHERE split = ? AND {where} ORDER BY sample_id",
            (split,),
        )
        for sample_record, program_record, pass_rate in rows:
            sample = self._unpack(sample_record, Sample)
            sample.task.program.CopyFrom(self._unpack(program_record, Program))
            yield sample, pass_rate

    def count(self, query: str) -> int:
        """Return the number that a query selects."""
        return int(self._database.execute(query).fetchone()[0] or 0)

    def table(self, query: str) -> list[tuple[str | int, ...]]:
        """Return the rows that a query selects; for aggregates, which are few."""
        return self._database.execute(query).fetchall()

    def _pack(self, record: Message) -> bytes:
        return self._compress(record.SerializeToString(deterministic=True))

    def _unpack(self, data: bytes, kind: type[M]) -> M:
        record = kind()
        record.ParseFromString(self._decompress(data))
        return record


@contextmanager
def open_snapshot(path: Path) -> Iterator[Snapshot]:
    """Give an empty snapshot whose database is a scratch file of that name."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.executescript(_SCHEMA)
        database.execute("BEGIN")
        yield Snapshot(database)
    finally:
        database.close()
        path.unlink(missing_ok=True)
