"""What was measured, as files: a suite's answers and scores as JSON Lines below a header.

A file is used again only if its header says that it is of the same model, questions and settings.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from codeio.runtime.atomic import write_atomically
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NO_TEMPLATE: Final = "none"
_OTHERS = {
    "questions": "its questions were others: the data, the split, limit or seed has changed",
    "revision": "the suite was asked or judged by other rules",
    "fingerprint": "the files of the model were others",
}


@dataclass(frozen=True, kw_only=True)
class Item:
    """A question, what was answered and what that is worth."""

    id: str
    score: float | None
    """From 0 to 1; None if the question is left out."""
    verdict: str
    cluster: str
    target: str
    response: str
    fits: bool = True
    """Whether the prompt left room for an answer; if not, the model was not asked, and is wrong."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A model's answers to a suite."""

    suite: str
    category: str
    baselines: dict[str, float]
    """Scores that need no model, by what is done."""
    items: tuple[Item, ...]
    template: str | None = None
    """Digest of the chat template that was asked with, or `NO_TEMPLATE`; older files do not say."""

    @property
    def scored(self) -> dict[str, Item]:
        """By the question's id, without those that are left out."""
        return {item.id: item for item in self.items if item.score is not None}


def write_result(file: Path, header: Mapping[str, Any], result: Result) -> None:
    """Write a result that `read_result` reads.

    Raises:
        RunError: it cannot be written.
    """
    first = {**header, "baselines": result.baselines, "template": result.template}
    lines = [first, *map(asdict, result.items)]
    write_whole(file, "".join(json.dumps(line) + "\n" for line in lines))


def read_result(file: Path) -> tuple[dict[str, Any], Result] | None:
    """Return the header and the result of a file, or None if there is none that can be read."""
    try:
        first, *lines = file.read_text(encoding="utf-8").split("\n")[:-1]
        header = json.loads(first)
        result = Result(
            suite=header["suite"],
            category=header["category"],
            baselines=header["baselines"],
            items=tuple(Item(**json.loads(line)) for line in lines),
            template=header.get("template"),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return header, result


def difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return how a header differs from what is asked for now, or nothing if it does not."""
    same_questions = "questions" in now and was.get("questions") == now["questions"]
    for name, value in now.items():
        # A limit that leaves the same questions makes no difference.
        if was.get(name) != value and not (name == "limit" and same_questions):
            old, new = ("none" if each is None else each for each in (was.get(name), value))
            return _OTHERS.get(name, f"its {name} was {old}, and now it is {new}")
    return ""


def write_whole(file: Path, text: str) -> None:
    """Write a file that appears when it is whole.

    Raises:
        RunError: it cannot be written.
    """
    with storing(file):
        write_atomically(file, text.encode())


@contextmanager
def storing(file: Path) -> Iterator[None]:
    """Say so where a file cannot be written.

    Raises:
        RunError: it cannot.
    """
    try:
        yield
    except OSError as error:
        raise RunError(
            Reason.STORAGE_FULL, f"{file} cannot be written: {error.strerror or error}"
        ) from error
