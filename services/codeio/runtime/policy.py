"""What becomes of a record that a stage could not handle: the one policy of every worker.

| the handler raised | the record                                                       |
|--------------------|------------------------------------------------------------------|
| `UsageError`       | stays; the worker stops                                          |
| `Stopped`          | stays; the worker stops                                          |
| `Rejected`         | becomes a `Rejection`                                            |
| `Overloaded`       | is tried again after a while, for ever                           |
| `TransientError`   | is tried again after a while, at last becomes a `DeadLetter`     |
| `SystemError`      | the same: Python 3.11 raises it where threads parse side by side |
| anything else      | becomes a `DeadLetter`                                           |
"""

from __future__ import annotations

import random
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.runtime.errors import Overloaded, Rejected, Stopped, TransientError, UsageError
from codeio.runtime.records import Record, origin_of, record_id
from codeio.runtime.sizes import MAX_DEAD_LETTER_BYTES, MAX_RECORD_BYTES
from codeio.runtime.topics import REJECTIONS
from codeio.v1.records_pb2 import DeadLetter, Rejection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeio.runtime.log import Message
    from codeio.runtime.settings import WorkerSettings

_FRAMES = 5
_ERROR_CHARS = 4000
_ROOM = 32 << 10
"""Bytes of a dead letter for the error and the rest, beside the message."""
_HEADER_ROOM = 16
"""Bytes that a header takes in a dead letter, beside its own."""
_CUT_KEY_BYTES = 1 << 10


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `seconds`."""

    seconds: float
    counts: bool = True
    """False where the other side was too busy to begin: that was no attempt."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy as one stage applies it."""

    stage: str
    settings: WorkerSettings

    def judge(
        self,
        error: Exception,
        *,
        message: Message,
        record: Record | None,
        attempt: int,
        turned_away: int = 0,
    ) -> Retry | Rejection | DeadLetter:
        """Return what follows from the failure of try number `attempt`, from 1.

        `record` is None where the message could not be decoded; `turned_away`
        says how often `Overloaded` was met before, which are no attempts.

        Raises:
            UsageError: as the handler did.
            Stopped: as the handler did.
        """
        cause = decisive(error)
        if isinstance(cause, UsageError | Stopped):
            raise cause
        if isinstance(cause, Rejected) and record is not None:
            rejection = rejection_of(record, cause, stage=self.stage)
            if REJECTIONS.encode(rejection).size <= MAX_RECORD_BYTES:
                return rejection
        if isinstance(cause, Overloaded):
            return Retry(self._wait(turned_away + 1, cause.retry_after), counts=False)
        if isinstance(cause, TransientError | SystemError) and attempt < self.settings.attempts:
            named = cause.retry_after if isinstance(cause, TransientError) else None
            return Retry(self._wait(attempt, named))
        letter = DeadLetter(
            topic=message.partition.topic,
            partition=message.partition.number,
            offset=message.offset,
            stage=self.stage,
            error=_describe(cause),
            attempts=attempt,
        )
        if _fits(message):
            letter.MergeFrom(
                DeadLetter(key=message.key, value=message.value, headers=message.headers)
            )
        else:
            # The whole stays where it was read, for as long as that does.
            letter.cut, letter.key = True, message.key[:_CUT_KEY_BYTES]
            told = f"the message has {message.size:,} bytes, too many to be kept"
            letter.error = f"{told}: {letter.error}"
        return letter

    def _wait(self, attempt: int, retry_after: float | None) -> float:
        doubled = self.settings.first_wait_seconds * 2.0 ** min(attempt - 1, 60)
        # Jitter, lest all that failed together come back together.
        wait = min(doubled, self.settings.longest_wait_seconds) * random.uniform(0.5, 1)  # noqa: S311
        return max(wait, retry_after or 0.0)


def _fits(message: Message) -> bool:
    """Tell whether a dead letter can hold the message, of which it has the key twice.

    Only others' writers send what does not fit, such as keys of megabytes, or compressed.
    """
    held = message.size + len(message.key) + _HEADER_ROOM * len(message.headers)
    return held <= MAX_DEAD_LETTER_BYTES - _ROOM


def rejection_of(record: Record, refusal: Rejected, *, stage: str) -> Rejection:
    """Return the refusal of a record as a record."""
    return Rejection(
        record_id=record_id(record),
        stage=stage,
        reason=_text(refusal.reason),
        detail=_text(refusal.detail),
        origin=origin_of(record),
    )


def decisive(error: Exception) -> Exception:
    """Return the error that decides: itself, or one out of a group from parallel calls.

    A wrong set-up comes before a bug, a bug before a transient failure, one
    that counts as an attempt before one that does not, and a refusal last: it
    may rest on what the others left out.
    """
    return min(_leaves(error), key=_rank)


def _rank(error: Exception) -> int:
    match error:
        case UsageError():
            return 0
        case Stopped():
            return 1
        case Overloaded():
            return 4
        case TransientError() | SystemError():
            return 3
        case Rejected():
            return 5
        case _:
            return 2


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error


def _describe(error: Exception) -> str:
    """Return type and message of an error and where it came from, innermost frame first."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    where = [f"  at {frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames)]
    return _text("\n".join([f"{type(error).__name__}: {error}"[:_ERROR_CHARS], *where]))


def _text(text: str) -> str:
    """Return the text as protobuf can hold it: lone surrogates are replaced."""
    return text.encode(errors="backslashreplace").decode()
