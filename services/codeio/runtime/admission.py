"""Who may join the line before a service: it is bounded, and says when to come again."""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from codeio.runtime.errors import Overloaded
from codeio.v1.execution_pb2 import Priority

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH, _INTERACTIVE = Priority.PRIORITY_BATCH, Priority.PRIORITY_INTERACTIVE
_NAMES = {_BATCH: "batch", _INTERACTIVE: "interactive"}
# Until jobs have been seen.
_GUESS_SECONDS = 1.0
# How much the last job tells of the next one.
_WEIGHT = 0.1
_SHORTEST_WAIT, _LONGEST_WAIT = 0.05, 60.0


class Admission:
    """Counts the jobs of each priority that run or wait; whoever runs them chooses among them.

    As many jobs of a priority are admitted as there are slots, and as many more
    as may wait.
    """

    def __init__(
        self,
        *,
        slots: int,
        waiting_batch: int = 0,
        waiting_interactive: int = 0,
        what: str = "sandboxes",
    ) -> None:
        """Admit to `slots` of `what`."""
        self._slots = slots
        self._what = what
        self._places = {
            _BATCH: slots + waiting_batch,
            _INTERACTIVE: slots + waiting_interactive,
        }
        self._jobs = {_BATCH: 0, _INTERACTIVE: 0}
        self._mean_seconds = _GUESS_SECONDS

    @contextmanager
    def admit(self, priority: Priority) -> Iterator[None]:
        """Hold a place for the time of the body.

        Raises:
            Overloaded: there is none; `retry_after` is about when the line is through.
        """
        priority = priority or _BATCH
        before = self._jobs[_INTERACTIVE]
        if priority == _BATCH:
            before += self._jobs[_BATCH]
        if self._jobs[priority] >= self._places[priority]:
            raise self._overloaded(priority, before)
        self._jobs[priority] += 1
        began = monotonic()
        try:
            yield
            # A job that waited took its own time and that of those before it.
            share = self._slots / max(self._slots, before + 1)
            self._mean_seconds += _WEIGHT * ((monotonic() - began) * share - self._mean_seconds)
        finally:
            self._jobs[priority] -= 1

    def _overloaded(self, priority: Priority, before: int) -> Overloaded:
        line = max(before - self._slots, 1)
        wait = self._mean_seconds * line / self._slots
        wait = min(max(wait, _SHORTEST_WAIT), _LONGEST_WAIT)
        return Overloaded(
            f"all {self._slots} {self._what} are taken and the line of {_NAMES[priority]} jobs is "
            f"full; come again in {wait:.1f} s",
            retry_after=wait,
        )
