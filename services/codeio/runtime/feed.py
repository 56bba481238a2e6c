"""The feed: what `collect` finds, appended to the log as it is found.

The position in the source is committed with the records it led to, so that a
run that was interrupted goes on behind the last one that was written.
"""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

from codeio.runtime.log import Position
from codeio.runtime.logfile import Change
from codeio.runtime.topics import RAW_FILES, REJECTIONS
from codeio.runtime.worker import Progress, Tally
from codeio.v1.records_pb2 import RawFile, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codeio.runtime.local import LocalLog

STAGE = "collect"
_CHUNK = 64
"""Records that wait to be written at most; a raw file is at most 256 KiB."""

Found: TypeAlias = tuple[int, RawFile | Rejection]
"""A record, and the position in the source behind it."""


class Feed:
    """Appends the records of a source as group `collect`.

    `source` is called once, with the position that was committed last (0 at
    first), and gives the records after it with rising positions. It runs in a
    thread of its own and is never more than a chunk ahead of the log.
    """

    def __init__(self, log: LocalLog, source: Callable[[int], Iterator[Found]]) -> None:
        self._log = log
        self._source = source
        start = log.position(STAGE, STAGE)
        self._position = start.offset
        state = json.loads(start.metadata) if start.metadata else {}
        self.finished: bool = state.get("finished", False)
        """True when all of the source is in the log, in this run or an earlier one."""
        self._tally = Tally(**state.get("tally", {}))

    @property
    def progress(self) -> Progress:
        return Progress(STAGE, self._tally, running=0, lag=0)

    async def run(self) -> None:
        """Feed until the source ends.

        Raises:
            Exception: what the source raised, after all before it is written.
        """
        if self.finished:
            return
        hopper = _Hopper()
        # A daemon: a source that hangs in a download does not keep the process alive.
        threading.Thread(
            target=hopper.fill, args=(self._source, self._position), daemon=True
        ).start()
        try:
            while chunk := await hopper.take():
                await self._write(chunk)
            await self._write(_Chunk(), finished=True)
        finally:
            hopper.close()

    async def _write(self, chunk: _Chunk, *, finished: bool = False) -> None:
        tally = replace(
            self._tally,
            read=self._tally.read + len(chunk.found),
            seconds=self._tally.seconds + chunk.seconds,
        )
        tally.count([record for _, record in chunk.found])
        position = chunk.found[-1][0] if chunk.found else self._position
        state = json.dumps({"finished": finished, "tally": asdict(tally)})
        topics = {RawFile: RAW_FILES, Rejection: REJECTIONS}
        await self._log.write(
            Change(
                entries=[topics[type(record)].encode(record) for _, record in chunk.found],
                positions={(STAGE, STAGE): Position(position, state)},
            )
        )
        self._position, self._tally, self.finished = position, tally, finished


@dataclass(slots=True)
class _Chunk:
    found: list[Found] = field(default_factory=list)
    seconds: float = 0.0
    """Time that the source took to find them."""

    def __bool__(self) -> bool:
        return bool(self.found)


class _Hopper:
    """Hands what a thread finds to the event loop, a chunk at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._bell = asyncio.Event()
        self._room = threading.Condition()
        self._chunk = _Chunk()
        self._ended = False
        self._closed = False
        self._error: Exception | None = None

    def fill(self, source: Callable[[int], Iterator[Found]], start: int) -> None:
        """Take from the source to its end or until closed; the thread's whole work."""
        try:
            asked = perf_counter()
            for found in source(start):
                took = perf_counter() - asked
                with self._room:
                    self._room.wait_for(lambda: self._closed or len(self._chunk.found) < _CHUNK)
                    if self._closed:
                        return
                    self._chunk.found.append(found)
                    self._chunk.seconds += took
                self._ring()
                asked = perf_counter()
        except Exception as error:  # noqa: BLE001  (raised in the loop instead)
            self._error = error
        finally:
            self._ended = True
            self._ring()

    async def take(self) -> _Chunk:
        """Wait for records; an empty chunk when there are no more.

        Raises:
            Exception: what the source raised.
        """
        while True:
            ended = self._ended
            with self._room:
                chunk, self._chunk = self._chunk, _Chunk()
                self._room.notify()
            if chunk:
                return chunk
            if ended:
                if self._error:
                    raise self._error
                return chunk
            await self._bell.wait()
            self._bell.clear()

    def close(self) -> None:
        """Let the thread end with the next record that it finds."""
        with self._room:
            self._closed = True
            self._room.notify()

    def _ring(self) -> None:
        with suppress(RuntimeError):  # the loop may be gone by now
            self._loop.call_soon_threadsafe(self._bell.set)
