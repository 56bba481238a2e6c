"""Which of runsc's options make jobs faster here?

Prints the jobs a second of a small program, with and without numpy, for each of
a table of options beside those of the options we use. Each round starts a pool
anew for every row, in turn, so that neither a lucky start nor a busy moment
stands for an option; ratios are of medians. `--network` and what else keeps a
program in is not up for choice.

    python benchmarks/gvisor_options.py [--quick] [--rounds N] [--option=--FLAG...]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from codeio.executor.sandbox.runsc import find_runsc
from codeio.runtime.settings import load_settings
from executor_load import (
    SMALL,
    SMALL_NUMPY,
    Spread,
    closed_loop,
    describe_machine,
    fail_unless_fine,
    small_job,
    warm_pool,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WORKERS = 2
AS_WE_USE_IT: tuple[str, ...] = ()
OPTIONS: tuple[tuple[str, ...], ...] = (
    AS_WE_USE_IT,
    ("--systrap-disable-syscall-patching",),
    ("--overlay2=none",),
    ("--directfs=false",),
    ("--host-uds=none",),  # the default: how far it is from 1 is noise
    ("--app-huge-pages=false",),
    ("--file-access-mounts=exclusive",),
    ("--dcache=1000",),
)
PROGRAMS = {"plain": SMALL, "numpy": SMALL_NUMPY}


@contextmanager
def runsc_with(options: Sequence[str], runsc: Path) -> Iterator[None]:
    """Put a `runsc` with more options first on PATH, where the pool looks for it."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "runsc")
        command = shlex.join([str(runsc), *options])
        script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        script.chmod(0o755)
        path = os.environ["PATH"]
        os.environ["PATH"] = f"{folder}:{path}"
        try:
            found = find_runsc(load_settings().sandbox.home)
            # Where it does not work, another one would be taken without a word.
            if found.path != script:
                raise SystemExit(f"runsc does not work with {' '.join(options)}")
            yield
        finally:
            os.environ["PATH"] = path


async def jobs_a_second(code: str, jobs: int, options: Sequence[str], runsc: Path) -> float:
    with runsc_with(options, runsc):
        async with warm_pool(WORKERS) as (pool, _):

            async def do(number: int) -> None:
                fail_unless_fine(await pool.execute(small_job(number, calls=10, code=code)))

            return jobs / await closed_loop(range(jobs), do, at_once=2 * WORKERS)


async def measure(rows: Sequence[tuple[str, ...]], rounds: int, jobs: int) -> None:
    runsc = find_runsc(load_settings().sandbox.home).path
    rates: dict[tuple[tuple[str, ...], str], list[float]] = {}
    for number in range(rounds):
        turn = number % len(rows)
        for options in (*rows[turn:], *rows[:turn]):
            for name, code in PROGRAMS.items():
                rate = await jobs_a_second(code, jobs, options, runsc)
                rates.setdefault((options, name), []).append(rate)
    print(
        f"jobs/s of ten calls, median (min–max) of {rounds} rounds, and its ratio to our options'"
    )
    for options in rows:
        told = []
        for name in PROGRAMS:
            spread = Spread(tuple(rates[options, name]))
            ratio = spread.median / Spread(tuple(rates[AS_WE_USE_IT, name])).median
            told.append(f"{name} {spread:.1f} {ratio:5.2f}×")
        print(f"  {' '.join(options) or 'as we use it':<38} {'   '.join(told)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures say little")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=150, help="jobs a round, option and program")
    parser.add_argument(
        "--option", action="append", help="measure these instead; several in one, with spaces"
    )
    options = parser.parse_args()
    rows = OPTIONS
    if options.option:
        rows = (AS_WE_USE_IT, *(tuple(shlex.split(each)) for each in options.option))
    if options.quick:
        options.rounds, options.jobs = 1, 6
    describe_machine()
    asyncio.run(measure(rows, options.rounds, options.jobs))


if __name__ == "__main__":
    main()
