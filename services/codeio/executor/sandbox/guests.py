"""A running guest as the host sees it: a stream to and from it, its clock, its memory, its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from codeio.executor.sandbox import frames
from codeio.runtime.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MEMORY_FILE = "/memfd:runsc-memory"
START_SECONDS = 60
STOP_SECONDS = 5


@dataclass(frozen=True)
class GuestVersion:
    """What programs meet in a guest, for the record."""

    python_version: str
    lock_hash: str


class Guest(ABC):
    """One slot's guest; it does one job at a time."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    version: GuestVersion
    in_gvisor: bool
    jobs = 0
    """How many it has begun."""
    broken = False
    """True when nothing more is to be expected of it."""

    async def greet(self, config: Mapping[str, Any]) -> None:
        """Tell the guest its limits, and wait until it is up.

        Raises:
            TransientError: it did not come up.
        """
        try:
            self.writer.write(frames.encode(frames.CONFIG, 0, json.dumps(config).encode()))
            async with asyncio.timeout(START_SECONDS):
                frame = await frames.read(self.reader)
            told = json.loads(frame.payload) if frame.kind == frames.READY else {}
            self.version = GuestVersion(told["python_version"], told["lock_hash"])
            self.in_gvisor = bool(told["gvisor"])
        except (OSError, EOFError, TimeoutError, ValueError, KeyError, TypeError) as error:
            complaint = self.complaint() or f"{type(error).__name__} {error}".strip()
            await self.stop()
            raise TransientError(f"a sandbox did not start: {complaint}") from error

    @property
    def usable(self) -> bool:
        return not self.broken and not self.reader.at_eof()

    @abstractmethod
    def complaint(self) -> str:
        """Return what it said of its trouble, if anything."""

    metered: bool
    """Whether `cpu_seconds` can be had: the host sees the guest's processes.

    gVisor's own clock counts the time for which a thread could have run, so it
    runs ahead on a busy host.
    """

    @abstractmethod
    def cpu_seconds(self) -> float:
        """Return the processor time of the whole guest by the host's clock."""

    @abstractmethod
    def memory_bytes(self) -> int:
        """Return the memory that the guest holds on this host."""

    @abstractmethod
    async def stop(self) -> None:
        """End the guest with everything in it."""


class LocalGuest(Guest):
    """A guest that is a process of ours, `runsc` or Python itself."""

    metered = True

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        """Own the process and the folder with its files on the host."""
        if process.stdin is None or process.stdout is None:
            raise AssertionError("asked for pipes")
        self.process = process
        self.folder = folder
        self.reader, self.writer = process.stdout, process.stdin

    @property
    def usable(self) -> bool:
        return super().usable and self.process.returncode is None

    def yield_to_others(self, niceness: int) -> None:
        """Make the niceness that it was started with hold against other sessions.

        Where the kernel groups processes by session, that of a process counts
        within its group only, and runsc begins sessions of its own.
        """
        for process in self._processes():
            with contextlib.suppress(OSError):
                Path("/proc", str(process.pid), "autogroup").write_text(str(niceness))

    def complaint(self) -> str:
        return (self.folder / "stderr").read_text(errors="replace").strip()[-500:]

    def _processes(self) -> Iterator[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self.process.pid)
            yield from (root, *root.children(recursive=True))

    def cpu_seconds(self) -> float:
        total = 0.0
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def memory_bytes(self) -> int:
        """Return what its processes have of their own, and gVisor's memory file once.

        All processes of a sandbox map the file that holds the programs' memory,
        so their resident sizes count it over and over.
        """
        total = 0
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                memory = process.memory_info()
                total += memory.rss - memory.shared
        with contextlib.suppress(OSError):
            total += self._memory_file.stat().st_blocks * 512
        return total

    @cached_property
    def _memory_file(self) -> Path:
        for process in self._processes():
            with contextlib.suppress(OSError):
                for link in sorted(Path("/proc", str(process.pid), "fd").iterdir()):
                    if str(link.readlink()).startswith(_MEMORY_FILE):
                        return link
        return Path("/nonexistent")

    async def stop(self) -> None:
        self.broken = True
        self.writer.close()
        try:
            # The guest's init ends when its input does, and runsc then cleans up after it.
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            for process in reversed(list(self._processes())):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            await self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class RemoteGuest(Guest):
    """A guest in a sandbox pod, at the other end of a connection."""

    metered = False

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def complaint(self) -> str:
        return ""

    def cpu_seconds(self) -> float:
        raise NotImplementedError("the processes of a pod are out of sight")

    def memory_bytes(self) -> int:
        return 0

    async def stop(self) -> None:
        self.broken = True
        self.writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self.writer.wait_closed()
