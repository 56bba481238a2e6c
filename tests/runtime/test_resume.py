"""A run that was killed over and over ends as one that nobody touched."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from codeio.runtime.feed import Feed
from codeio.runtime.local import LocalLog
from codeio.runtime.runner import run_stages
from codeio.runtime.topics import DEAD_LETTERS, TOPICS
from codeio.v1.records_pb2 import DeadLetter
from tests.runtime.crash import EVENTS
from tests.runtime.stages import raw_files, workers

if TYPE_CHECKING:
    from codeio.runtime.worker import Tally

FILES = 24
ROOT = Path(__file__).parents[2]


async def records(log: LocalLog) -> dict[str, list[bytes]]:
    """Return the bytes of all records by topic, sorted, repeats and all.

    A dead letter also tells where its record lay and which lines were run,
    which no two runs need to agree on.
    """
    found: dict[str, list[bytes]] = {}
    for name in TOPICS:
        found[name] = []
        async for message in log.read(name):
            value = message.value
            if name == DEAD_LETTERS.name:
                letter = DeadLetter.FromString(value)
                letter.ClearField("offset")
                letter.error = letter.error.splitlines()[0]
                value = letter.SerializeToString(deterministic=True)
            found[name].append(message.key + b" " + value)
        found[name].sort()
    return found


async def run(path: Path) -> tuple[dict[str, list[bytes]], dict[str, Tally]]:
    """Run to the end; return all records and what each stage has counted."""
    async with LocalLog(path) as log:
        carriers = workers(log)
        feed = Feed(log, raw_files(FILES))
        assert await run_stages(log, carriers, feed=feed)
        progress = [feed.progress, *(worker.progress for worker in carriers)]
        tallies = {stage.stage: stage.tally for stage in progress}
        for tally in tallies.values():
            tally.seconds, tally.retries = 0.0, 0
        return await records(log), tallies


async def crash(path: Path, seed: int) -> dict[str, int]:
    """Run to the end through kills; return their number by kind of moment."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.runtime.crash", path, str(FILES), str(seed)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    out, _ = await child.communicate()
    assert child.returncode == 0
    kills: dict[str, int] = json.loads(out)
    return kills


@pytest.mark.parametrize("seed", range(3))
async def test_kills_at_any_moment_lose_and_repeat_nothing(tmp_path: Path, seed: int) -> None:
    kills = await crash(tmp_path / "killed.sqlite", seed)
    assert kills.keys() == set(EVENTS), "every kind of moment was hit"
    assert await run(tmp_path / "killed.sqlite") == await run(tmp_path / "whole.sqlite")
