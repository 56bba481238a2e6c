"""A benchmark's rows, from a local file or from the hub.

A local file is JSON Lines, JSON or Parquet in the columns of the data set. For a
suite of several parts a column names the part, or there is a folder with one
file for each. KOR-Bench may be a folder as its authors have it, rules and
samples apart.
"""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeio.runtime.errors import UsageError
from codeio.runtime.jsonl import open_text
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeio.evaluation.suites import Part, Suite

Row = dict[str, Any]

_ENDINGS = (".jsonl", ".json", ".parquet", ".jsonl.zst", ".jsonl.gz")
_HUB_SECONDS = 5.0


class NotMeasurable(Exception):
    """A suite cannot be measured; the message says why, the others go on."""


@dataclass(frozen=True)
class Question:
    """One row, and the part that it belongs to."""

    id: str
    """The same in every evaluation of the same data."""
    part: Part
    row: Row


def read_questions(suite: Suite, *, file: Path | None) -> list[Question]:
    """Return all questions of a suite, from its local file or else from the hub.

    Raises:
        NotMeasurable: the hub cannot be reached, or does not give the data.
        RunError: the local file is missing or holds something else.
    """
    if file is not None:
        return list(_from_file(suite, file))
    if suite.file_only:
        raise NotMeasurable(f"it needs a local file in evaluation.files, since {suite.file_only}")
    return list(_from_hub(suite))


def choose(questions: Sequence[Question], *, limit: int | None, seed: int) -> list[Question]:
    """Return the first `limit` of a seeded shuffle, in the data's order."""
    if limit is None or limit >= len(questions):
        return list(questions)
    # Not of the system's randomness: the same before and after.
    numbers = random.Random(seed).sample(range(len(questions)), len(questions))  # noqa: S311
    return [questions[number] for number in sorted(numbers[:limit])]


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file, in order, without reading all of it at once.

    Raises:
        RunError: it is missing, or no rows can be read from it.
    """
    try:
        if path.suffix == ".parquet":
            yield from _parquet_rows(path)
        elif path.suffix == ".json":
            yield from _json_rows(path)
        else:
            with open_text(path) as lines:
                for line in lines:
                    if line.strip():
                        yield _row(json.loads(line))
    except UsageError as error:
        raise RunError(Reason.EVALUATION_DATA_MISSING, str(error)) from error
    except ValueError as error:
        raise RunError(Reason.INVALID_DATA, f"{path} holds no rows: {error}") from error


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa  # noqa: PLC0415  (slow, and not every file's)
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256):
                yield from batch.to_pylist()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error


def _json_rows(path: Path) -> Iterator[Row]:
    with open_text(path) as stream:
        content = json.load(stream)
    if isinstance(content, dict):  # as BBH's files are
        content = content.get("examples", content.get("data"))
    if not isinstance(content, list):
        raise ValueError("it must be a list of objects")  # noqa: TRY004
    yield from map(_row, content)


def _row(value: Any) -> Row:
    if not isinstance(value, dict):
        raise ValueError("a row must be an object")  # noqa: TRY004
    return value


def _from_file(suite: Suite, path: Path) -> Iterator[Question]:
    if not path.exists():
        raise RunError(
            Reason.EVALUATION_DATA_MISSING,
            f"the file {path} of the suite {suite.name} is missing; mend evaluation.files",
        )
    if suite.name == "korbench" and path.is_dir():
        yield from _numbered(suite, path, suite.parts[0], _korbench_rows(path))
    elif path.is_dir():
        yield from _from_folder(suite, path)
    elif not suite.part_column:
        yield from _numbered(suite, path, suite.parts[0], read_rows(path))
    else:
        parts = {part.rows: part for part in suite.parts}
        for number, row in enumerate(read_rows(path)):
            part = parts.get(str(row.get(suite.part_column)))
            if part is None:
                raise RunError(
                    Reason.INVALID_DATA,
                    f"row {number + 1} of {path}: {suite.part_column} must be one of"
                    f" {', '.join(parts)}",
                )
            yield _checked(suite, path, Question(f"{part.task}/{number}", part, row))


def _from_folder(suite: Suite, path: Path) -> Iterator[Question]:
    found = False
    for part in suite.parts:
        name = part.config or part.hub.rpartition("/")[2]
        files = [path / f"{name}{ending}" for ending in _ENDINGS]
        for file in filter(Path.is_file, files):
            found = True
            yield from _numbered(suite, file, part, read_rows(file))
    if not found:
        raise RunError(
            Reason.EVALUATION_DATA_MISSING,
            f"the folder {path} has no file of the suite {suite.name}, such as"
            f" {suite.parts[0].config or suite.parts[0].hub.rpartition('/')[2]}.jsonl",
        )


def _numbered(suite: Suite, path: Path, part: Part, rows: Iterator[Row]) -> Iterator[Question]:
    for number, row in enumerate(rows):
        # Of LiveBench several parts have one task.
        key = part.task if suite.part_column else part.hub or part.task
        yield _checked(suite, path, Question(f"{key}/{number}", part, row))


def _checked(suite: Suite, path: Path, question: Question) -> Question:
    missing = [column for column in suite.columns if column not in question.row]
    if missing:
        raise RunError(
            Reason.INVALID_DATA,
            f"{path}: a row of the suite {suite.name} lacks {', '.join(missing)}; it needs"
            f" {', '.join(suite.columns)}",
        )
    return question


def _korbench_rows(folder: Path) -> Iterator[Row]:
    """Join KOR-Bench's samples to their rules."""
    for samples in sorted(folder.rglob("sample.json*")):
        kind = samples.parent.name
        rules = {
            str(rule["idx"]): rule["rule_content"]
            for file in sorted(samples.parent.glob("rule.json*"))
            for rule in read_rows(file)
        }
        for row in read_rows(samples):
            if (content := rules.get(str(row.get("rule_id")))) is not None:
                yield row | {"category": kind, "rule_content": content}


