"""Every attack has its outcome, costs nobody else anything, and leaves the host as it was."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from codeio.executor.sandbox import make_pool
from codeio.runtime.settings import load_settings
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, Outcome
from tests.executor.attacks import (
    hangs,
    kernel,
    loading,
    processes,
    reports,
    resources,
    tracing,
    values,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from codeio.executor.sandbox.pool import Pool
    from tests.executor.attacks.attack import Attack

FAMILIES = (resources, processes, kernel, reports, values, hangs, loading, tracing)
ATTACKS: dict[str, Attack] = {
    attack.name: attack for family in FAMILIES for attack in family.ATTACKS
}

# Low, so that it is soon over. The host meters from a call's second second on, and
# lays the first to it: less processor time than that would be none for a sleeper.
LIMITS = {
    "cpu_seconds": 1.5,
    "load_cpu_seconds": 1.5,
    "wall_factor": 1.5,
    "memory_bytes": 256 << 20,
}

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
)


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


@pytest.fixture(scope="module")
async def attacked(canary: Path) -> AsyncIterator[Pool]:
    settings = load_settings(flags={"sandbox": {"workers": 2}, "limits": LIMITS})
    async with make_pool(settings, say=lambda _: None) as pool:
        await pool.start_all()
        yield pool


async def made(pool: Pool, attack: Attack) -> CallResult:
    started = time.monotonic()
    async with asyncio.timeout(attack.seconds + 60):
        results = (await pool.execute(attack.request())).results
    assert time.monotonic() - started < attack.seconds
    assert len(results) == 1
    return results[0]


def honest(number: int) -> tuple[ExecuteRequest, object]:
    code, answer = HONEST[number % len(HONEST)]
    request = ExecuteRequest(
        code=code,
        entry_point="main_solution",
        calls=[Call(input_json=json.dumps({"n": number}))],
        replica=number // len(HONEST) & 1,
    )
    return request, answer(number)


async def check_honest(pool: Pool, numbers: range) -> None:
    expected = [honest(number) for number in numbers]
    answers = await asyncio.gather(*(pool.execute(request) for request, _ in expected))
    for answer, (request, value) in zip(answers, expected, strict=True):
        [result] = answer.results
        assert result.outcome == Outcome.OUTCOME_OK, (result, request)
        assert json.loads(result.output_json) == value


@pytest.mark.parametrize("name", ATTACKS)
async def test_each_attack_has_its_outcome(attacked: Pool, name: str) -> None:
    attack = ATTACKS[name]
    result = await made(attacked, attack)
    assert not (complaint := attack.complaint(result)), complaint


async def test_honest_jobs_are_right_beside_all_attacks_and_after_them(attacked: Pool) -> None:
    beside = iter(range(len(ATTACKS)))

    async def attack_and_work(attack: Attack) -> None:
        with contextlib.suppress(Exception):  # what it must be is the other test's matter
            await attacked.execute(attack.request())
        number = next(beside)
        await check_honest(attacked, range(number, number + 1))

    quick = [attack for attack in ATTACKS.values() if "TIMEOUT" not in Outcome.Name(attack.outcome)]
    async with asyncio.timeout(200):
        await asyncio.gather(*map(attack_and_work, quick))
        await check_honest(attacked, range(100))


async def test_the_host_is_as_it_was(canary: Path) -> None:
    before = set(Path(tempfile.gettempdir()).glob("codeio-*"))
    running = set(psutil.Process().children(recursive=True))
    settings = load_settings(flags={"sandbox": {"workers": 2}, "limits": LIMITS})
    names = (
        "forks by every system call there is",
        "kills whoever it can name",
        "writes to the guest's own files",
        "finds another place to write to",
        "starts threads without end",
        "floods the reports with garbage",
    )
    async with make_pool(settings, say=lambda _: None) as pool:
        await asyncio.gather(*(made(pool, ATTACKS[name]) for name in names))
    assert canary.read_bytes() == b"sings"
    assert os.environ["CODEIO_CANARY"] == "sings"
    left = set(psutil.Process().children(recursive=True)) - running
    assert not [process for process in left if process.is_running()]
    assert set(Path(tempfile.gettempdir()).glob("codeio-*")) == before
