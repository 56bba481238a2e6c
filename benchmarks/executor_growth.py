"""How does the pool grow with its workers and with the calls of a job?

Prints jobs a second, and calls a second, of a small program for 1, 2 and 4
workers and 1, 10 and 100 calls a job, beside the baseline of one worker with the
same job, and draws them: the file's path is the last line. More workers than
cores are not expected to help.

    python benchmarks/executor_growth.py [--quick] [--rounds N] [--out FILE.svg]
"""

from __future__ import annotations

import argparse
import asyncio
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from executor_load import (
    Spread,
    closed_loop,
    describe_machine,
    fail_unless_fine,
    small_job,
    warm_pool,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORKERS = (1, 2, 4)
CALLS = (1, 10, 100)
COLOURS = {1: "#4477aa", 2: "#228833", 4: "#cc6677"}

Rates: TypeAlias = dict[tuple[int, int], Spread]
"""Jobs a second by workers and calls a job."""


async def measure(rounds: int, jobs: int) -> Rates:
    rates: dict[tuple[int, int], list[float]] = {}
    for _ in range(rounds):
        for workers in WORKERS:
            async with warm_pool(workers) as (pool, _environment):

                async def do(job: tuple[int, int]) -> None:
                    number, calls = job
                    fail_unless_fine(await pool.execute(small_job(number, calls=calls)))

                for calls in CALLS:
                    todo = [(number, calls) for number in range(jobs)]
                    seconds = await closed_loop(todo, do, at_once=2 * workers)
                    rates.setdefault((workers, calls), []).append(jobs / seconds)
    return {key: Spread(tuple(each)) for key, each in rates.items()}


def table(rates: Rates) -> Iterator[str]:
    yield f"{'workers':>7} {'calls a job':>11} {'jobs/s':>24} {'calls/s':>9} {'to one worker':>14}"
    for (workers, calls), spread in rates.items():
        ratio = spread.median / rates[1, calls].median
        speed = f"{spread:.1f}".strip()
        yield (
            f"{workers:>7} {calls:>11} {speed:>24} {spread.median * calls:>9,.0f} {ratio:>13.2f}×"
        )


def plot(rates: Mapping[tuple[int, int], Spread]) -> str:
    """Return an SVG picture: calls a job to the right, jobs a second upwards, both by powers."""
    width, height, left, top, right, bottom = 560, 360, 64, 28, 110, 48
    speeds = [value for spread in rates.values() for value in spread.values]
    low, high = 10 ** math.floor(math.log10(min(speeds))), 10 ** math.ceil(math.log10(max(speeds)))
    high = max(high, 10 * low)

    def x(calls: float) -> float:
        share = math.log(calls / CALLS[0]) / math.log(CALLS[-1] / CALLS[0])
        return left + share * (width - left - right)

    def y(speed: float) -> float:
        return top + math.log(high / speed) / math.log(high / low) * (height - top - bottom)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12" width="{width}" height="{height}">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="16" font-weight="bold">jobs a second</text>',
        f'<text x="{(left + width - right) / 2}" y="{height - 10}" text-anchor="middle">'
        "calls a job</text>",
    ]
    steps = round(math.log10(high / low))
    marks = [low * 10**p * m for p in range(steps) for m in (1, 2, 5)] + [high]
    for mark in marks:
        parts += [
            f'<line x1="{left}" x2="{width - right}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" '
            'stroke="#ddd"/>',
            f'<text x="{left - 8}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:g}</text>',
        ]
    parts += [
        f'<text x="{x(calls):.1f}" y="{height - bottom + 18}" text-anchor="middle">{calls}</text>'
        for calls in CALLS
    ]
    ends = label_places({w: y(rates[w, CALLS[-1]].median) for w in WORKERS})
    for workers in WORKERS:
        points = [(x(calls), rates[workers, calls]) for calls in CALLS]
        line = " ".join(f"{at:.1f},{y(spread.median):.1f}" for at, spread in points)
        colour = COLOURS[workers]
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for at, spread in points:
            parts.append(
                f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y(min(spread.values)):.1f}" '
                f'y2="{y(max(spread.values)):.1f}" stroke="{colour}"/>'
                f'<circle cx="{at:.1f}" cy="{y(spread.median):.1f}" r="3" fill="{colour}">'
                f"<title>{spread.median:.1f}</title></circle>"
            )
        parts.append(
            f'<text x="{width - right + 10}" y="{ends[workers] + 4:.1f}" fill="{colour}">'
            f"{workers} worker{'s' if workers > 1 else ''}</text>"
        )
    return "\n".join([*parts, "</svg>\n"])


def label_places(wanted: Mapping[int, float], apart: float = 14) -> dict[int, float]:
    """Move labels down where they would stand on one another."""
    places: dict[int, float] = {}
    last = -math.inf
    for key, place in sorted(wanted.items(), key=lambda item: item[1]):
        last = places[key] = max(place, last + apart)
    return places


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures say little")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=100, help="jobs a round and place in the table")
    parser.add_argument(
        "--out", type=Path, default=Path(tempfile.gettempdir(), "codeio-executor-growth.svg")
    )
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.jobs = 1, 6
    describe_machine()
    rates = asyncio.run(measure(options.rounds, options.jobs))
    print(f"median (min–max) of {options.rounds} rounds")
    print("\n".join(table(rates)))
    options.out.write_text(plot(rates))
    print(options.out)


if __name__ == "__main__":
    main()
