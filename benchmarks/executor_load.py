"""What the benchmarks of the executor share: a warm pool, jobs kept coming, figures with spread.

Not a benchmark itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import psutil

from codeio.executor.sandbox import make_pool
from codeio.executor.sandbox.guest_environment import build_guest_environment
from codeio.runtime.settings import load_settings
from codeio.v1.execution_pb2 import Call, ExecuteRequest, ExecuteResponse, Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from codeio.executor.sandbox.guest_environment import GuestEnvironment
    from codeio.executor.sandbox.pool import Pool

Item = TypeVar("Item")

ENTRY_POINT = "main_solution"
# As small as programs of the data sets get: a loop, a condition, a few containers.
SMALL = '''
def main_solution(values, limit):
    """Return the running sums of the values up to a limit."""
    total, kept = 0, []
    for value in values:
        if total + value <= limit:
            total += value
            kept.append(total)
    return {"kept": kept, "total": total}
'''
SMALL_NUMPY = '''
import numpy as np


def main_solution(values, limit):
    """Return the running sums of the values up to a limit."""
    sums = np.cumsum(np.array(values))
    kept = sums[sums <= limit]
    return {"kept": kept.tolist(), "total": int(kept[-1]) if len(kept) else 0}
'''


# These have interpreters of their own.
SMALL_LIBRARY = SMALL.replace("def ", "import statistics\n\n\ndef ", 1)
SMALL_HEAVY = SMALL.replace("def ", "import scipy\n\n\ndef ", 1)


def small_input(number: int) -> str:
    """Return one of many inputs of the small programs as JSON text."""
    values = [(number * 7 + i * 3) % 19 for i in range(8)]
    return f'{{"values": {values}, "limit": {20 + number % 60}}}'


def small_job(
    number: int, *, calls: int = 1, code: str = SMALL, replica: int = 0
) -> ExecuteRequest:
    """Return a job whose program text no other number has."""
    return ExecuteRequest(
        code=f"{code}# {number}\n",
        entry_point=ENTRY_POINT,
        calls=[Call(input_json=small_input(number + i)) for i in range(calls)],
        replica=replica,
    )


@contextlib.asynccontextmanager
async def warm_pool(
    workers: int, *, replicas: Sequence[int] = (0,)
) -> AsyncIterator[tuple[Pool, GuestEnvironment]]:
    """Start a pool under gVisor in which no job of these replicas waits for an interpreter."""
    flags = {"sandbox": {"workers": workers, "backend": "gvisor"}}
    settings = load_settings(flags=flags)
    environment = build_guest_environment(settings.sandbox.home, say=print)
    async with make_pool(settings, say=print) as pool:
        for replica in replicas:
            for code in (SMALL, SMALL_LIBRARY, SMALL_NUMPY, SMALL_HEAVY):
                # While one sandbox is held up by starting the interpreter, the others are
                # given the next jobs; a few more make sure that none was passed over.
                jobs = [small_job(i, code=code, replica=replica) for i in range(3 * workers)]
                answers = await asyncio.gather(*map(pool.execute, jobs))
                for answer in answers:
                    fail_unless_fine(answer)
        yield pool, environment


def fail_unless_fine(response: ExecuteResponse) -> None:
    """End the benchmark when a job that must succeed did not: its time would mean nothing."""
    for result in response.results:
        if result.outcome != Outcome.OUTCOME_OK:
            raise SystemExit(f"a job of the benchmark failed: {result}")


async def closed_loop(
    items: Sequence[Item], do: Callable[[Item], Awaitable[object]], *, at_once: int
) -> float:
    """Do all items, so many at once, the next when one is done; return the seconds it took."""
    waiting = iter(items)

    async def one_by_one() -> None:
        for item in waiting:
            await do(item)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(one_by_one())
    return time.perf_counter() - started


def processor_seconds() -> float:
    """Return the processor time, by the host's clock, of this process and all below it.

    With that of processes that have ended and been waited for.
    """
    total = 0.0
    for process in (this := psutil.Process(), *this.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


@dataclass(frozen=True)
class Spread:
    """The same figure, measured several times."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __format__(self, form: str) -> str:
        low, high = min(self.values), max(self.values)
        return f"{self.median:>9{form}} ({low:{form}}–{high:{form}})"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not exceeded by such a share of the values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def against(ratio: float, target: float, *, at_least: bool) -> str:
    """Say how a ratio stands to its target."""
    met = ratio >= target if at_least else ratio <= target
    bound = "at least" if at_least else "at most"
    return f"{ratio:.1f}× (target {bound} {target:g}×: {'met' if met else 'missed'})"


def describe_machine() -> None:
    """Say what the figures depend on besides the code."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    load, niceness = os.getloadavg()[0], os.nice(0)
    print(f"{os.cpu_count()} cores, {model}; load average {load:.1f}, niceness {niceness}")
