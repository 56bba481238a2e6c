"""The recipe through a broker beside the recipe in one process: the same bytes?

Takes the same files through `codeio run` and, on a real broker, through all services
in one process as `codeio serve all` runs them, from `submit` to `snapshot`. Compares
the samples and the data set file by file, byte by byte, and prints how long each way
took; both wrote the card, which names the settings.

    python benchmarks/broker_equals_run.py [SOURCE] [--limit N]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.kafka.broker import cluster
from tests.kafka.chaos import drained

from codeio.collect import Collector
from codeio.executor.sandbox import make_pool
from codeio.pipeline.broker.snapshot import take_snapshot
from codeio.pipeline.broker.submit import submit
from codeio.pipeline.recipe import Recipe, run_recipe
from codeio.pipeline.working import working
from codeio.pipeline.workshop import open_workshop
from codeio.runtime.kafka import KafkaLog
from codeio.runtime.kafka.topics import apply_topics
from codeio.runtime.settings import Settings, load_settings
from codeio.runtime.topics import FLOWS
from executor_load import describe_machine
from recipe import ELSE

COMMAND = "codeio"
SAMPLES = "samples.jsonl.zst"


async def through_run(source: str, limit: int, out: Path, settings: Settings) -> None:
    recipe = Recipe(sources=(source,), out=out, settings=settings, limit=limit, command=COMMAND)
    await run_recipe(recipe, say=lambda _: None)


async def through_services(source: str, limit: int, out: Path, settings: Settings) -> None:
    apply_topics(settings.kafka)
    async with (
        KafkaLog(settings.kafka) as log,
        open_workshop(settings, make_pool(settings, say=lambda _: None)) as workshop,
        working(tuple(FLOWS), log, settings, workshop),
    ):
        await submit([source], Collector(settings.collect, limit=limit), settings.kafka)
        await drained(log)
    await take_snapshot(settings, str(out), formats=(), command=COMMAND)


def contents(out: Path) -> dict[str, bytes]:
    files = [out / SAMPLES, *(p for p in (out / "dataset").rglob("*") if p.is_file())]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


async def main(*, source: str, limit: int) -> int:
    describe_machine()
    with tempfile.TemporaryDirectory(prefix="codeio-benchmark-") as scratch, cluster() as brokers:
        kafka = {"bootstrap_servers": brokers.bootstrap, "partitions": 3, "replicas": 1}
        settings = load_settings(flags={"kafka": kafka, "teacher": {"kind": "trace"}})
        found: dict[str, dict[str, bytes]] = {}
        ways = {"codeio run": through_run, "services on a broker": through_services}
        for name, way in ways.items():
            out = Path(scratch) / name
            began = time.monotonic()
            await way(source, limit, out, settings)
            found[name] = contents(out)
            print(f"{name:<22} {time.monotonic() - began:>8.0f} s, {limit} files of {source}")
    run, services = found.values()
    differing = [
        name for name in sorted(run.keys() | services) if run.get(name) != services.get(name)
    ]
    for name in sorted(run):
        print(f"  {name:<36} {len(run[name]):>12,} B  {'OTHER' if name in differing else 'same'}")
    print(
        f"{len(run)} files, {len(differing)} of them other "
        f"(target 0: {'missed' if differing else 'met'})"
    )
    return 1 if differing else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", default=ELSE)
    parser.add_argument("--limit", type=int, default=200)
    sys.exit(asyncio.run(main(**vars(parser.parse_args()))))
