"""Kills, zombies and lost brokers without end, beside a run that nobody touches.

All stages as processes on a broker, a teacher that is wrong at first, and faults
one after another until so many were made: a service is killed at random, or at
a step of a transaction, or stopped until another has its place and let go on; a
broker is stopped or killed, so that its partitions get other leaders. Compares
the samples with those of one process without a broker, by id and byte by byte.

Beside the programs that are made for it, some that others wrote go through: the
standard library and packages from PyPI, or `--sources`. What the teacher says of them
stays wrong, and that is compared as well. Where the two runs differ it says by which
programs, and makes the quiet run again to tell what differs without any fault: some
code takes so long that the verdict depends on what else the machine does.

A producer whose buffers are full is not among the faults: kafka-python 3 has no bound
on them.

    python benchmarks/kafka_chaos.py [--programs 5000] [--faults 200] [--brokers 3]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.kafka import chaos
from tests.kafka.broker import cluster
from tests.language_model.scripted import Answer, Asked, ScriptedServer
from tests.pipeline.oracle import knows, right_at_last, write_programs

from codeio.v1.records_pb2 import Sample
from executor_load import describe_machine

SOURCES = ["stdlib", "pypi:algorithms==1.0.1", "pypi:more-itertools==11.2.1"]


async def teacher(asked: Asked) -> Answer:
    if knows(asked.body["messages"][0]["content"]):
        return await right_at_last(asked)
    return Answer('I cannot tell.\n\n```json\n{"output": 0}\n```')


def different(one: dict[str, bytes], other: dict[str, bytes]) -> set[str]:
    """Return the ids of samples that are not the same in both runs."""
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def by_program(names: set[str], *runs: dict[str, bytes]) -> Counter[str]:
    """Return how many of the samples come of each program."""
    values = (next(run[name] for run in runs if name in run) for name in names)
    return Counter(Sample.FromString(value).task.program.program_id for value in values)


async def main(*, programs: int, faults: int, brokers: int, seed: int, sources: list[str]) -> None:
    describe_machine()
    server = ScriptedServer(teacher)
    with (
        tempfile.TemporaryDirectory(prefix="codeio-chaos-") as scratch,
        cluster(brokers) as hurt,
    ):
        folder = Path(scratch)
        work = folder / "hurt"
        work.mkdir()
        made = folder / "programs.jsonl"
        write_programs(made, programs)
        sources = [str(made), *sources]
        async with server.serving() as url:
            began = time.monotonic()
            outcome = await chaos.run(
                hurt,
                work,
                sources,
                teacher=url,
                harm=partial(chaos.random_faults, count=faults, seed=seed, say=print),
                replicas=min(3, brokers),
            )
            minutes = (time.monotonic() - began) / 60
            asked, repeated = server.asked, sum(n - 1 for n in server.answered.values())
            settings, _ = chaos.settings_for(hurt, work, teacher=url)
            began = time.monotonic()
            quiet = await chaos.quiet_run(folder, sources, settings=settings)
            quiet_minutes = (time.monotonic() - began) / 60
            asked_for_quiet = server.asked - asked
            found = outcome.samples
            others = different(quiet, found)
            again = quiet
            if others:
                again = await chaos.quiet_run(folder / "again", sources, settings=settings)
    lost = len(quiet.keys() - found.keys())
    unknown = len(found.keys() - quiet.keys())
    changed = len(others) - lost - unknown
    rows = {
        "samples of the quiet run": len(quiet),
        "samples of the hurt run": len(found),
        "  lost": lost,
        "  unknown to the quiet run": unknown,
        "  duplicated": outcome.repeated,
        "  changed": changed,
        "  that differ between two quiet runs": len(different(quiet, again)),
        "dead letters": outcome.dead,
        "faults": outcome.faults.total(),
        **{f"  {kind}": count for kind, count in sorted(outcome.faults.items())},
        "services that died in a step": outcome.died.total(),
        **{f"  at {step!r}": outcome.died[step] for step in chaos.STEPS},
        "services started": outcome.started,
        "asked of the teacher": asked,
        "  answered again, cut off before it was stored": repeated,
        "  by the quiet run, from the same store": asked_for_quiet,
    }
    for name, count in rows.items():
        print(f"{name:<48} {count:>9,}")
    for program, count in by_program(others, quiet, found).most_common():
        print(f"  differs: {count} samples of program {program}")
    for program, count in by_program(different(quiet, again), quiet, again).most_common():
        print(f"  differs without faults: {count} samples of program {program}")
    print(f"{'minutes, hurt':<48} {minutes:>9.1f}")
    print(f"{'minutes, quiet, answers stored':<48} {quiet_minutes:>9.1f}")
    wrong = lost + unknown + outcome.repeated + changed + outcome.dead + asked_for_quiet
    print(f"target: nothing lost, twice or other, no dead letter: {'MISSED' if wrong else 'met'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=5000)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--brokers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sources", nargs="*", default=SOURCES, help="as for `codeio run`")
    asyncio.run(main(**vars(parser.parse_args())))
