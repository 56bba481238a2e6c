"""Does the pool grow, and does it leave anything behind?

Prints the memory of the sandboxes after 1,000 and after 10,000 small jobs (the
baseline and what is held against it: within 10 %), and what there is of
processes, mounts, descriptors, files and network namespaces before the pool
was opened, while it worked and after it closed.

Memory is the proportional set size (PSS) of all processes below this one. The
processes of a sandbox share its memory, which is one anonymous file of gVisor's:
resident sizes would count a page once for each process that maps it, PSS gives
each a part of the page, so that the sum is what is really used. Pages that the
file holds and nobody maps are in no process, so the file's own size on the
machine stands beside it, and so does the resident size of this process.

    python benchmarks/executor_memory.py [--jobs N] [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from codeio.runtime.settings import load_settings
from executor_load import (
    SMALL,
    SMALL_NUMPY,
    closed_loop,
    describe_machine,
    fail_unless_fine,
    small_job,
    warm_pool,
)

if TYPE_CHECKING:
    from codeio.executor.sandbox.pool import Pool

MIB = 1 << 20
PROC = Path("/proc")
WORKERS = 2
WITHIN = 0.10


@dataclass(frozen=True)
class Memory:
    """Memory in bytes at one moment."""

    pss: int
    files: int
    """What the sandboxes' memory files hold on the machine."""
    own: int
    processes: int

    def __str__(self) -> str:
        return (
            f"{self.pss / MIB:7,.1f} MiB PSS of {self.processes} processes, "
            f"{self.files / MIB:7,.1f} MiB in memory files, {self.own / MIB:6,.1f} MiB this process"
        )


def memory_below() -> Memory:
    pss, processes = 0, 0
    files: dict[int, int] = {}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(OSError):
            rollup = (PROC / str(process.pid) / "smaps_rollup").read_text()
            found = re.search(r"^Pss:\s+(\d+) kB$", rollup, re.MULTILINE)
            pss += int(found[1]) * 1024 if found else 0
            processes += 1
            files |= memory_files(process.pid)
    own = psutil.Process().memory_info().rss
    return Memory(pss=pss, files=sum(files.values()), own=own, processes=processes)


def memory_files(pid: int) -> dict[int, int]:
    """Return the bytes that anonymous files hold, by inode: many processes have them open."""
    found = {}
    for link in (PROC / str(pid) / "fd").iterdir():
        with contextlib.suppress(OSError):
            if str(link.readlink()).startswith("/memfd:"):
                state = link.stat()
                found[state.st_ino] = state.st_blocks * 512
    return found


@dataclass(frozen=True)
class Traces:
    """What a pool could leave behind."""

    counts: dict[str, int]
    mounts: frozenset[str]

    @classmethod
    def now(cls, folder: Path, state: Path) -> Traces:
        """Look around; `folder` is where this process has its temporary files."""
        namespaces = set()
        ours = 0
        for process in psutil.process_iter():
            with contextlib.suppress(OSError, psutil.Error):
                namespaces.add((PROC / str(process.pid) / "ns" / "net").readlink())
                # Also those that nobody below this process started, for want of a parent.
                ours += any(str(folder) in argument for argument in process.cmdline())
        mounts = frozenset((PROC / "self" / "mounts").read_text().splitlines())
        counts = {
            "child processes": len(psutil.Process().children(recursive=True)),
            "processes that name our temporary folder": ours,
            "mounts": len(mounts),
            "open descriptors": len(list((PROC / "self" / "fd").iterdir())),
            "files in the temporary folder": len(list(folder.rglob("*"))),
            "files in runsc's folder": len(list(state.iterdir())) if state.exists() else 0,
            "network namespaces of the machine": len(namespaces),
        }
        return cls(counts=counts, mounts=mounts)


async def do_jobs(pool: Pool, first: int, last: int) -> float:
    """Do the jobs of these numbers, spread over all interpreters; return the seconds."""

    async def do(number: int) -> None:
        code = SMALL_NUMPY if number % 5 == 0 else SMALL
        fail_unless_fine(await pool.execute(small_job(number, code=code, replica=number % 2)))

    return await closed_loop(range(first, last), do, at_once=2 * WORKERS)


async def settled(folder: Path, state: Path, before: Traces) -> Traces:
    """Look until things are as before, for a few seconds: the kernel cleans up a little later."""
    deadline = time.monotonic() + 5
    while (after := Traces.now(folder, state)).counts != before.counts:
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.1)
    return after


async def measure(jobs: int, folder: Path) -> bool:
    state = load_settings().sandbox.home / "state"
    # What the first pool sets up for all later ones, such as the network namespace
    # without a network, is there on purpose.
    async with warm_pool(1):
        pass
    before = Traces.now(folder, state)
    early = max(1, jobs // 10)
    async with warm_pool(WORKERS, replicas=(0, 1)) as (pool, _):
        fresh = memory_below()
        await do_jobs(pool, 0, early)
        first = memory_below()
        seconds = await do_jobs(pool, early, jobs)
        last = memory_below()
        during = Traces.now(folder, state)
    after = await settled(folder, state, before)
    growth = last.pss / first.pss - 1
    print(f"after {'its start':>13}: {fresh}")
    print(f"after {early:>8,} jobs: {first}")
    print(f"after {jobs:>8,} jobs: {last}")
    print(f"  {(jobs - early) / seconds:.1f} jobs/s")
    fine = growth <= WITHIN
    print(
        f"  {growth:+.1%} PSS (target within {WITHIN:.0%}: {'met' if fine else 'missed'}), "
        f"{last.files / (first.files or 1) - 1:+.1%} in memory files, "
        f"{last.own / first.own - 1:+.1%} this process"
    )
    print(f"\n{'':<42} {'before':>7} {'at work':>8} {'after':>7}")
    for name, count in before.counts.items():
        left = after.counts[name] - count
        told = f"  {left} left over" if left > 0 else ""
        print(f"{name:<42} {count:>7,} {during.counts[name]:>8,} {after.counts[name]:>7,}{told}")
        fine &= left <= 0
    for mount in sorted(after.mounts - before.mounts):
        print(f"  left mounted: {mount}")
    print(
        "mounts, runsc's folder and namespaces are the machine's: other sandboxes on it count too"
    )
    return fine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures say little")
    options = parser.parse_args()
    jobs = 40 if options.quick else options.jobs
    describe_machine()
    with tempfile.TemporaryDirectory(prefix="codeio-memory-") as folder:
        # A temporary folder of its own tells our files from those of others.
        tempfile.tempdir = folder
        fine = asyncio.run(measure(jobs, Path(folder)))
    raise SystemExit(0 if fine else 1)


if __name__ == "__main__":
    main()
