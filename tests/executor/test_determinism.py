"""The same job gives the same bytes, whatever else runs and in whichever order."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from codeio.executor.sandbox import make_pool
from codeio.runtime.settings import load_settings
from codeio.v1.execution_pb2 import Call, ExecuteRequest

if TYPE_CHECKING:
    from codeio.executor.sandbox.pool import Pool

JOBS = 200
PROGRAMS = (
    "def main_solution(n):\n    return [n * i for i in range(9)]\n",
    "def main_solution(n):\n    return list({'a', 'b', 'c', str(n), 'zz'}) + [hash(str(n)) % 97]\n",
    # Not seeded by the program.
    "import random\ndef main_solution(n):\n    return [random.random() for _ in range(n % 7)]\n",
    "import numpy as np\n"
    "def main_solution(n):\n    return [float(x) for x in np.random.rand(3).round(6)] + [n]\n",
    "def main_solution(n):\n    print('told', n)\n    raise ValueError({'n', str(n)})\n",
    "import statistics\ndef main_solution(n):\n    return statistics.pstdev([n, n + 1, n * n])\n",
    "kept = []\ndef main_solution(n):\n    kept.append(n)\n    return [len(kept), kept[0]]\n",
    "import os\ndef main_solution(n):\n    n % 5 == 3 and os._exit(1)\n    return n\n",
)


def job(number: int) -> ExecuteRequest:
    draw = random.Random(number)
    return ExecuteRequest(
        code=PROGRAMS[number % len(PROGRAMS)],
        entry_point="main_solution",
        calls=[
            Call(input_json=f'{{"n": {draw.randrange(100)}}}') for _ in range(draw.randint(1, 6))
        ],
        replica=number // len(PROGRAMS) & 1,
        trace_steps=300 if draw.random() < 0.3 else 0,
    )


async def answer(pool: Pool, number: int) -> bytes:
    response = await pool.execute(job(number))
    for result in response.results:
        # How long it took is the one thing that differs.
        result.ClearField("cpu_seconds")
    return response.SerializeToString(deterministic=True)


async def test_two_hundred_jobs_serially_and_at_full_load_give_the_same_bytes() -> None:
    settings = load_settings(flags={"sandbox": {"workers": 2}})
    async with make_pool(settings, say=lambda _: None) as pool:
        serially = [await answer(pool, number) for number in range(JOBS)]
    async with make_pool(settings, say=lambda _: None) as pool:
        order = random.Random(1).sample(range(JOBS), JOBS)
        loaded = dict(
            zip(
                order,
                await asyncio.gather(*(answer(pool, number) for number in order)),
                strict=True,
            )
        )
    assert [n for n in range(JOBS) if loaded[n] != serially[n]] == []
    # And they do say something.
    assert len(set(serially)) > JOBS * 0.8
