"""The runner: joins stages over the local log, in one process, until all is done."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from codeio.runtime.errors import Stopped
from codeio.runtime.policy import decisive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from codeio.runtime.feed import Feed
    from codeio.runtime.local import LocalLog
    from codeio.runtime.worker import Worker

_logger = structlog.get_logger()
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def run_stages(log: LocalLog, workers: Sequence[Worker], *, feed: Feed | None = None) -> bool:
    """Run until the feed has ended and every worker has read its topics to their ends.

    The first SIGINT or SIGTERM drains the workers, the second stops them at
    once; either way the next run on the same log goes on from there. Where a
    stage is `Stopped`, those behind it, as the workers are given, finish what
    they have.

    Returns:
        True when all is done, False when a signal ended the run before.

    Raises:
        UsageError: from the feed or a handler.
        Stopped: from a handler.
        LogError: the log failed.
    """
    run = _Run(log, workers, feed)
    with _handling_signals(run.interrupt):
        return await run.complete()


class _Run:
    def __init__(self, log: LocalLog, workers: Sequence[Worker], feed: Feed | None) -> None:
        self._log = log
        self._workers = workers
        self._interrupted = False
        self._stopped: Stopped | None = None
        self._last_stopped = -1
        """Place of the last stage in line that is stopped."""
        self._end = asyncio.create_task(self._see_to_the_end(feed))
        self._all = asyncio.create_task(self._run_all())

    async def complete(self) -> bool:
        try:
            await self._all
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task and task.cancelling():
                raise
        if self._stopped:
            raise self._stopped
        return not self._interrupted

    def interrupt(self) -> None:
        """Drain; or, when that was asked for before, stop at once."""
        if self._interrupted:
            self._all.cancel()
            return
        self._interrupted = True
        _logger.info("stopping", hint="once more to stop at once")
        self._end.cancel()
        self._drain()

    async def _run_all(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                for place, worker in enumerate(self._workers):
                    tasks.create_task(self._carry(worker, place))
                end = self._end  # another one takes its place when a stage is stopped
                await asyncio.wait([end])
                if not end.cancelled():
                    end.result()
        except ExceptionGroup as group:
            raise decisive(group) from None
        finally:
            self._end.cancel()

    async def _carry(self, worker: Worker, place: int) -> None:
        try:
            await worker.run()
        except Stopped as stopped:
            self._stopped = self._stopped or stopped
            self._last_stopped = max(self._last_stopped, place)
            self._end.cancel()
            for other in self._workers[: self._last_stopped + 1]:
                other.drain()
            if not self._interrupted:
                behind = self._workers[self._last_stopped + 1 :]
                end = self._end = asyncio.create_task(self._drained(behind))
                await asyncio.wait([end])
                if end.cancelled():
                    return
            self._drain()

    async def _drained(self, workers: Sequence[Worker]) -> None:
        # What a stage asked to be written before it was stopped may still be on its way.
        await self._log.append([])
        await self._log.drained({worker.name: worker.topics for worker in workers})

    async def _see_to_the_end(self, feed: Feed | None) -> None:
        if feed:
            await feed.run()
        await self._drained(self._workers)
        self._drain()

    def _drain(self) -> None:
        for worker in self._workers:
            worker.drain()


@contextmanager
def _handling_signals(handle: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
