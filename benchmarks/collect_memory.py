"""Peak memory and speed of collecting a million rows.

The rows are made on the fly into a temporary file, JSON Lines or Parquet with
few and large row groups:

    python benchmarks/collect_memory.py [--rows N] [--parquet]

Each row is a file of its own of about 1 to 4 KB; one in twenty is Python 2, one
in fifty a duplicate, one in a hundred not JSON (in JSON Lines). The baseline
beside it is what `ast.parse` alone takes for the same texts. Rates are by
processor time, since other work on the machine says nothing about the code.
"""

from __future__ import annotations

import argparse
import ast
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from codeio.collect import Collector
from codeio.runtime.settings import CollectSettings
from codeio.v1.records_pb2 import RawFile

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = '''
def step_{n}(values, limit={a}):
    """Return the running sums of the values up to a limit."""
    total, found = 0, []
    for index, value in enumerate(values):
        if value % {b} == 0 and index < limit:
            total += value * {c}
        found.append(total)
    return {{"sums": found, "last": found[-1] if found else None}}
'''


def content(number: int) -> str:
    draw = random.Random(number - number % 50 if number % 50 == 1 else number)
    blocks = "".join(
        BLOCK.format(n=n, a=draw.randrange(10**9), b=draw.randrange(2, 99), c=draw.random())
        for n in range(draw.randrange(3, 13))
    )
    return blocks + ("\nprint 'done'\n" if number % 20 == 2 else "")


def lines(rows: int) -> Iterator[bytes]:
    for number in range(rows):
        if number % 100 == 99:
            yield b'{"content": "half a row\n'
        else:
            row = {"content": content(number), "repo_name": "a/b", "path": f"{number}.py"}
            yield json.dumps(row).encode() + b"\n"


def write_lines(path: Path, rows: int) -> None:
    with path.open("wb") as pipe:
        pipe.writelines(lines(rows))


def write_parquet(path: Path, rows: int, group: int = 250_000) -> None:
    schema = pa.schema({"content": pa.string(), "path": pa.string()})
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, group):
            numbers = range(start, min(rows, start + group))
            columns = [[content(n) for n in numbers], [f"{n}.py" for n in numbers]]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=group)


def baseline(sample: int) -> float:
    texts = [text for n in range(sample) if n % 20 != 2 for text in [content(n)]]
    start = time.process_time()
    for text in texts:
        ast.parse(text)
    return len(texts) / (time.process_time() - start)


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--parquet", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.parquet" if options.parquet else "rows.jsonl")
        context = multiprocessing.get_context("spawn")
        write = write_parquet if options.parquet else write_lines
        writer = context.Process(target=write, args=(path, options.rows))
        writer.start()
        writer.join()
        alone = baseline(2000)
        before = peak_mib()
        start, wall = time.process_time(), time.perf_counter()
        counts: Counter[str] = Counter()
        for position, outcome in Collector(CollectSettings()).collect([str(path)]):
            taken = isinstance(outcome, RawFile)
            counts["taken in" if taken else outcome.reason] += 1
            if position % 100_000 == 0:
                rate = position / (time.process_time() - start)
                print(f"{position:>9,} rows {rate:7,.0f} rows/s {peak_mib():6,.0f} MiB", flush=True)
        seconds, wall = time.process_time() - start, time.perf_counter() - wall
        size = path.stat().st_size
    rows = sum(counts.values())
    print(
        f"{rows:,} rows ({size >> 20:,} MiB) in {wall:,.0f} s, {seconds:,.0f} s of processor "
        f"time: {rows / seconds:,.0f} rows/s (ast.parse alone: {alone:,.0f})"
    )
    print(", ".join(f"{reason} {count:,}" for reason, count in counts.most_common()))
    print(f"peak resident memory {peak_mib():,.0f} MiB (before: {before:,.0f} MiB; limit 1,024)")
    sys.exit(peak_mib() >= 1024)


if __name__ == "__main__":
    main()
