"""The error taxonomy: every failure is one of these, or a bug.

| error            | means                 | a stage worker …      | gRPC status         | exit |
|------------------|-----------------------|-----------------------|---------------------|------|
| `UsageError`     | wrong use or input    | stops                 | INVALID_ARGUMENT    | 2    |
| `Stopped`        | no going on for now   | stops                 | UNAVAILABLE         | 1    |
| `Rejected`       | the record is refused | writes a `Rejection`  | FAILED_PRECONDITION | –    |
| `Overloaded`     | too many wait already | retries for ever      | RESOURCE_EXHAUSTED  | 1    |
| `TransientError` | it may work later     | retries with back-off | UNAVAILABLE         | 1    |
| anything else    | the record broke it   | writes a `DeadLetter` | INTERNAL            | 1    |
"""

from __future__ import annotations


class CodeioError(Exception):
    """Base of the errors that are raised on purpose."""


class UsageError(CodeioError):
    """Wrong use or input; the message is one sentence that says what is wrong and what to do."""


class Stopped(CodeioError):
    """The work cannot go on for now: a budget is used up, an endpoint is gone.

    What is done is kept. The message says what would let it go on.
    """


class Interrupted(CodeioError):
    """A signal ended the work."""


class TransientError(CodeioError):
    """What failed may succeed when it is tried again."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds to wait before the next try, where the other side named them."""


class Overloaded(TransientError):
    """Too many wait already; nothing was begun, so a try that meets it does not count as one."""


class Rejected(CodeioError):
    """The record is refused. Raised in a handler, it becomes a `Rejection` record."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
