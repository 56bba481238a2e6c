"""Latency of a single small job over gRPC: idle, at half load, and past a full batch load.

Starts `codeio serve executor` with two workers and measures, several times over:

- idle: one job after another, p50 and p99 (the baseline of the others);
- capacity: the jobs a second that a closed loop gets;
- half load: jobs arrive by a Poisson process at half of that rate, whether or not
  the ones before are done; latency counts from when a job should have arrived, so
  that a stall is charged to all who would have met it;
- interactive jobs, one after another, while a closed loop of batch jobs of ten
  calls keeps all slots and the line before them full.

Prints the median of each figure over the repeats, with the ratios beside their
targets: p99 to p50 at half load under 10, interactive p99 under batch load at
most 3 times that on the idle pool.

    python benchmarks/executor_latency.py [--quick] [--repeats N]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import grpc

from codeio.client import AsyncExecutorClient, Overloaded
from executor_load import (
    ENTRY_POINT,
    SMALL,
    Spread,
    against,
    closed_loop,
    describe_machine,
    percentile,
    small_input,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

CODEIO = Path(sys.executable).with_name("codeio")
WORKERS = 2
BATCH_CALLS = 10
START_SECONDS = 120
BACK_OFF_SECONDS = 0.02
# No small job takes this long, unless others are always let past it.
STARVED_SECONDS = 60


class Run(Protocol):
    """Runs a program on inputs to the end; what it gives does not matter here."""

    async def __call__(self, code: str, inputs: Sequence[str], *, interactive: bool) -> object: ...


@contextlib.asynccontextmanager
async def served_executor() -> AsyncIterator[Run]:
    """Start a server on a free port and stop it in the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    target = f"127.0.0.1:{port}"
    with tempfile.TemporaryFile() as told:
        server = await asyncio.create_subprocess_exec(
            *(CODEIO, "serve", "executor", "--port", str(port)),
            env={
                **os.environ,
                "CODEIO_SANDBOX__WORKERS": str(WORKERS),
                # Shorter than the batch load, so that it is full all the time.
                "CODEIO_EXECUTOR__WAITING_BATCH": "16",
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=told,
            stderr=told,
        )
        try:
            if not await reachable(target, server):
                told.seek(0)
                last = told.read().decode(errors="replace")[-2000:]
                raise SystemExit(f"`codeio serve executor` did not come up: {last}")
            async with AsyncExecutorClient(target) as client:

                async def run(code: str, inputs: Sequence[str], *, interactive: bool) -> object:
                    return await client.execute(
                        code,
                        inputs,
                        entry_point=ENTRY_POINT,
                        priority="interactive" if interactive else "batch",
                    )

                yield run
        finally:
            if server.returncode is None:
                server.terminate()
            await server.wait()


async def reachable(target: str, server: asyncio.subprocess.Process) -> bool:
    """Wait until the server takes connections; False when it ended instead, or takes too long."""
    async with grpc.aio.insecure_channel(target) as channel:
        ready = asyncio.create_task(channel.channel_ready())
        for _ in range(START_SECONDS * 10):
            if ready.done() or server.returncode is not None:
                break
            await asyncio.wait([ready], timeout=0.1)
        up = ready.done() and server.returncode is None
        ready.cancel()
        await asyncio.gather(ready, return_exceptions=True)
    return up


async def timed(run: Run, number: int, *, interactive: bool = True) -> float:
    """Run a small job; return how long it took."""
    started = time.perf_counter()
    try:
        async with asyncio.timeout(STARVED_SECONDS):
            await run(f"{SMALL}# {number}\n", [small_input(number)], interactive=interactive)
    except TimeoutError:
        raise SystemExit(f"a small job did not come back in {STARVED_SECONDS} s") from None
    return time.perf_counter() - started


async def serial(run: Run, jobs: int) -> list[float]:
    return [await timed(run, number) for number in range(jobs)]


async def capacity(run: Run, jobs: int) -> float:
    """Return the jobs a second of a closed loop that never lets a worker wait."""

    async def do(number: int) -> None:
        await timed(run, number, interactive=False)

    return jobs / await closed_loop(range(jobs), do, at_once=4 * WORKERS)


async def open_loop(run: Run, jobs: int, *, rate: float, draw: random.Random) -> list[float]:
    """Return the latencies of jobs that arrive at random, so many a second on average."""

    async def arrive(number: int, due: float) -> float:
        await asyncio.sleep(due - time.perf_counter())
        await timed(run, number, interactive=False)
        return time.perf_counter() - due

    due, arrivals = time.perf_counter(), []
    for number in range(jobs):
        due += draw.expovariate(rate)
        arrivals.append(asyncio.create_task(arrive(number, due)))
    return await asyncio.gather(*arrivals)


class BatchLoad:
    """Batch jobs that keep coming, so many at once; refused ones come again soon."""

    def __init__(self, run: Run, at_once: int) -> None:
        self._run = run
        self._at_once = at_once
        self._wanted = True
        self.counts: Counter[str] = Counter()

    async def __aenter__(self) -> BatchLoad:
        self._tasks = [asyncio.create_task(self._keep_on(i)) for i in range(self._at_once)]
        # It counts from when every slot has done some of it.
        while self.counts["done"] < 2 * WORKERS:
            await asyncio.wait(self._tasks, timeout=0.05, return_when=asyncio.FIRST_EXCEPTION)
            for task in self._tasks:
                if task.done():
                    task.result()
        return self

    async def __aexit__(self, *_: object) -> None:
        # Not cancelled, which would leave half-done jobs to the next measurement.
        self._wanted = False
        await asyncio.gather(*self._tasks)

    async def _keep_on(self, number: int) -> None:
        inputs = [small_input(number + i) for i in range(BATCH_CALLS)]
        while self._wanted:
            try:
                await self._run(f"{SMALL}# batch {number}\n", inputs, interactive=False)
                self.counts["done"] += 1
            except Overloaded:
                # The line is full, as it should be.
                self.counts["refused"] += 1
                await asyncio.sleep(BACK_OFF_SECONDS)


async def measure(run: Run, options: argparse.Namespace) -> None:
    """Measure all figures so many times; print them."""
    figures: dict[str, list[float]] = {}

    def note(name: str, latencies: Sequence[float]) -> None:
        for share in (0.5, 0.99):
            key = f"{name}, p{share * 100:.0f}, ms"
            figures.setdefault(key, []).append(1000 * percentile(latencies, share))

    await capacity(run, 10 * WORKERS)  # starts the interpreters
    batch: Counter[str] = Counter()
    for repeat in range(options.repeats):
        note("idle, one after another", await serial(run, options.jobs))
        rate = await capacity(run, options.jobs)
        figures.setdefault("capacity, jobs/s", []).append(rate)
        draw = random.Random(repeat)
        note("half load", await open_loop(run, 2 * options.jobs, rate=rate / 2, draw=draw))
        async with BatchLoad(run, options.batch) as load:
            note("interactive past batch", await serial(run, options.jobs))
        batch += load.counts
    print(f"median (min–max) of {options.repeats} repeats, {options.jobs} jobs each")
    spreads = {name: Spread(tuple(each)) for name, each in figures.items()}
    for name, spread in spreads.items():
        print(f"  {name:<36} {spread:,.1f}")
    half = spreads["half load, p99, ms"].median / spreads["half load, p50, ms"].median
    idle = spreads["idle, one after another, p99, ms"].median
    past = spreads["interactive past batch, p99, ms"].median / idle
    print(f"half load, p99 to p50: {against(half, 10, at_least=False)}")
    print(f"interactive p99, past batch to idle: {against(past, 3, at_least=False)}")
    print(
        f"the batch load: {options.batch} jobs at once of {BATCH_CALLS} calls; "
        f"{batch['done']:,} done, {batch['refused']:,} refused and sent again"
    )


async def measure_server(options: argparse.Namespace) -> None:
    async with served_executor() as run:
        await measure(run, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures say little")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=300, help="jobs of each figure and repeat")
    parser.add_argument("--batch", type=int, default=64, help="batch jobs at once")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.jobs, options.batch = 1, 10, 8
    describe_machine()
    asyncio.run(measure_server(options))


if __name__ == "__main__":
    main()
