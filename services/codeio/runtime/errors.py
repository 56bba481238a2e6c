"""The error taxonomy: every failure is one of these, or a bug.

| error            | means                                    | a stage worker …       | exit |
|------------------|------------------------------------------|------------------------|------|
| `UsageError`     | the user asked for what cannot be        | stops                  | 2    |
| `Rejected`       | the record is refused, with a reason     | writes a `Rejection`   | –    |
| `TransientError` | it may work later: a dead sandbox, a 503 | retries with back-off  | 1    |
| anything else    | the record broke the stage               | writes a `DeadLetter`  | 1    |
"""

from __future__ import annotations


class CodeioError(Exception):
    """Base of the errors that are raised on purpose."""


class UsageError(CodeioError):
    """Wrong use or input; the message is one sentence that says what is wrong and what to do."""


class Interrupted(CodeioError):
    """A signal ended the work."""


class TransientError(CodeioError):
    """What failed may succeed when it is tried again."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds to wait before the next try, where the other side named them."""


class Rejected(CodeioError):
    """The record is refused. Raised in a handler, it becomes a `Rejection` record."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
