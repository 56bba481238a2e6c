"""What an export says about itself: where it comes from and what it counted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from codeio.dataset.splits import SPLITS
from codeio.v1.records_pb2 import Direction, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeio.dataset.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How the samples were made, for whoever wants to make them again."""

    command: str = ""
    """The command line."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """All settings as plain data; the caller leaves secrets out."""
    python_version: str = ""
    """Version of the interpreter in the sandbox."""
    lock_hash: str = ""
    """sha256 of the lock file of the packages in the sandbox."""
    codeio_version: str = ""


@dataclass(frozen=True, kw_only=True)
class DatasetSummary:
    """The counts of one export. Duplicates are programs; the rest says what it counts."""

    samples_read: int
    samples_repeated: int
    """Samples whose id had been read already."""
    programs_read: int
    duplicates_exact: int
    """Programs with the same normalised syntax tree as one of smaller id."""
    duplicates_near: int
    """Programs that share most token 5-grams with one of smaller id."""
    samples_of_duplicates: int
    """Samples left out with their programs."""
    samples: int
    samples_correct: int
    programs: dict[str, int]
    """Programs by split."""
    rows: dict[str, dict[str, int]]
    """Rows by format and split."""
    verdicts: dict[str, dict[str, int]]
    """Samples by direction and verdict of the last answer."""
    licences: dict[str, dict[str, int]]
    """`programs` and `samples` by SPDX identifier; empty for unknown."""
    sources: dict[str, dict[str, int]]
    """`programs` and `samples` by source."""
    teachers: dict[str, int]
    """Samples by teacher."""

    def to_json(self) -> dict[str, Any]:
        """Return the counts as plain data."""
        return asdict(self)


_KEPT = "FROM samples JOIN kept USING (program_id)"


def summarise(
    snapshot: Snapshot, *, rows: dict[str, dict[str, int]], samples_read: int
) -> DatasetSummary:
    """Count what a settled snapshot holds."""
    distinct = snapshot.count("SELECT count(*) FROM samples")
    kept = snapshot.count(f"SELECT count(*) {_KEPT}")
    verdicts: dict[str, dict[str, int]] = {}
    for direction, verdict, number in snapshot.table(
        f"SELECT direction, verdict, count(*) {_KEPT} GROUP BY 1, 2 ORDER BY 1, 2"
    ):
        of_direction = verdicts.setdefault(Direction.Name(int(direction)), {})
        of_direction[Verdict.Name(int(verdict))] = int(number)
    by_split = _tally(snapshot, "SELECT split, count(*) FROM kept GROUP BY 1")
    duplicates = _tally(snapshot, "SELECT kind, count(*) FROM duplicates GROUP BY 1")
    return DatasetSummary(
        samples_read=samples_read,
        samples_repeated=samples_read - distinct,
        programs_read=snapshot.count("SELECT count(*) FROM programs"),
        duplicates_exact=duplicates.get("exact", 0),
        duplicates_near=duplicates.get("near", 0),
        samples_of_duplicates=distinct - kept,
        samples=kept,
        samples_correct=snapshot.count(
            f"SELECT count(*) {_KEPT} WHERE verdict = {int(Verdict.VERDICT_CORRECT)}"
        ),
        programs={split: by_split.get(split, 0) for split in SPLITS},
        rows=rows,
        verdicts=verdicts,
        licences=_by_origin(snapshot, "licence"),
        sources=_by_origin(snapshot, "source"),
        teachers=_tally(
            snapshot, f"SELECT teacher, count(*) {_KEPT} GROUP BY 1 ORDER BY 2 DESC, 1"
        ),
    )


def _tally(snapshot: Snapshot, query: str) -> dict[str, int]:
    return {str(name): int(number) for name, number in snapshot.table(query)}


def _by_origin(snapshot: Snapshot, column: str) -> dict[str, dict[str, int]]:
    """Return programs and samples by a column of the programs' origin, most samples first."""
    counted = snapshot.table(
        f"SELECT {column}, count(DISTINCT program_id), count(*) {_KEPT}"
        " JOIN programs USING (program_id) GROUP BY 1 ORDER BY 3 DESC, 1"
    )
    return {
        str(value): {"programs": int(programs), "samples": int(samples)}
        for value, programs, samples in counted
    }
