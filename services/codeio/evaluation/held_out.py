"""The held-out questions of a snapshot: its rows in the test split, one for each task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeio.evaluation.rows import NotMeasurable, Question, Row, read_rows
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeio.evaluation.suites import Suite

# `codeio` holds every sample, others only those that a teacher got right. Not
# `prompt-completion`, whose prompt may hold a wrong answer and what was said to it.
_FORMATS = ("codeio", "messages", "joined", "sharegpt", "verl")
_ENDINGS = (".parquet", ".jsonl", ".jsonl.zst", ".jsonl.gz")
_DIRECTIONS = {
    "held-out-output": "DIRECTION_OUTPUT_PREDICTION",
    "held-out-input": "DIRECTION_INPUT_PREDICTION",
}


def held_out_questions(
    place: Path, *, split: str, suites: Mapping[str, Suite]
) -> dict[str, list[Question]]:
    """Return the questions by suite, in the data's order.

    `place` is a snapshot, the folder of one of its formats, or a file of rows.

    Raises:
        RunError: there are no such rows.
    """
    file = rows_file(place, split)
    questions: dict[str, list[Question]] = {name: [] for name in suites}
    seen: set[str] = set()
    for row in read_rows(file):
        question = _question(row, file)
        if question["task_id"] in seen:
            continue
        seen.add(question["task_id"])
        for name, suite in suites.items():
            if question["direction"] == _DIRECTIONS[name]:
                questions[name].append(Question(question["task_id"], suite.parts[0], question))
    if not seen:
        raise RunError(
            Reason.EVALUATION_DATA_MISSING,
            f"the held-out split {split} of {place} has no rows; choose another split",
        )
    return questions


def held_out_from_hub(name: str, *, revision: str | None, split: str) -> Path:
    """Return where a hub's data set lies after its rows were downloaded.

    Raises:
        NotMeasurable: it could not be downloaded.
    """
    from huggingface_hub import snapshot_download  # noqa: PLC0415  (slow)

    try:
        return Path(
            snapshot_download(
                name, repo_type="dataset", revision=revision, allow_patterns=[f"*{split}.parquet"]
            )
        )
    except Exception as error:
        said = str(error).strip().partition("\n")[0][:200]
        raise NotMeasurable(f"{name} could not be downloaded: {said}") from error


def rows_file(place: Path, split: str) -> Path:
    """Return the file of a split.

    Raises:
        RunError: there is none.
    """
    if place.is_file():
        return place
    for folder in (place, *(place / name for name in _FORMATS)):
        for ending in _ENDINGS:
            if (file := folder / f"{split}{ending}").is_file():
                return file
    raise RunError(
        Reason.EVALUATION_DATA_MISSING,
        f"{place} has no split {split}: it must be a snapshot, such as `codeio export` writes,"
        f" or a file of its rows",
    )


def _question(row: Row, file: Path) -> Row:
    """Return what is asked and what judges it.

    Raises:
        RunError: the row is not that of a snapshot.
    """
    try:
        info = json.loads(row["verification_info"])
        return {
            "task_id": row["task_id"],
            "program_id": row["program_id"],
            "direction": info["direction"],
            "verification_info": row["verification_info"],
            "code": info["code"],
            "prompt": _prompt(row),
        }
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise RunError(
            Reason.INVALID_DATA,
            f"{file} is no split of a snapshot: a row lacks {error}; it needs task_id, program_id,"
            f" verification_info and a prompt or messages",
        ) from error


def _prompt(row: Row) -> str:
    """Return the first thing that a teacher was asked, in any of the formats."""
    if "messages" in row:
        return str(row["messages"][0]["content"])
    if "conversations" in row:
        return str(row["conversations"][0]["value"])
    prompt: Any = row["prompt"]
    return prompt if isinstance(prompt, str) else str(prompt[0]["content"])
