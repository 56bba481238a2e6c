"""A backend that hands on what another one starts, and remembers it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

from codeio.executor.sandbox.guests import LocalGuest, RemoteGuest

if TYPE_CHECKING:
    from codeio.executor.sandbox.backends import Backend
    from codeio.executor.sandbox.guests import Guest


@dataclass
class Witness:
    backend: Backend
    dooms: bool = False
    """Whether a guest dies as soon as it is up."""
    guests: list[Guest] = field(default_factory=list)
    niceness: list[int] = field(default_factory=list)

    async def start(self, *, niceness: int = 0) -> Guest:
        guest = await self.backend.start(niceness=niceness)
        self.guests.append(guest)
        self.niceness.append(niceness)
        if self.dooms:
            end_abruptly(guest)
        return guest


def end_abruptly(guest: Guest) -> None:
    """Let a guest end as when its machine does."""
    if isinstance(guest, RemoteGuest):
        guest.writer.transport.abort()
    if isinstance(guest, LocalGuest):
        for process in processes_of(guest):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def processes_of(guest: LocalGuest) -> list[psutil.Process]:
    root = psutil.Process(guest.process.pid)
    return [root, *root.children(recursive=True)]
