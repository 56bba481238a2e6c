"""How a pod of a run tells how it ended: its exit code, and its last message.

| exit code | means                                                     | tried again |
|-----------|-----------------------------------------------------------|-------------|
| 0         | done                                                      |             |
| 1         | a bug, or something that nobody foresaw                   | yes         |
| 2         | the user's: what was asked for cannot be                  | no          |
| 3         | out of memory, the GPU's or the pod's                     | no          |
| 75        | disruption: told to stop, or another pod went away        | yes         |

The message is one JSON object, at most 4,096 bytes, in the pod's termination
log; the launcher makes the run's condition of it.
"""

from __future__ import annotations

import enum
import json
import os
from bisect import bisect_right
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

TERMINATION_LOG = Path("/dev/termination-log")
TERMINATION_LOG_VARIABLE = "CODEIO_TERMINATION_LOG"
"""Environment variable that names another file for the last message."""
MESSAGE_BYTES = 4096


class ExitCode(enum.IntEnum):
    """See the module."""

    DONE = 0
    FAILED = 1
    USER_ERROR = 2
    OUT_OF_MEMORY = 3
    DISRUPTED = 75


class Reason(enum.StrEnum):
    """Why a run is as it is: the `reason` of a condition."""

    COMPLETED = "Completed"
    DISRUPTED = "Disrupted"
    INVALID_SPEC = "InvalidSpec"
    UNREADABLE_SPEC = "UnreadableSpec"
    MODEL_NOT_FOUND = "ModelNotFound"
    NO_MATCHING_SAMPLES = "NoMatchingSamples"
    INVALID_DATA = "InvalidData"
    SAMPLE_TOO_LONG = "SampleTooLong"
    NON_FINITE_LOSS = "NonFiniteLoss"
    STORAGE_FULL = "StorageFull"
    CHECKPOINT_CORRUPT = "CheckpointCorrupt"
    UNKNOWN_SUITE = "UnknownSuite"
    EVALUATION_DATA_MISSING = "EvaluationDataMissing"
    OUT_OF_MEMORY = "OutOfMemory"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    TOO_MANY_RESTARTS = "TooManyRestarts"
    CANCELLED = "Cancelled"
    INTERNAL_ERROR = "InternalError"


class RunError(Exception):
    """A run cannot go on. The message is one sentence: what is wrong and what to do."""

    def __init__(
        self, reason: Reason, message: str, *, exit_code: ExitCode = ExitCode.USER_ERROR
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.exit_code = exit_code


@dataclass(frozen=True)
class Outcome:
    """The last message of a pod."""

    reason: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    """Figures: of training `stage`, `step`, `loss`, `tokens`; of evaluation `scores`."""

    def to_json(self) -> str:
        """Return JSON of at most `MESSAGE_BYTES`.

        What does not fit is cut off the message; details that leave no room at all are left out.
        """
        if len(self._cut(0)) > MESSAGE_BYTES:
            return replace(self, details={}).to_json()
        lengths = range(len(self.message) + 1)
        fitting = bisect_right(lengths, MESSAGE_BYTES, key=lambda length: len(self._cut(length)))
        return self._cut(fitting - 1)

    def _cut(self, length: int) -> str:
        """Return JSON, which is ASCII, with a message of at most some characters."""
        cut = replace(self, message=self.message[:length])
        return json.dumps(asdict(cut), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Outcome | None:
        """Return what a pod said, or None if it said nothing of this form."""
        try:
            said = json.loads(text)
            return cls(str(said["reason"]), str(said["message"]), dict(said.get("details", {})))
        except (ValueError, TypeError, KeyError):
            return None


def leave_word(outcome: Outcome) -> None:
    """Write a pod's last message, if there is somewhere to write it to."""
    chosen = os.environ.get(TERMINATION_LOG_VARIABLE)
    if chosen or TERMINATION_LOG.exists():
        Path(chosen or TERMINATION_LOG).write_text(outcome.to_json(), encoding="utf-8")
