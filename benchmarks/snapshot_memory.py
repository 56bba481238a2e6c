"""Peak memory and time of a snapshot, beside the same work done in memory.

    python benchmarks/snapshot_memory.py                       # both, small
    python benchmarks/snapshot_memory.py --programs 1000000 --only disk

The baseline is what one writes first: samples in a dict, programs in
datasketch's own `MinHashLSH`. Each way runs in a process of its own, over
synthetic programs of which a tenth repeat another exactly and a tenth nearly.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from datasketch import MinHash, MinHashLSH

from codeio.dataset import export
from codeio.dataset.duplicates import token_grams
from codeio.runtime import records
from codeio.runtime.settings import DatasetSettings
from codeio.v1.records_pb2 import (
    Direction,
    IoPair,
    Origin,
    PredictionTask,
    Program,
    Sample,
    Turn,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
LIMIT_MIB = 1024
WORDS = [f"{a}{b}" for a in "abcdefghij" for b in ("x", "count", "item", "left", "total")]


def code(number: int) -> str:
    """Return a program; of ten, one repeats the one before it exactly and one nearly."""
    kind = number % 10
    rng = random.Random(number - kind if kind in {1, 2} else number)
    lines = [
        f"    {rng.choice(WORDS)} = {rng.choice(WORDS)} {rng.choice('+-*%')} {rng.randrange(10**6)}"
        for _ in range(10)
    ]
    if kind == 1:
        lines.append("    # the same again")
    if kind == 2:
        lines.append("    extra = 0")
    return "\n".join(["def main_solution(values):", *lines, "    return total"])


def program(number: int) -> Program:
    origin = Origin(source="synthetic", path=str(number), licence="MIT", file_id=f"{number:x}")
    text = code(number)
    name = records.program_id(code=text, entry_point="main_solution", origin=origin)
    return Program(program_id=name, code=text, entry_point="main_solution", origin=origin)


def samples(programs: int, each: int) -> Iterator[Sample]:
    for number in range(programs):
        made_of = program(number)
        for index in range(each):
            pair = IoPair(input_json=f'{{"values": [{index}]}}', output_json=f"{number}")
            yield Sample(
                sample_id=hashlib.sha256(f"{number}/{index}".encode()).hexdigest()[:32],
                task=PredictionTask(
                    task_id=f"{number}/{index}",
                    program=made_of,
                    pair=pair,
                    direction=Direction.DIRECTION_OUTPUT_PREDICTION,
                ),
                turns=[Turn(prompt=made_of.code, response=f"It gives {number}. " * 20)],
                verdict=Verdict.VERDICT_CORRECT,
            )


def on_disk(programs: int, each: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        summary = export(
            samples(programs, each),
            Path(folder) / "dataset",
            settings=DatasetSettings(),
            formats=["codeio"],
        )
    return sum(summary.programs.values())


def in_memory(programs: int, each: int) -> int:
    by_id = {sample.sample_id: sample for sample in samples(programs, each)}
    codes = {sample.task.program.program_id: sample.task.program.code for sample in by_id.values()}
    index = MinHashLSH(threshold=DatasetSettings().near_duplicate_threshold, num_perm=128)
    empty = MinHash(num_perm=128, hashfunc=int)
    for name in sorted(codes):
        minhash = empty.copy()
        minhash.update_batch(token_grams(codes[name]))
        if not index.query(minhash):
            index.insert(name, minhash)
    return len(index.keys)


WAYS = {"disk": on_disk, "memory": in_memory}


def measure(way: str, programs: int, each: int, answers: multiprocessing.Queue[object]) -> None:
    start = time.monotonic()
    kept = WAYS[way](programs, each)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    answers.put((kept, time.monotonic() - start, peak))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=20_000)
    parser.add_argument("--samples-each", type=int, default=1)
    parser.add_argument("--only", choices=sorted(WAYS))
    given = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    print(f"{'way':8} {'programs':>10} {'samples':>10} {'kept':>10} {'seconds':>9} {'peak MiB':>9}")
    too_much = False
    for way in [given.only] if given.only else list(WAYS):
        answers = spawn.Queue()
        child = spawn.Process(
            target=measure, args=(way, given.programs, given.samples_each, answers)
        )
        child.start()
        kept, seconds, peak = answers.get()
        child.join()
        print(
            f"{way:8} {given.programs:10,} {given.programs * given.samples_each:10,}"
            f" {kept:10,} {seconds:9.1f} {peak:9,}"
        )
        too_much |= way == "disk" and peak >= LIMIT_MIB
    if too_much:
        raise SystemExit(f"the snapshot used more than {LIMIT_MIB} MiB")


if __name__ == "__main__":
    main()
