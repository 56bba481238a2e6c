"""Runs hundreds of jobs, and fails if this process holds more then than before.

`TMPDIR=... python -m tests.executor.many_jobs`
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

from codeio.executor.sandbox import make_pool
from codeio.runtime.settings import load_settings
from tests.executor.jobs import call, outcomes, works

JOBS = 200
ENDING = "import os\ndef main_solution(n):\n    n % 3 == 1 and os._exit(1)\n    return n\n"


def children() -> int:
    return len(psutil.Process().children(recursive=True))


def held() -> Counter[str]:
    """Return this process's descriptors, and the files and mounts in its temporary folder.

    That is to be its own: gVisor mounts things there for a moment.
    """
    place = Path(tempfile.gettempdir())
    things = Counter(path.name for path in place.iterdir())
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    things.update(mount for mount in mounts if str(place) in mount)
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            things[str(descriptor.readlink())] += 1
    return things


async def run() -> None:
    before, empty = children(), held()
    settings = load_settings(flags={"sandbox": {"workers": 1}})
    async with make_pool(settings, say=lambda _: None) as pool:
        assert outcomes(await call(pool, ENDING, {"n": 0})) == ["OK"]
        with_guest, running = children(), held()
        for n in range(JOBS):
            await call(pool, ENDING, {"n": n})
        # gVisor may keep a process more or less at hand.
        assert abs(children() - with_guest) <= 4
        assert held() - running == Counter(), held() - running
        assert await works(pool)
    assert children() == before
    assert held() - empty == Counter(), held() - empty


if __name__ == "__main__":
    asyncio.run(run())
