"""The launcher with many TrainingRuns at once, suspended so that no pod starts.

    python benchmarks/launcher.py [RUNS]

Prints seconds until all have their Jobs and a status, calls of the API server a
run, memory, and the same for a launcher that begins anew and finds all done. On
the cluster of KUBECONFIG, where the definition must be installed, or else on the
tests' pretended API server in this process, whose time and memory then count too.
"""

from __future__ import annotations

import asyncio
import copy
import os
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.trainer_launcher.fake import FakeCluster, serving

from codeio.runtime.metrics import LAUNCHER_API_CALLS
from codeio.runtime.settings import TrainerLauncherSettings
from codeio.trainer_launcher.api import RUNS, Api, connect
from codeio.trainer_launcher.launcher import Launcher
from codeio.training_run.manifest import KIND

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PREFIX = "bench-launcher-"
SPEC: dict[str, Any] = {
    "model": {"path": "model", "volume": "models"},
    "data": {"reasoning": [{"path": "snapshot", "volume": "data"}]},
    "checkpoints": {"path": "runs", "volume": "work"},
    "suspend": True,
}
SETTINGS = TrainerLauncherSettings(image="codeio-trainer:none")


@asynccontextmanager
async def cluster() -> AsyncIterator[Api]:
    if os.environ.get("KUBECONFIG"):
        async with await connect(os.environ.get("NAMESPACE", "")) as api:
            yield api
        return
    async with serving(FakeCluster()) as client, client() as api:
        yield api


def calls() -> Counter[str]:
    [metric] = LAUNCHER_API_CALLS.collect()
    return Counter({each.labels["verb"]: int(each.value) for each in metric.samples if each.value})


async def reconcile_all(api: Api, count: int) -> tuple[float, Counter[str], int]:
    """Run a launcher until all runs are told of; return seconds, calls and bytes in memory."""
    before, began = calls(), time.monotonic()
    launcher = Launcher(api, settings=SETTINGS)
    task = asyncio.create_task(launcher.run())

    def told() -> int:
        return sum(
            run["metadata"]["name"].startswith(PREFIX) and "status" in run for run in launcher.runs
        )

    while told() < count or not launcher.queue.idle:
        if task.done():
            task.result()
        await asyncio.sleep(0.02)
    seconds = time.monotonic() - began
    memory = psutil.Process().memory_info().rss
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return seconds, calls() - before, memory


async def main(count: int) -> None:
    async with cluster() as api:
        idle = psutil.Process().memory_info().rss
        where = "cluster of KUBECONFIG" if os.environ.get("KUBECONFIG") else "pretended cluster"
        print(f"{count} suspended TrainingRuns on the {where}; {idle >> 20} MiB before")
        made = [
            {
                "apiVersion": RUNS.api_version,
                "kind": KIND,
                "metadata": {"name": f"{PREFIX}{number:04}"},
                "spec": copy.deepcopy(SPEC),
            }
            for number in range(count)
        ]
        try:
            for begin in range(0, count, 16):
                await asyncio.gather(*(api.create(RUNS, run) for run in made[begin : begin + 16]))
            for what in ("all new", "begun anew"):
                seconds, asked, memory = await reconcile_all(api, count)
                each = ", ".join(f"{verb} {number}" for verb, number in sorted(asked.items()))
                print(
                    f"{what}: {seconds:.1f} s, {asked.total() / count:.2f} calls a run ({each}), "
                    f"{memory >> 20} MiB"
                )
        finally:
            runs, _ = await api.list(RUNS)
            for run in runs:
                if run["metadata"]["name"].startswith(PREFIX):
                    await api.delete(RUNS, run)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
