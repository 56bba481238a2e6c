"""Names of runs that are to be looked at: each once, never by two at a time, failures later."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 120.0


class Queue:
    """Names in the order in which they came.

    One that comes while it waits is there already. One that comes while it is
    looked at is looked at again afterwards: what came may be newer than the look.
    """

    def __init__(self, *, first_wait: float = _FIRST_WAIT) -> None:
        """`first_wait`: seconds until a failure is tried again; they double with each one."""
        self._names: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: set[str] = set()
        self._taken: set[str] = set()
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._first_wait = first_wait

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits, is looked at, or is to be tried again."""
        return not (self._waiting or self._taken or self._later)

    def add(self, name: str) -> None:
        if name in self._taken:
            self._again.add(name)
        elif name not in self._waiting:
            self._waiting.add(name)
            self._names.put_nowait(name)

    @asynccontextmanager
    async def next(self) -> AsyncIterator[str]:
        """Wait for a name, and have it for the time of the body."""
        name = await self._names.get()
        self._waiting.discard(name)
        self._taken.add(name)
        try:
            yield name
        finally:
            self._taken.discard(name)
            if name in self._again:
                self._again.discard(name)
                self.add(name)

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name."""
        self._failures.pop(name, None)
        if (later := self._later.pop(name, None)) is not None:
            later.cancel()

    def failed(self, name: str) -> None:
        """Have a name looked at again, the later the more often it has failed."""
        failures = self._failures.get(name, 0)
        self._failures[name] = failures + 1
        wait = min(self._first_wait * 2 ** min(failures, 20), _LONGEST_WAIT)
        if (later := self._later.get(name)) is not None:
            later.cancel()
        loop = asyncio.get_running_loop()
        self._later[name] = loop.call_later(
            wait * random.uniform(0.8, 1.2),  # noqa: S311
            self._try_again,
            name,
        )

    def close(self) -> None:
        """Forget what is to be tried again."""
        for later in self._later.values():
            later.cancel()
        self._later.clear()

    def _try_again(self, name: str) -> None:
        self._later.pop(name, None)
        self.add(name)
