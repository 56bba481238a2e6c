"""Runs of small programs that the statements of the tests are about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from codeio.runtime.trace import Source
from codeio.v1.execution_pb2 import Call, ExecuteRequest
from codeio.verifier.statements import Run, find_statements, run_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeio.runtime.stage import Sandbox
    from codeio.verifier.statements import Statement

TOTAL = (
    "def main_solution(nums, limit):\n"
    "    total = 0\n"
    "    skipped = 0\n"
    "    for x in nums:\n"
    "        if total + x > limit:\n"
    "            skipped += 1\n"
    "            continue\n"
    "        total += x\n"
    "    return [total, skipped]\n"
)
DIGITS = (
    "def main_solution(n, base):\n"
    "    digits = []\n"
    "    while n > 0:\n"
    "        n, r = divmod(n, base)\n"
    "        digits.append(r)\n"
    "    digits.reverse()\n"
    "    mean = sum(digits) / len(digits)\n"
    '    return {"digits": digits, "mean": mean}\n'
)
GCD = (
    "def gcd(a, b):\n"
    "    if b == 0:\n"
    "        return a\n"
    "    return gcd(b, a % b)\n"
    "def main_solution(values):\n"
    "    g = 0\n"
    "    for v in values:\n"
    "        g = gcd(g, v)\n"
    "        if g == 1:\n"
    "            break\n"
    "    return g\n"
)
RANGES = (
    "def main_solution(text):\n"
    "    kept = []\n"
    "    for i in range(len(text)):\n"
    "        if text[i].isalpha():\n"
    "            kept.append(text[i])\n"
    "    return kept\n"
)
CALLS = {
    "total": (TOTAL, {"nums": [4, 9, 3, 8, 2], "limit": 15}),
    "digits": (DIGITS, {"n": 83, "base": 4}),
    "ranges": (RANGES, {"text": "a-i"}),
    "gcd": (GCD, {"values": [24, 36, 60]}),
}


@pytest.fixture(scope="session")
async def runs(sandbox: Sandbox) -> dict[str, Run]:
    found = {}
    for name, (code, given) in CALLS.items():
        response = await sandbox.execute(
            ExecuteRequest(
                code=code,
                entry_point="main_solution",
                calls=[Call(input_json=json.dumps(given))],
                trace_steps=500,
                unlimited_sizes=True,
            )
        )
        run = run_of(Source(code), response.results[0])
        assert run is not None
        found[name] = run
    return found


@pytest.fixture(scope="session")
def read(runs: dict[str, Run]) -> Callable[..., list[Statement]]:
    """Read a text about the run of a program."""

    def find(program: str, text: str, *, output_prediction: bool = True) -> list[Statement]:
        run = runs[program]
        return find_statements(text, run.source, [run], output_prediction=output_prediction)

    return find
