"""Runs the stage on the text of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from codeio.normalizer import Normalizer
from codeio.runtime.records import file_id
from codeio.runtime.settings import ExecutorSettings, LimitsSettings, NormalizerSettings
from codeio.v1.execution_pb2 import Call, ExecuteRequest, Outcome
from codeio.v1.records_pb2 import Program, RawFile, Rejection

if TYPE_CHECKING:
    from codeio.runtime.stage import Sandbox


class Normalize(Protocol):
    async def __call__(self, text: str) -> list[Program | Rejection]: ...


class Run(Protocol):
    async def __call__(self, program: Program, *inputs: str) -> list[str]: ...


@pytest.fixture
def normalize(sandbox: Sandbox) -> Normalize:
    stage = Normalizer(
        sandbox,
        settings=NormalizerSettings(),
        bar=ExecutorSettings(),
        limits=LimitsSettings(),
        seed=0,
    )

    async def run(text: str) -> list[Program | Rejection]:
        raw = RawFile(file_id=file_id(text), content=text, source="test", path="file.py")
        return [record async for record in stage.handle(raw)]

    return run


@pytest.fixture
def execute(sandbox: Sandbox) -> Run:
    """Run a program on inputs as the executor will, in a fresh process."""

    async def run(program: Program, *inputs: str) -> list[str]:
        calls = [Call(input_json=text) for text in inputs]
        request = ExecuteRequest(code=program.code, entry_point=program.entry_point, calls=calls)
        response = await sandbox.execute(request)
        return [
            r.output_json if r.outcome == Outcome.OUTCOME_OK else Outcome.Name(r.outcome)
            for r in response.results
        ]

    return run
