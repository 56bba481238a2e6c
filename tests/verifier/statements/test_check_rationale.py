"""The check of a task's rationale runs the program on the input that the text is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codeio.runtime.errors import TransientError
from codeio.v1.records_pb2 import Direction, IoPair, PredictionTask, Program
from codeio.verifier.statements import Support, check_rationale

from .conftest import TOTAL

if TYPE_CHECKING:
    from codeio.runtime.stage import Sandbox
    from codeio.v1.execution_pb2 import ExecuteRequest, ExecuteResponse

OUTPUT = Direction.DIRECTION_OUTPUT_PREDICTION
INPUT = Direction.DIRECTION_INPUT_PREDICTION


def task(direction: Direction, *, code: str = TOTAL) -> PredictionTask:
    return PredictionTask(
        program=Program(code=code, entry_point="main_solution"),
        pair=IoPair(input_json='{"nums": [4, 9, 3], "limit": 15}', output_json="[13, 1]"),
        direction=direction,
    )


async def test_an_output_prediction_is_checked_on_the_given_input(sandbox: Sandbox) -> None:
    found = await check_rationale(
        sandbox, task(OUTPUT), "total is 13 in the end, skipped is 2.", trace_steps=200
    )
    assert [one.support for one in found] == [Support.SUPPORTED, Support.CONTRADICTED]


async def test_an_input_prediction_is_checked_on_the_predicted_input(sandbox: Sandbox) -> None:
    text = 'With {"nums": [13, 9], "limit": 15}: total is 13, skipped becomes 1.'
    predicted = '{"nums": [13, 9], "limit": 15}'
    found = await check_rationale(sandbox, task(INPUT), text, trace_steps=200, input_json=predicted)
    assert {one.support for one in found} == {Support.SUPPORTED}
    blind = await check_rationale(sandbox, task(INPUT), text, trace_steps=200)
    assert {one.support for one in blind} <= {Support.UNKNOWN}


async def test_other_inputs_that_the_text_names_are_run_too(sandbox: Sandbox) -> None:
    text = (
        '`{"nums": [7], "limit": 15}` makes total = 7, not enough.\n'
        'So I take `{"nums": [13, 9], "limit": 15}`: total = 7 there.'
    )
    found = await check_rationale(
        sandbox,
        task(INPUT),
        text,
        trace_steps=200,
        input_json='{"nums": [13, 9], "limit": 15}',
    )
    assert [one.support for one in found if one.subject == "total"] == [
        Support.SUPPORTED,
        Support.CONTRADICTED,
    ]


@pytest.mark.parametrize("code", ["def main_solution(n: return", "raise ValueError", ""])
async def test_a_program_that_does_not_load_contradicts_nothing(
    sandbox: Sandbox, code: str
) -> None:
    found = await check_rationale(sandbox, task(OUTPUT, code=code), "total is 14.", trace_steps=200)
    assert [one for one in found if one.support is Support.CONTRADICTED] == []


async def test_a_sandbox_that_fails_is_told_so() -> None:
    class Failing:
        async def execute(self, request: ExecuteRequest) -> ExecuteResponse:
            raise TransientError("gone")

    with pytest.raises(TransientError):
        await check_rationale(Failing(), task(OUTPUT), "total is 13.", trace_steps=200)
