"""Jobs as a test asks for them, and their answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from codeio.executor.sandbox.pool import Pool
from codeio.runtime.settings import LimitsSettings, SandboxSettings
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, Outcome

if TYPE_CHECKING:
    from codeio.executor.sandbox.backends import Backend
    from codeio.runtime.stage import Sandbox

HONEST = "def main_solution(a):\n    return a + 1\n"
# The first call is over at once; the others take more time than any test has.
ONE_QUICK_CALL = (
    "import time\n"
    "def main_solution(a):\n"
    "    while a:\n"
    "        time.sleep(3600)\n"
    "    return 'quick'\n"
)


def request(code: str, *inputs: Any, **options: Any) -> ExecuteRequest:
    return ExecuteRequest(
        code=code,
        entry_point="main_solution",
        calls=[Call(input_json=json.dumps(given)) for given in inputs],
        **options,
    )


async def call(sandbox: Sandbox, code: str, *inputs: Any, **options: Any) -> list[CallResult]:
    return list((await sandbox.execute(request(code, *inputs, **options))).results)


async def answer(sandbox: Sandbox, code: str, **arguments: Any) -> Any:
    [result] = await call(sandbox, code, arguments, unlimited_sizes=True)
    assert result.outcome == Outcome.OUTCOME_OK, result
    return json.loads(result.output_json)


async def works(sandbox: Sandbox) -> bool:
    return bool(await answer(sandbox, HONEST, a=1) == 2)


def outcomes(results: list[CallResult]) -> list[str]:
    return [Outcome.Name(result.outcome).removeprefix("OUTCOME_") for result in results]


def pool_of(
    backend: Backend,
    limits: LimitsSettings | None = None,
    *,
    workers: int = 1,
    reserved: int = 0,
    **settings: Any,
) -> Pool:
    return Pool(
        backend,
        limits=limits or LimitsSettings(),
        settings=SandboxSettings(**settings),
        workers=workers,
        reserved=reserved,
    )
