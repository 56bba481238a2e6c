"""The held-out questions of a snapshot: its rows in the test split, one for each task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeio.evaluation.rows import NotMeasurable, Question
from codeio.runtime.errors import first_line
from codeio.training_run.data.reading import read_files
from codeio.training_run.data.sources import files_of_split, find_split
from codeio.training_run.hub import UNREACHED, reach_hub
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeio.evaluation.suites import Suite
    from codeio.training_run.data.reading import Row, Values

# `codeio` holds every sample, others only those that a teacher got right. Not
# `prompt-completion`, whose prompt may hold a wrong answer and what was said to it.
_FORMATS = ("codeio", "messages", "joined", "sharegpt", "verl")
_SPLITS = ("train", "validation", "test")
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
    try:
        files = find_split(place, split, formats=_FORMATS)
    except RunError as error:
        raise RunError(
            Reason.EVALUATION_DATA_MISSING, f"there are no held-out questions: {error}"
        ) from error
    questions: dict[str, list[Question]] = {name: [] for name in suites}
    seen: set[str] = set()
    for row in read_files(files):
        question = _question(row)
        if question["task_id"] in seen:
            continue
        seen.add(question["task_id"])
        for name, suite in suites.items():
            if question["direction"] == _DIRECTIONS[name]:
                questions[name].append(Question(question["task_id"], suite.parts[0], question))
    if not seen:
        others = [] if place.is_file() else _with_rows(files[0].parent)
        advice = f"choose another: {' or '.join(others)}" if others else "name other data"
        raise RunError(
            Reason.EVALUATION_DATA_MISSING,
            f"the held-out split {split} of {place} has no rows; {advice}",
        )
    return questions


def _with_rows(folder: Path) -> list[str]:
    """Return the splits of a folder that have rows."""
    found = {split: files_of_split(folder, split) for split in _SPLITS}
    return [split for split, its in found.items() if any(True for _ in read_files(its))]


def held_out_from_hub(name: str, *, revision: str | None, split: str) -> Path:
    """Return where a hub's data set lies after its rows were downloaded.

    Raises:
        NotMeasurable: it could not be downloaded.
    """
    reached = reach_hub()
    from huggingface_hub import snapshot_download  # noqa: PLC0415  (slow)

    try:
        return Path(
            snapshot_download(
                name,
                repo_type="dataset",
                revision=revision,
                allow_patterns=[f"*{split}.parquet", f"*{split}-*.parquet"],
            )
        )
    except Exception as error:
        if not reached:
            raise NotMeasurable(UNREACHED) from error
        said = first_line(error)[:200]
        raise NotMeasurable(f"{name} could not be downloaded: {said}") from error


def _question(row: Row) -> Values:
    """Return what is asked and what judges it.

    Raises:
        RunError: the row is not that of a snapshot.
    """
    values = row.values
    try:
        info = json.loads(values["verification_info"])
        return {
            "task_id": values["task_id"],
            "program_id": values["program_id"],
            "direction": info["direction"],
            "verification_info": values["verification_info"],
            "code": info["code"],
            "prompt": _prompt(values),
        }
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise row.refused(
            f"it lacks {error}; the rows of a snapshot, of which the held-out ones must be, have"
            " task_id, program_id, verification_info and a prompt or messages"
        ) from error


def _prompt(values: Values) -> str:
    """Return the first thing that a teacher was asked, in any of the formats."""
    if "messages" in values:
        return str(values["messages"][0]["content"])
    if "conversations" in values:
        return str(values["conversations"][0]["value"])
    prompt: Any = values["prompt"]
    return prompt if isinstance(prompt, str) else str(prompt[0]["content"])
