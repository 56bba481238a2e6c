"""How a process is told to stop: by a signal, heeded at once or at the end of a step."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from codeio.runtime.signals import answered
from codeio.training_run.outcomes import ExitCode, Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ToldToStop(BaseException):
    """A signal came. No library that bears with errors is to bear with this."""


class Stop:
    """Heeds the signals of its process while it listens."""

    def __init__(self) -> None:
        self.asked = False
        """Whether a signal came while it was deferred."""
        self._deferred = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Answer the signals that end a pod or a command; in the main thread alone."""
        with answered(_SIGNALS, self._hear):
            yield

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Only note signals; the body looks at `asked` where it can stop."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def _hear(self, *_: object) -> None:
        heard, self.asked = self.asked, True
        if not (heard or self._deferred):
            raise ToldToStop


def stopped(where: str = "") -> RunError:
    """Return the error that ends a process which was told to stop."""
    return RunError(
        Reason.DISRUPTED,
        f"told to stop{where}: start it again to go on",
        exit_code=ExitCode.DISRUPTED,
    )
