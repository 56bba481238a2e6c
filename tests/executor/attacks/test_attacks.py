"""Every attack has its outcome, costs nobody else anything, and leaves the host as it was."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from codeio.executor.sandbox import make_pool
from codeio.executor.sandbox.job import interpreter_for
from codeio.runtime.settings import load_settings
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, Outcome
from tests.executor.attacks import (
    hangs,
    kernel,
    leaving,
    loading,
    memory,
    processes,
    reports,
    resources,
    tracing,
    values,
)
from tests.executor.jobs import pool_of
from tests.executor.witness import Witness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from codeio.executor.sandbox.pool import Pool
    from tests.executor.attacks.attack import Attack

FAMILIES = (resources, memory, processes, kernel, reports, values, hangs, loading, tracing)
ATTACKS: dict[str, Attack] = {
    attack.name: attack for family in FAMILIES for attack in family.ATTACKS
}

LIMITS = {"cpu_seconds": 1.5, "load_cpu_seconds": 1.5, "memory_bytes": 256 << 20}
# Sleepers are to be over soon, and whoever works is to have its processor time even on a
# machine with other things to do. The host meters from a call's second second on, and lays
# the first to it: less processor time than that would be none for a sleeper.
IMPATIENT, PATIENT = LIMITS | {"wall_factor": 1.1}, LIMITS | {"wall_factor": 8.0}

HONEST = (
    (
        "def main_solution(n):\n    return {'sum': sum(range(n))}\n",
        lambda n: {"sum": n * (n - 1) // 2},
    ),
    (
        "import numpy as np\ndef main_solution(n):\n    return {'sum': int(np.arange(n).sum())}\n",
        lambda n: {"sum": n * (n - 1) // 2},
    ),
    (
        "import json, os\n"
        "def main_solution(n):\n"
        "    with open('x', 'x') as file:\n"
        "        json.dump([n] * 3, file)\n"
        "    return [json.load(open('x')), os.listdir('.')]\n",
        lambda n: [[n] * 3, ["x"]],
    ),
    # More than a pipe holds.
    ("def main_solution(n):\n    return 'x' * (200_000 + n)\n", lambda n: "x" * (200_000 + n)),
)
# A line that brings a program to an interpreter with these modules.
SAME_INTERPRETER = ("", "# import threading\n", "# import numpy\n", "# import scipy\n")


@pytest.fixture(scope="module")
def canary() -> Iterator[Path]:
    """A secret of the host, in its files, in its environment, and at an address of its own."""
    with (
        tempfile.NamedTemporaryFile(prefix="codeio-canary") as file,
        socket.socket(socket.AF_UNIX) as listener,
        pytest.MonkeyPatch.context() as patch,
    ):
        file.write(b"sings")
        file.flush()
        with contextlib.suppress(OSError):  # another process of the tests has it already
            listener.bind("\0codeio-canary")
            listener.listen()
        patch.setenv("CODEIO_CANARY", "sings")
        yield Path(file.name)


@dataclass(frozen=True)
class Attacked:
    """A pool, and what it had to start."""

    pool: Pool
    witness: Witness

    async def made(self, attack: Attack) -> CallResult:
        started = time.monotonic()
        async with asyncio.timeout(attack.seconds + 60):
            [result] = (await self.pool.execute(attack.request())).results
        assert time.monotonic() - started < attack.seconds
        return result


@contextlib.asynccontextmanager
async def attacked_pool(limits: dict[str, float], *, workers: int = 2) -> AsyncIterator[Attacked]:
    settings = load_settings(flags={"limits": limits})
    witness = Witness(make_pool(settings, say=lambda _: None)._backend)
    async with pool_of(witness, settings.limits, workers=workers) as pool:
        await pool.start_all()
        yield Attacked(pool, witness)


@pytest.fixture(scope="module")
async def patient(canary: Path) -> AsyncIterator[Attacked]:
    async with attacked_pool(PATIENT) as pool:
        yield pool


@pytest.fixture(scope="module")
async def impatient(canary: Path) -> AsyncIterator[Attacked]:
    async with attacked_pool(IMPATIENT, workers=1) as pool:
        yield pool


@pytest.fixture
async def single(canary: Path) -> AsyncIterator[Attacked]:
    """One guest, so that each job comes to the place of the one before; nobody else was there."""
    async with attacked_pool(PATIENT, workers=1) as pool:
        yield pool


def honest(number: int, beside: Attack | None = None) -> tuple[ExecuteRequest, object]:
    """Return a job and its answer; it goes to the interpreter of the attack."""
    code, answer = HONEST[number % len(HONEST)]
    request = ExecuteRequest(
        code=code,
        entry_point="main_solution",
        calls=[Call(input_json=json.dumps({"n": number}))],
        replica=number // len(HONEST) & 1,
        unlimited_sizes=True,
    )
    if beside is not None:
        attacked = beside.request()
        request.code += SAME_INTERPRETER[interpreter_for(attacked) >> 2]
        request.replica, request.trace_steps = attacked.replica, attacked.trace_steps
    return request, answer(number)


async def check_honest(pool: Pool, numbers: range, beside: Attack | None = None) -> None:
    expected = [honest(number, beside) for number in numbers]
    answers = await asyncio.gather(*(pool.execute(request) for request, _ in expected))
    for answer, (request, value) in zip(answers, expected, strict=True):
        [result] = answer.results
        assert result.outcome == Outcome.OUTCOME_OK, (result, request)
        assert json.loads(result.output_json) == value


@pytest.mark.parametrize("name", ATTACKS)
async def test_each_attack_has_its_outcome_and_the_next_jobs_theirs(
    patient: Attacked, impatient: Attacked, name: str
) -> None:
    attack = ATTACKS[name]
    target = impatient if attack.outcome == Outcome.OUTCOME_WALL_TIMEOUT else patient
    guests = len(target.witness.guests)
    result = await target.made(attack)
    # On each slot, so on the attacked one as well.
    for number in range(len(HONEST)):
        await check_honest(target.pool, range(number, number + target.pool.workers), attack)
    assert not (complaint := attack.complaint(result)), complaint
    assert len(target.witness.guests) == guests, "it cost a sandbox"


@pytest.mark.parametrize("pair", leaving.PAIRS, ids=lambda pair: str(pair.name))
async def test_the_next_job_does_not_find(single: Attacked, pair: leaving.Pair) -> None:
    leave, look = pair.requests()
    for _ in range(pair.times):
        await single.made(leave)
        assert not (complaint := look.complaint(await single.made(look))), complaint
        await check_honest(single.pool, range(len(HONEST)), look)


async def test_honest_jobs_are_right_beside_all_attacks_and_after_them(patient: Attacked) -> None:
    beside = iter(range(len(ATTACKS)))

    async def attack_and_work(attack: Attack) -> None:
        with contextlib.suppress(Exception):  # what it must be is the other test's matter
            await patient.pool.execute(attack.request())
        number = next(beside)
        await check_honest(patient.pool, range(number, number + 1))

    quick = [attack for attack in ATTACKS.values() if "TIMEOUT" not in Outcome.Name(attack.outcome)]
    async with asyncio.timeout(200):
        await asyncio.gather(*map(attack_and_work, quick))
        await check_honest(patient.pool, range(100))


async def test_the_host_is_as_it_was(
    canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    running = set(psutil.Process().children(recursive=True))
    names = (
        "forks by every system call there is",
        "kills whoever it can name",
        "writes to the guest's own files",
        "finds another place to write to",
        "starts threads without end",
        "floods the reports with garbage",
        "leaves scratch by links that the kernel makes",
    )
    async with attacked_pool(PATIENT) as attacked:
        await asyncio.gather(*(attacked.made(ATTACKS[name]) for name in names))
    assert canary.read_bytes() == b"sings"
    assert os.environ["CODEIO_CANARY"] == "sings"
    left = set(psutil.Process().children(recursive=True)) - running
    assert not [process for process in left if process.is_running()]
    assert list(tmp_path.iterdir()) == []
