"""Runs the stages in children that kill themselves, until one gets through.

`python -m tests.runtime.crash LOG FILES SEED`: each child is forked, opens the
log, goes on where the last one was and sends itself SIGKILL at a random event:
after a handler, before, within or after a transaction. Prints the number of
kills by kind.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeio.runtime import logfile
from codeio.runtime.feed import Feed
from codeio.runtime.local import LocalLog
from codeio.runtime.logfile import LogFile
from codeio.runtime.runner import run_stages
from codeio.runtime.telemetry import configure_logs
from tests.runtime import stages

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Iterable

    from codeio.runtime.logfile import Change
    from codeio.runtime.stage import Stage

EVENTS = ("handled", "before", "within", "after")


class Fuse:
    """Kills this process at the n-th event of a kind."""

    def __init__(self, kind: str, number: int) -> None:
        self._kind = kind
        self._left = number

    def pass_by(self, kind: str) -> None:
        if kind == self._kind:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class Fused:
    """A stage that lights the fuse after each record it has handled."""

    def __init__(self, stage: Stage, fuse: Fuse) -> None:
        self.name = stage.name
        self._stage = stage
        self._fuse = fuse

    async def handle(self, record: Any) -> AsyncIterator[Any]:
        async for output in self._stage.handle(record):
            yield output
        self._fuse.pass_by("handled")


def arm(fuse: Fuse) -> None:
    """Let every transaction of this process pass by the fuse."""
    write, apply, connect = LogFile.write, LogFile._apply, logfile._connect

    def unsynced(path: Path) -> sqlite3.Connection:
        # What a killed process has written is the kernel's; syncing only costs time here.
        connection = connect(path)
        connection.execute("PRAGMA synchronous=OFF")
        return connection

    def armed_write(self: LogFile, changes: Iterable[Change]) -> None:
        fuse.pass_by("before")
        write(self, changes)
        fuse.pass_by("after")

    def armed_apply(self: LogFile, change: Change, ends: dict[str, int]) -> None:
        apply(self, change, ends)
        fuse.pass_by("within")

    LogFile.write, LogFile._apply = armed_write, armed_apply  # type: ignore[method-assign]
    logfile._connect = unsynced


async def live(path: Path, files: int, fuse: Fuse) -> None:
    async with LocalLog(path) as log:
        chosen = (stages.Normalizer(), stages.Executor(), *stages.loop())
        fused = [Fused(stage, fuse) for stage in chosen]
        feed = Feed(log, stages.raw_files(files))
        assert await run_stages(log, stages.workers(log, *fused), feed=feed)


def main(path: Path, files: int, seed: int) -> None:
    configure_logs(level="error")
    rng = random.Random(seed)
    kills: Counter[str] = Counter()
    for kind in itertools.cycle(EVENTS):
        fuse = Fuse(kind, rng.randint(1, 8))
        child = os.fork()
        if child == 0:
            arm(fuse)
            asyncio.run(live(path, files, fuse))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            kills[kind] += 1
        elif status == 0:
            break
        else:
            sys.exit(f"a child failed: {status}")
    sys.stdout.write(json.dumps(kills))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
