"""The recipe as processes on a broker, under faults that come at random.

Each service is a process that is started again when it ends, as Kubernetes
would. The teacher is a scripted endpoint that is wrong at first, so every
sample goes through the revision loop. A run counts the faults it made.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from codeio.collect import Collector
from codeio.pipeline.broker.status import StageStatus, stage_statuses
from codeio.pipeline.broker.submit import submit
from codeio.pipeline.recipe import Recipe, run_recipe
from codeio.runtime.errors import CodeioError
from codeio.runtime.jsonl import read_records
from codeio.runtime.kafka import KafkaLog
from codeio.runtime.kafka.topics import apply_topics
from codeio.runtime.settings import Settings, load_settings
from codeio.runtime.topics import DEAD_LETTERS, FLOWS, SAMPLES
from codeio.v1.records_pb2 import Sample
from tests.kafka.broker import settle
from tests.kafka.service import AT_WORK, DYING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from tests.kafka.broker import Cluster

ROOT = Path(__file__).parents[2]
STEPS = ("begin", "sent", "positions", "flushed", "committed")
_ZOMBIE_SECONDS = 4.0
_ZOMBIE_ENDS_SECONDS = 30.0
_CALM_SECONDS = 1.0
_LOOK_SECONDS = 0.1
_STUCK_SECONDS = 120.0
_SAID = 2000
MOST_IN_FLIGHT = 32


@dataclass
class Outcome:
    """What a run made."""

    samples: dict[str, bytes]
    repeated: int
    """Samples beyond the first of an id."""
    dead: int
    faults: Counter[str] = field(default_factory=Counter)
    died: Counter[str] = field(default_factory=Counter)
    """How often a service got to the step that it was to die at."""
    started: int = 0
    """Processes of services."""


class Service:
    """A stage's process, started again whenever it ends."""

    def __init__(self, stage: str, config: Path, folder: Path) -> None:
        self.stage = stage
        self._config = config
        self._log = folder / f"{stage}.log"
        self._fatal = ""
        self._ending = False
        self.process: asyncio.subprocess.Process
        self._log_begins = 0
        self.started = 0

    async def keep_running(self) -> None:
        process = await self.start()
        while True:
            await process.wait()
            if self.process is not process:
                process = self.process  # that was a zombie, and this has its place
            elif self._ending:
                return
            else:
                process = await self.start()

    async def start(self) -> asyncio.subprocess.Process:
        fatal, self._fatal = self._fatal, ""
        command = [sys.executable, "-W", "ignore", "-m", "tests.kafka.service", self.stage]
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'services'}"}
        with self._log.open("ab") as log:
            self._log_begins = log.tell()
            self.process = await asyncio.create_subprocess_exec(
                *command, str(self._config), fatal, stdout=log, stderr=log, env=environment
            )
        self.started += 1
        if self._ending:  # said while this was being started
            self._signal(signal.SIGTERM)
        return self.process

    def at_work(self) -> bool:
        """Tell whether the process has got as far as to read from the broker."""
        return AT_WORK in self.said(self._log_begins)

    def said(self, since: int = 0) -> str:
        """Return what its processes have said, from a place in their log on."""
        return self._log.read_bytes()[since:].decode(errors="replace")

    def die_next_at(self, step: str, count: int) -> None:
        """Have the next process kill itself at a step of a transaction."""
        self._fatal = f"{step}:{count}"

    def died(self) -> Counter[str]:
        """Return at which steps its processes killed themselves, and how often."""
        lines = self.said().splitlines()
        return Counter(line.removeprefix(DYING) for line in lines if line.startswith(DYING))

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.process.returncode is None:
            with suppress(ProcessLookupError):  # it may have ended just now
                self.process.send_signal(number)

    def end(self) -> None:
        self._ending = True
        self._signal(signal.SIGTERM)

    async def become_zombie(self) -> None:
        """Stop the process, let another take its place, and let it go on when that works."""
        zombie = self.process
        if zombie.returncode is not None:
            return
        try:
            zombie.send_signal(signal.SIGSTOP)
        except ProcessLookupError:
            return  # it has ended just now
        successor = await self.start()
        await asyncio.sleep(_ZOMBIE_SECONDS)
        with suppress(ProcessLookupError):  # it may have been ending when it was stopped
            zombie.send_signal(signal.SIGCONT)
        # One of the two finds out that the other has its place, and ends by itself.
        both = [asyncio.create_task(p.wait()) for p in (zombie, successor)]
        ended, _ = await asyncio.wait(
            both, timeout=_ZOMBIE_ENDS_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        assert ended, f"of two {self.stage}s in one slot none has ended"
        if both[0] not in ended:
            self.process = zombie


def settings_for(
    cluster: Cluster, folder: Path, *, teacher: str, replicas: int = 1
) -> tuple[Settings, Path]:
    """Return the settings of a chaos run and the file that holds them for its processes."""
    flags: dict[str, Any] = {
        "kafka": {
            "bootstrap_servers": cluster.bootstrap,
            "partitions": 3,
            "replicas": replicas,
            "session_seconds": 2,
            "transaction_seconds": 5,
            "slot": "only",
            "prefix": f"{folder.name}.",
        },
        "executor": {"pairs_per_program": 2, "tasks_per_program": 4, "min_pairs": 2},
        "teacher": {
            "kind": "openai",
            "model": "scripted",
            "base_url": teacher,
            "turns": 1,
            "max_in_flight": MOST_IN_FLIGHT,
            "store": str(folder / "responses.sqlite"),
        },
        "sandbox": {"workers": 1},
        "worker": {"drain_seconds": 5},
    }
    return load_settings(flags=flags), _written(folder / "settings.yaml", flags)


def _written(path: Path, flags: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(flags))
    return path


@asynccontextmanager
async def services(config: Path, folder: Path) -> AsyncIterator[dict[str, Service]]:
    running = {stage: Service(stage, config, folder) for stage in FLOWS}
    async with asyncio.TaskGroup() as tasks:
        kept = [tasks.create_task(service.keep_running()) for service in running.values()]
        try:
            yield running
        except Exception as error:
            for service in running.values():
                error.add_note(f"the {service.stage} said last:\n{service.said()[-_SAID:]}")
            raise
        finally:
            for service in running.values():
                service.end()
            async with asyncio.timeout(_STUCK_SECONDS):
                await asyncio.gather(*kept)


async def quiet_run(
    folder: Path, sources: Sequence[str], *, settings: Settings
) -> dict[str, bytes]:
    """Pass the programs through the same stages in one process, without a broker or a fault."""
    recipe = Recipe(
        sources=tuple(sources), out=folder / "run", settings=settings, limit=None, command=""
    )
    await run_recipe(recipe, say=lambda _: None)
    samples = read_records(folder / "run" / "samples.jsonl.zst", Sample)
    return {sample.sample_id: SAMPLES.encode(sample).value for sample in samples}


async def run(
    cluster: Cluster,
    folder: Path,
    sources: Sequence[str],
    *,
    teacher: str,
    harm: Callable[[Cluster, dict[str, Service]], Awaitable[Counter[str]]] | None = None,
    replicas: int = 1,
) -> Outcome:
    """Pass programs through all stages, under the faults that `harm` makes."""
    settings, config = settings_for(cluster, folder, teacher=teacher, replicas=replicas)
    apply_topics(settings.kafka)
    submitting = settings.kafka.model_copy(update={"slot": ""})
    await submit(sources, Collector(settings.collect, limit=None), submitting)
    faults: Counter[str] = Counter()
    async with services(config, folder) as running:
        if harm:
            faults = await harm(cluster, running)
        async with KafkaLog(submitting) as log:
            await drained(log)
    await asyncio.to_thread(settle, cluster.bootstrap)
    async with KafkaLog(submitting) as log:
        found = [message async for message in log.read(SAMPLES.name)]
        dead = len([message async for message in log.read(DEAD_LETTERS.name)])
    samples = {message.key.decode(): message.value for message in found}
    return Outcome(
        samples,
        repeated=len(found) - len(samples),
        dead=dead,
        faults=faults,
        died=sum((service.died() for service in running.values()), Counter()),
        started=sum(service.started for service in running.values()),
    )


async def drained(log: KafkaLog) -> None:
    """Return when no stage has anything left to do; fail once none gets any further."""
    statuses: list[StageStatus] = []
    moved = time.monotonic()
    while True:
        try:
            async with asyncio.timeout(_STUCK_SECONDS):
                found = await stage_statuses(log)
        except CodeioError:
            found = statuses  # a broker was hurt a moment ago
        else:
            if not any(status.lag for status in found):
                return
        if found != statuses:
            statuses, moved = found, time.monotonic()
        assert time.monotonic() - moved < _STUCK_SECONDS, f"no stage gets any further: {statuses}"
        await asyncio.sleep(_CALM_SECONDS)


async def random_faults(
    cluster: Cluster,
    running: dict[str, Service],
    *,
    count: int,
    seed: int,
    say: Callable[[str], None] = lambda _: None,
) -> Counter[str]:
    """Make so many faults, one after another, with a moment of work between them."""
    chance = random.Random(seed)
    made: Counter[str] = Counter()
    kinds = ["kill"] * 9 + ["step"] * 7 + ["zombie"] * 2 + ["broker stopped", "broker killed"]
    for number in range(count):
        await asyncio.sleep(chance.uniform(0.5, 2.0))
        kind = kinds[number % len(kinds)]
        service = await _one_at_work(running, chance)
        match kind:
            case "kill":
                service.kill()
            case "step":
                step = chance.choice(STEPS)
                service.die_next_at(step, chance.randint(1, 5))
                kind = f"killed at step {step!r}"
                service.kill()
            case "zombie":
                await service.become_zombie()
            case "broker stopped" | "broker killed":
                broker = chance.choice(cluster.brokers)
                await asyncio.to_thread(broker.stop if kind == "broker stopped" else broker.kill)
                await asyncio.sleep(chance.uniform(0.0, 2.0))
                await asyncio.to_thread(broker.start)
        made[kind] += 1
        say(f"fault {number + 1} of {count}: {kind}")
    return made


async def _one_at_work(running: dict[str, Service], chance: random.Random) -> Service:
    """Choose a service; one that is still starting has nothing to lose."""
    async with asyncio.timeout(_STUCK_SECONDS):
        while True:
            if ready := [service for service in running.values() if service.at_work()]:
                return chance.choice(ready)
            await asyncio.sleep(_LOOK_SECONDS)