def _from_hub(suite: Suite) -> Iterator[Question]:
    _reach_hub()
    import datasets  # noqa: PLC0415  (slow)

    datasets.disable_progress_bars()
    for part in suite.parts:
        try:
            if suite.name == "korbench":
                rows = _korbench_from_hub(part.hub)
            else:
                rows = list(datasets.load_dataset(part.hub, part.config, split=suite.split))
        except Exception as error:
            # Of many kinds, none of which says more than its message.
            raise NotMeasurable(_why(part, error)) from error
        missing = [name for name in suite.columns if rows and name not in rows[0]]
        if missing or not rows:
            raise NotMeasurable(f"{part.hub} has no column {', '.join(missing)}")
        yield from _numbered(suite, Path(part.hub), part, iter(rows))


def _korbench_from_hub(name: str) -> list[Row]:
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    folder = snapshot_download(
        name, repo_type="dataset", allow_patterns=["*rule.json*", "*sample.json*"]
    )
    return list(_korbench_rows(Path(folder)))


def _why(part: Part, error: Exception) -> str:
    config = f" ({part.config})" if part.config else ""
    said = str(error).strip().partition("\n")[0]
    return f"{part.hub}{config} could not be downloaded: {said[:200] or type(error).__name__}"


def _reach_hub() -> None:
    """Ask once whether the hub answers, and stay with what is in the cache if it does not.

    Its client would try each file of each data set again and again.
    """
    # Both read the environment once, when they are imported.
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "5")
    os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", "30")
    import datasets  # noqa: PLC0415
    import httpx  # noqa: PLC0415
    from huggingface_hub import constants  # noqa: PLC0415

    if constants.HF_HUB_OFFLINE or datasets.config.HF_HUB_OFFLINE:
        return
    try:
        httpx.head(constants.ENDPOINT, timeout=_HUB_SECONDS)
    except httpx.HTTPError:
        constants.HF_HUB_OFFLINE = True
        datasets.config.HF_HUB_OFFLINE = True
