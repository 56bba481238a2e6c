"""A benchmark's questions, from a local file or from the hub.

A local file is JSON Lines, JSON or Parquet in the columns of the data set. For a
suite of several parts a column names the part, or there is a folder with a file,
or the shards of one, for each. KOR-Bench may be a folder as its authors have it,
rules and samples apart.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from codeio.runtime.errors import first_line
from codeio.training_run.data.reading import Row, read_files
from codeio.training_run.data.sources import files_of_split, find_split
from codeio.training_run.hub import UNREACHED, reach_hub
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from codeio.evaluation.suites import Part, Suite
    from codeio.training_run.data.reading import Values


class NotMeasurable(Exception):
    """A suite cannot be measured; the message says why, the others go on."""


@dataclass(frozen=True)
class Question:
    """One row, and the part that it belongs to."""

    id: str
    """The same in every evaluation of the same data."""
    part: Part
    row: Values


def read_questions(suite: Suite, *, file: Path | None) -> list[Question]:
    """Return all questions of a suite, from its local file or else from the hub.

    Raises:
        NotMeasurable: the hub cannot be reached, or does not give the data.
        RunError: the local file is missing or holds something else.
    """
    if file is not None:
        return list(_from_file(suite, file))
    if suite.file_only:
        raise NotMeasurable(f"it needs a local file of its data, since {suite.file_only}")
    return list(_from_hub(suite))


def choose(questions: Sequence[Question], *, limit: int | None, seed: int) -> list[Question]:
    """Return the first `limit` of a seeded shuffle, in the data's order."""
    if limit is None or limit >= len(questions):
        return list(questions)
    # Not of the system's randomness: the same before and after.
    numbers = random.Random(seed).sample(range(len(questions)), len(questions))  # noqa: S311
    return [questions[number] for number in sorted(numbers[:limit])]


def _from_file(suite: Suite, path: Path) -> Iterator[Question]:
    if not path.exists():
        raise RunError(
            Reason.EVALUATION_DATA_MISSING,
            f"the file {path} of the suite {suite.name} is missing; correct its path",
        )
    if path.is_file():
        yield from _from_rows(suite, read_files(find_split(path, suite.split)))
    elif suite.name == "korbench":
        yield from _numbered(suite, suite.parts[0], _korbench_rows(path))
    else:
        yield from _from_folder(suite, path)


def _from_rows(suite: Suite, rows: Iterator[Row]) -> Iterator[Question]:
    if not suite.part_column:
        yield from _numbered(suite, suite.parts[0], rows)
        return
    parts = {part.rows: part for part in suite.parts}
    for number, row in enumerate(rows):
        part = parts.get(str(row.values.get(suite.part_column)))
        if part is None:
            raise row.refused(f"{suite.part_column} must be one of {', '.join(parts)}")
        yield _question(suite, f"{part.task}/{number}", part, row)


def _from_folder(suite: Suite, path: Path) -> Iterator[Question]:
    names = [part.config or part.hub.rpartition("/")[2] for part in suite.parts]
    files = [files_of_split(path, name) for name in names]
    if not any(files):
        raise RunError(
            Reason.EVALUATION_DATA_MISSING,
            f"the folder {path} has no file of the suite {suite.name}, such as {names[0]}.jsonl",
        )
    for part, its in zip(suite.parts, files, strict=True):
        yield from _numbered(suite, part, read_files(its))


def _numbered(suite: Suite, part: Part, rows: Iterable[Row]) -> Iterator[Question]:
    # Of LiveBench several parts have one task.
    key = part.task if suite.part_column else part.hub or part.task
    for number, row in enumerate(rows):
        yield _question(suite, f"{key}/{number}", part, row)


def _question(suite: Suite, name: str, part: Part, row: Row) -> Question:
    missing = [column for column in suite.columns if column not in row.values]
    if missing:
        raise row.refused(
            f"it lacks {', '.join(missing)}; the suite {suite.name} needs"
            f" {', '.join(suite.columns)}"
        )
    for column, mark in suite.marks.items():
        text = row.values[column]
        if not isinstance(text, str) or mark not in text:
            raise row.refused(
                f"its {column} is no text with {mark!r}, which the suite {suite.name} needs"
            )
    return Question(name, part, row.values)


def _korbench_rows(folder: Path) -> Iterator[Row]:
    """Join KOR-Bench's samples to their rules."""
    for samples in sorted(folder.rglob("sample.json*")):
        kind = samples.parent.name
        rules = {
            str(rule.values["idx"]): rule.values["rule_content"]
            for rule in read_files(sorted(samples.parent.glob("rule.json*")))
        }
        for row in read_files([samples]):
            if (content := rules.get(str(row.values.get("rule_id")))) is not None:
                yield replace(row, values=row.values | {"category": kind, "rule_content": content})


def _from_hub(suite: Suite) -> Iterator[Question]:
    reached = reach_hub()
    import datasets  # noqa: PLC0415  (slow)

    datasets.disable_progress_bars()
    for part in suite.parts:
        try:
            if suite.name == "korbench":
                rows = list(_korbench_rows(_korbench_from_hub(part.hub)))
            else:
                found = datasets.load_dataset(part.hub, part.config, split=suite.split)
                rows = [Row(part.hub, number, each) for number, each in enumerate(found, start=1)]
        except Exception as error:
            # Of many kinds, none of which says more than its message.
            raise NotMeasurable(_why(part, error) if reached else UNREACHED) from error
        missing = [name for name in suite.columns if rows and name not in rows[0].values]
        if missing or not rows:
            lack = f"column {', '.join(missing)}" if missing else "rows"
            raise NotMeasurable(f"{part.hub} has no {lack}")
        yield from _numbered(suite, part, rows)


def _korbench_from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    return Path(
        snapshot_download(
            name, repo_type="dataset", allow_patterns=["*rule.json*", "*sample.json*"]
        )
    )


def _why(part: Part, error: Exception) -> str:
    config = f" ({part.config})" if part.config else ""
    return f"{part.hub}{config} could not be downloaded: {first_line(error)[:200]}"
