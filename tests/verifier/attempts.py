"""Attempts to judge, and a sandbox that answers by a script."""

from __future__ import annotations

from dataclasses import dataclass, field

from codeio.runtime.settings import LimitsSettings, VerifierSettings
from codeio.v1.execution_pb2 import CallResult, ExecuteRequest, ExecuteResponse, Outcome
from codeio.v1.records_pb2 import (
    Attempt,
    Direction,
    IoPair,
    PredictionTask,
    Program,
    Sample,
    Turn,
)
from codeio.verifier import Verifier

OUTPUT = Direction.DIRECTION_OUTPUT_PREDICTION
INPUT = Direction.DIRECTION_INPUT_PREDICTION

SQUARE = Program(
    program_id="square",
    code="def main_solution(n):\n    return {'square': n * n}\n",
    entry_point="main_solution",
)


@dataclass
class ScriptedSandbox:
    """Gives the same result to every call, and keeps what it was asked."""

    result: CallResult | None = None
    requests: list[ExecuteRequest] = field(default_factory=list)

    async def execute(self, request: ExecuteRequest) -> ExecuteResponse:
        self.requests.append(request)
        return ExecuteResponse(results=[] if self.result is None else [self.result])


def returning(output_json: str) -> ScriptedSandbox:
    return ScriptedSandbox(CallResult(outcome=Outcome.OUTCOME_OK, output_json=output_json))


def verifier(sandbox: object = None, *, revise: bool = False, **settings: object) -> Verifier:
    return Verifier(
        sandbox or ScriptedSandbox(),  # type: ignore[arg-type]
        # Tests of verdicts want no runs but those that verdicts need.
        settings=VerifierSettings.model_validate({"check_claims": False} | settings),
        limits=LimitsSettings(),
        revise=revise,
    )


def attempt(
    direction: Direction,
    *responses: str,
    program: Program = SQUARE,
    input_json: str = '{"n": 12}',
    output_json: str = '{"square": 144}',
    turns_left: int = 0,
) -> Attempt:
    return Attempt(
        sample_id="foreign/id 1",
        sample_index=3,
        prompt_format="plain",
        teacher="somebody",
        task=PredictionTask(
            task_id="foreign/task",
            program=program,
            pair=IoPair(input_json=input_json, output_json=output_json),
            direction=direction,
        ),
        turns=[Turn(prompt="?", response=response) for response in responses],
        turns_left=turns_left,
    )


async def outcome_of(stage: Verifier, given: Attempt) -> Sample | Attempt:
    """Return the one record that the stage yields."""
    [record] = [record async for record in stage.handle(given)]
    return record


async def sample_of(stage: Verifier, given: Attempt) -> Sample:
    record = await outcome_of(stage, given)
    assert isinstance(record, Sample)
    return record


def wrapped(direction: Direction, text: str) -> str:
    key = "output" if direction == OUTPUT else "input"
    return f'I worked it out.\n\n```json\n{{"{key}": {text}}}\n```'
