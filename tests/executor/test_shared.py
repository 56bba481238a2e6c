"""Requests that share a child get what they would have got alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from codeio.executor.sandbox.shared import SharedProcesses
from codeio.v1.execution_pb2 import Call, ExecuteRequest, ExecuteResponse, Outcome

if TYPE_CHECKING:
    from codeio.executor.sandbox.pool import Pool

CODE = (
    "import os\ndef main_solution(n):\n    if n == 13:\n        os._exit(1)\n    return 100 // n\n"
)


class Counting:
    """Passes requests on and counts them."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.sizes: list[int] = []

    async def execute(self, request: ExecuteRequest, /) -> ExecuteResponse:
        self.sizes.append(len(request.calls))
        return await self.pool.execute(request)


def asking(*numbers: int, replica: int = 0) -> ExecuteRequest:
    calls = [Call(input_json=f'{{"n": {n}}}') for n in numbers]
    return ExecuteRequest(code=CODE, entry_point="main_solution", calls=calls, replica=replica)


async def test_waiting_requests_for_one_program_share_a_child(sandbox: Pool) -> None:
    counting = Counting(sandbox)
    shared = SharedProcesses(counting, slots=1)
    answers = await asyncio.gather(*(shared.execute(asking(n, n + 1)) for n in range(1, 9)))
    for n, answer in enumerate(answers, start=1):
        assert [r.output_json for r in answer.results] == [str(100 // n), str(100 // (n + 1))]
    assert len(counting.sizes) <= 2


async def test_a_call_that_takes_others_down_costs_them_nothing(sandbox: Pool) -> None:
    shared = SharedProcesses(Counting(sandbox), slots=1)
    numbers = (1, 2, 13, 0, 5)
    answers = await asyncio.gather(*(shared.execute(asking(n)) for n in numbers))
    outcomes = [answer.results[0].outcome for answer in answers]
    assert outcomes == [
        Outcome.OUTCOME_OK,
        Outcome.OUTCOME_OK,
        Outcome.OUTCOME_EXITED,
        Outcome.OUTCOME_RAISED,
        Outcome.OUTCOME_OK,
    ]
    assert answers[4].results[0].output_json == "20"


async def test_other_requests_are_kept_apart(sandbox: Pool) -> None:
    counting = Counting(sandbox)
    shared = SharedProcesses(counting, slots=1)
    await asyncio.gather(shared.execute(asking(1)), shared.execute(asking(1, replica=1)))
    assert counting.sizes == [1, 1]


async def test_a_cancelled_request_leaves_its_company_alone(sandbox: Pool) -> None:
    shared = SharedProcesses(Counting(sandbox), slots=1)
    leaving, staying = (asyncio.create_task(shared.execute(asking(n))) for n in (4, 5))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).results[0].output_json == "20"
