"""The answers of a model, kept batch by batch, so that one that is killed loses no more than that.

A file holds a header and then a line for each batch, on the disk before the next one is asked. A
line that was cut off is dropped. Batches are formed of all questions, whether or not they are
answered, so that an evaluation that goes on asks them as one that was never interrupted.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from codeio.evaluation.results import storing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from lm_eval.api.instance import Instance

    from codeio.evaluation.room import Fitting


class Answers:
    """The responses to each question's requests, by the question's key, in a file."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        """Go on with a file, or begin it anew if its header is another.

        Raises:
            RunError: it cannot be written.
        """
        self._path = path
        self._known: dict[str, list[Any]] = {}
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
            self._file.truncate(self._read(header))
        if not self._path.stat().st_size:
            self._write(header)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # What was added is on the disk already; a write that failed has been told of.
        with suppress(OSError):
            self._file.close()

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> list[Any]:
        return self._known[key]

    def add(self, batch: Mapping[str, list[Any]]) -> None:
        """Keep the responses to a batch of questions.

        Raises:
            RunError: they cannot be written.
        """
        self._write(batch)
        self._known |= batch

    def drop(self) -> None:
        """Delete the file: what it holds is kept elsewhere."""
        self._path.unlink()

    def _read(self, header: Mapping[str, Any]) -> int:
        """Take what the file has of this header; return the length of it in bytes."""
        length = 0
        for line in self._path.read_bytes().split(b"\n")[:-1]:
            try:
                told = json.loads(line)
            except ValueError:
                break
            if length:
                self._known |= told
            elif told != header:
                break
            length += len(line) + 1
        return length

    def _write(self, line: Mapping[str, Any]) -> None:
        with storing(self._path):
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())


class Resuming:
    """A model for the harness that asks another one only what is not answered yet."""

    def __init__(
        self,
        lm: Fitting,
        answers: Answers,
        *,
        batch_size: int,
        answered: Callable[[int, int], None],
    ) -> None:
        """`batch_size` counts questions; `answered` is told of each batch, and how many are new."""
        self._lm = lm
        self._answers = answers
        self._batch_size = batch_size
        self._answered = answered

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lm, name)

    def generate_until(self, requests: list[Instance]) -> list[str]:
        return self._responses("generate_until", requests)

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        return [tuple(each) for each in self._responses("loglikelihood", requests)]

    def _responses(self, kind: str, requests: Sequence[Instance]) -> list[Any]:
        questions: dict[int, list[int]] = {}
        for number, request in enumerate(requests):
            questions.setdefault(request.doc_id, []).append(number)
        keys = {doc: _key(kind, [requests[n] for n in its]) for doc, its in questions.items()}
        # The longest first: like ones together waste little, and short memory shows at once.
        order = sorted(questions, key=lambda doc: -len(requests[questions[doc][0]].args[0]))
        for start in range(0, len(order), self._batch_size):
            batch = order[start : start + self._batch_size]
            new = {keys[doc]: questions[doc] for doc in batch if keys[doc] not in self._answers}
            if new:
                asked = [requests[number] for its in new.values() for number in its]
                said = iter(getattr(self._lm, kind)(asked))
                self._answers.add({key: [next(said) for _ in its] for key, its in new.items()})
            self._answered(len(batch), len(new))
        responses: dict[int, Any] = {}
        for doc, its in questions.items():
            responses |= zip(its, self._answers[keys[doc]], strict=True)
        return [responses[number] for number in range(len(requests))]


def _key(kind: str, requests: Sequence[Instance]) -> str:
    """Return what is the same for the same question, put in the same words."""
    words = [kind, *(request.args for request in requests)]
    text = json.dumps(words, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
