"""The generator behind gRPC, as its client sees it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from codeio.client import (
    AsyncCotGeneratorClient,
    CotGeneratorClient,
    InvalidRequest,
    Refused,
    Unavailable,
)
from codeio.cot_generator import CotGenerator, TraceTeacher
from codeio.cot_generator.service import CotGeneratorServicer
from codeio.pipeline.services.cot_generator import service
from codeio.runtime import errors, records
from codeio.runtime.settings import TeacherSettings
from codeio.v1.records_pb2 import Attempt, Direction, PredictionTask, Turn, Verdict
from tests.cot_generator.test_generator import TASK
from tests.servers import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from codeio.cot_generator import Teacher


class Scripted:
    """Answers, or raises, by the number of the sample."""

    name = "scripted-0"

    def __init__(self, *script: str | Exception) -> None:
        self._script = script
        self.asked = 0

    async def answer(
        self, task: PredictionTask, *, prompt: str, conversation: Sequence[Turn], sample_index: int
    ) -> Turn:
        self.asked += 1
        said = self._script[sample_index % len(self._script)]
        if isinstance(said, Exception):
            raise said
        return Turn(prompt=prompt, response=said)


@asynccontextmanager
async def generator(teacher: Teacher, **settings: Any) -> AsyncIterator[str]:
    chosen = TeacherSettings(**settings)
    stage = CotGenerator(teacher, settings=chosen)
    servicer = CotGeneratorServicer(lambda: stage, slots=2, settings=chosen)
    async with serving(servicer, service=service) as server:
        yield server.address


def changed(**fields: Any) -> PredictionTask:
    task = PredictionTask()
    task.CopyFrom(TASK)
    for name, value in fields.items():
        field = getattr(task, name)
        if isinstance(value, dict):
            for inner, text in value.items():
                setattr(field, inner, text)
        else:
            setattr(task, name, value)
    return task


async def test_the_trace_teacher_answers_in_a_real_sandbox(sandbox: Any) -> None:
    settings = TeacherSettings()
    teacher = TraceTeacher(sandbox, settings=settings)
    stage = CotGenerator(teacher, settings=settings)
    made = [attempt async for attempt in stage.handle(TASK)]
    async with generator(teacher) as address, AsyncCotGeneratorClient(address) as remote:
        attempts = await remote.generate(TASK)
    assert attempts == made
    assert '"output": 42' in attempts[0].turns[0].response


async def test_as_many_samples_as_are_asked_for() -> None:
    def work(address: str) -> list[Attempt]:
        with CotGeneratorClient(address) as remote:
            return remote.generate(TASK, samples=3)

    async with generator(Scripted("a", "b", "c"), samples_per_task=2) as address:
        async with AsyncCotGeneratorClient(address) as remote:
            usual = await remote.generate(TASK)
        more = await asyncio.to_thread(work, address)
    assert [each.turns[0].response for each in usual] == ["a", "b"]
    assert [each.turns[0].response for each in more] == ["a", "b", "c"]
    # The same question is the same sample.
    assert [each.sample_id for each in more[:2]] == [each.sample_id for each in usual]


async def test_a_task_without_an_id_gets_the_pipelines() -> None:
    async with (
        generator(Scripted("a")) as address,
        AsyncCotGeneratorClient(address) as remote,
    ):
        [named] = await remote.generate(changed(task_id=""))
        [kept] = await remote.generate(TASK)
    program = TASK.program
    program_id = records.program_id(
        code=program.code, entry_point=program.entry_point, origin=program.origin
    )
    assert named.task.program.program_id == program_id
    assert named.task.task_id == records.task_id(
        program_id=program_id, pair=TASK.pair, direction=TASK.direction
    )
    assert kept.task == TASK


async def test_a_wrong_attempt_gets_one_more_turn() -> None:
    async with (
        generator(Scripted("again"), turns=2) as address,
        AsyncCotGeneratorClient(address) as remote,
    ):
        [attempt] = await remote.generate(TASK)
        with pytest.raises(InvalidRequest, match="no last turn with feedback"):
            await remote.revise(attempt)
        attempt.turns[-1].verdict = Verdict.VERDICT_WRONG
        attempt.turns[-1].feedback = "41 is not it."
        revised = await remote.revise(attempt)
        attempt.prompt_format = "poem"
        with pytest.raises(InvalidRequest, match="no prompt format 'poem'; choose among query"):
            await remote.revise(attempt)
    assert (len(revised.turns), revised.turns_left) == (2, 1)
    assert revised.turns[0] == attempt.turns[0]
    assert "41 is not it." in revised.turns[1].prompt


async def test_some_refusals_leave_the_other_samples() -> None:
    teacher = Scripted(errors.Rejected("declined", "no"), "b")
    async with generator(teacher) as address, AsyncCotGeneratorClient(address) as remote:
        attempts = await remote.generate(TASK, samples=2)
        assert [each.sample_index for each in attempts] == [1]
        with pytest.raises(Refused, match="declined: no"):
            await remote.generate(TASK, samples=1)
    # A refusal is not asked again.
    assert teacher.asked == 3


@pytest.mark.parametrize(
    "failure",
    [errors.TransientError("gone", retry_after=0.01), errors.Stopped("the budget is used up")],
)
async def test_a_teacher_that_cannot_answer_now_is_unavailable(failure: Exception) -> None:
    async with (
        generator(Scripted(failure)) as address,
        AsyncCotGeneratorClient(address) as remote,
    ):
        with pytest.raises(Unavailable, match=str(failure)):
            await remote.generate(TASK)


@pytest.mark.parametrize(
    ("task", "samples", "told"),
    [
        (TASK, -1, "samples is -1; give 1 to 256"),
        (TASK, 257, "samples is 257"),
        (changed(direction=Direction.DIRECTION_UNSPECIFIED), 0, "there is no direction 0"),
        (changed(program={"code": ""}), 0, "the task has no program"),
        (changed(program={"entry_point": ""}), 0, "the task has no program"),
        (changed(pair={"input_json": "{"}), 0, "input_json of the pair is not JSON"),
        (changed(pair={"output_json": ""}), 0, "output_json of the pair is not JSON"),
    ],
)
async def test_a_wrong_request_is_told_so(task: PredictionTask, samples: int, told: str) -> None:
    teacher = Scripted("a")
    async with generator(teacher) as address, AsyncCotGeneratorClient(address) as remote:
        with pytest.raises(InvalidRequest, match=told):
            await remote.generate(task, samples=samples)
        if task is not TASK:
            attempt = Attempt(
                task=task,
                prompt_format=TeacherSettings().prompt_format,
                turns=[Turn(response="x", feedback="no")],
            )
            with pytest.raises(InvalidRequest, match=told):
                await remote.revise(attempt)
    assert teacher.asked == 0
