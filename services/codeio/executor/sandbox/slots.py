"""The places where jobs run, and who comes next: interactive jobs before batch jobs.

A place that is given back goes straight to the one who waits longest, so that
nobody who has just had one takes it again past the others. Some places are
reserved: batch jobs never take those, so an interactive job finds one however
long the batch jobs take.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.v1.execution_pb2 import Priority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.executor.sandbox.guests import Guest


@dataclass(eq=False)
class Slot:
    """A place for one job at a time, and the guest there, once one was wanted."""

    reserved: bool
    starting: asyncio.Task[Guest] | None = None
    """Done when the guest is up."""


class Slots:
    """`shared` places for all jobs and `reserved` ones for interactive jobs alone."""

    def __init__(self, *, shared: int, reserved: int) -> None:
        self.all = [Slot(reserved=False) for _ in range(shared)]
        self.all += [Slot(reserved=True) for _ in range(reserved)]
        self._idle = deque(self.all)
        self._interactive: deque[asyncio.Future[Slot]] = deque()
        self._batch: deque[asyncio.Future[Slot]] = deque()
        self._taking_all = asyncio.Lock()

    @property
    def busy(self) -> int:
        """How many are lent."""
        return len(self.all) - len(self._idle)

    @asynccontextmanager
    async def lend(self, priority: Priority) -> AsyncIterator[Slot]:
        """Wait for a place and have it."""
        slot = await self._take(self._interactive if _is_interactive(priority) else self._batch)
        try:
            yield slot
        finally:
            self._give(slot)

    @asynccontextmanager
    async def lend_all(self) -> AsyncIterator[Slot]:
        """Wait until no job runs on the shared places, and have one while none does."""
        taken: list[Slot] = []
        try:
            async with self._taking_all:
                for _ in range(sum(not slot.reserved for slot in self.all)):
                    taken.append(await self._take(self._batch))  # noqa: PERF401  (kept if cancelled)
            yield taken[0]
        finally:
            for slot in taken:
                self._give(slot)

    async def close(self) -> list[Slot]:
        """Wait until no job runs at all; return the places, which nobody gets any more."""
        return [await self._take(self._interactive) for _ in self.all]

    async def _take(self, line: deque[asyncio.Future[Slot]]) -> Slot:
        waiting: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        line.append(waiting)
        self._serve()
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self._give(waiting.result())
            raise

    def _give(self, slot: Slot) -> None:
        self._idle.append(slot)
        self._serve()

    def _serve(self) -> None:
        """Give idle places to those who wait and are still there."""
        for line, may_have_reserved in ((self._interactive, True), (self._batch, False)):
            while line:
                if line[0].done():
                    line.popleft()
                    continue
                # Reserved ones first: the others serve batch jobs as well.
                fitting = [slot for slot in self._idle if may_have_reserved or not slot.reserved]
                if not fitting:
                    break
                slot = max(fitting, key=lambda slot: slot.reserved)
                self._idle.remove(slot)
                line.popleft().set_result(slot)


def _is_interactive(priority: Priority) -> bool:
    return priority == Priority.PRIORITY_INTERACTIVE
