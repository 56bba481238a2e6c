"""The stage: a task becomes attempts, an attempt that was wrong gets one more turn."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from codeio.cot_generator import prompts
from codeio.cot_generator.prompts import Format
from codeio.runtime import values
from codeio.runtime.errors import Rejected
from codeio.runtime.records import sample_id
from codeio.v1.records_pb2 import Attempt, Direction, PredictionTask, Turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.cot_generator.teacher import Teacher
    from codeio.runtime.settings import TeacherSettings


class CotGenerator:
    """Asks a teacher (paper, sections 2.2 and 2.3)."""

    name = "cot-generator"

    def __init__(self, teacher: Teacher, *, settings: TeacherSettings) -> None:
        self._teacher = teacher
        self._settings = settings
        self._format = Format.named(settings.prompt_format)

    async def handle(self, record: PredictionTask | Attempt) -> AsyncIterator[Attempt]:
        """Yield an attempt per sample of a task, or an attempt with one more turn.

        Raises:
            Rejected: the teacher has no answer.
            TransientError: the teacher may have one later.
        """
        if isinstance(record, Attempt):
            yield await self.revise(record)
            return
        for attempt in await self.generate(record):
            yield attempt

    async def generate(self, task: PredictionTask, *, samples: int = 0) -> list[Attempt]:
        """Return an attempt per sample of a task; 0: as many as the settings say.

        Raises:
            Rejected: the teacher has no answer at all.
            TransientError: the teacher may have one later.
        """
        indices = range(samples or self._settings.samples_per_task)
        # One that fails takes no other along, which may be paid for.
        found = await asyncio.gather(
            *(self._attempt(task, index) for index in indices), return_exceptions=True
        )
        attempts = [attempt for attempt in found if isinstance(attempt, Attempt)]
        errors = [error for error in found if isinstance(error, Exception)]
        refused = all(isinstance(error, Rejected) for error in errors)
        if errors and not (attempts and refused):
            raise errors[0] if len(errors) == 1 else ExceptionGroup("samples failed", errors)
        return attempts

    async def _attempt(self, task: PredictionTask, index: int) -> Attempt:
        turn = await self._first_turn(task, index)
        return Attempt(
            sample_id=sample_id(
                task_id=task.task_id,
                prompt_format=self._format.name,
                teacher=self._teacher.name,
                sample_index=index,
            ),
            sample_index=index,
            prompt_format=self._format.name,
            teacher=self._teacher.name,
            task=task,
            turns=[turn],
            turns_left=self._settings.turns if self._format.answers_rationale else 0,
        )

    async def _first_turn(self, task: PredictionTask, index: int) -> Turn:
        prompt = prompts.question(task, self._format)
        if not self._format.answers_rationale:
            return _reference(task, prompt)
        turn = await self._teacher.answer(
            task,
            prompt=prompts.question(task, self._format.for_teacher),
            conversation=(),
            sample_index=index,
        )
        turn.prompt = prompt
        if self._format.answers_code and turn.response:
            turn.response = f"{prompts.code_block(task)}\n\n{turn.response}"
        return turn

    async def revise(self, attempt: Attempt) -> Attempt:
        """Return an attempt, the last turn of which was judged wrong, with one more turn.

        Raises:
            Rejected: the teacher has no answer.
            TransientError: the teacher may have one later.
        """
        form = Format.named(attempt.prompt_format)
        first = Turn()
        first.CopyFrom(attempt.turns[0])
        first.prompt = prompts.question(attempt.task, form.for_teacher)
        turn = await self._teacher.answer(
            attempt.task,
            prompt=prompts.revision(attempt.turns[-1]),
            conversation=(first, *attempt.turns[1:]),
            sample_index=attempt.sample_index,
        )
        revised = Attempt()
        revised.CopyFrom(attempt)
        revised.turns.append(turn)
        revised.turns_left = max(0, attempt.turns_left - 1)
        return revised


def _reference(task: PredictionTask, prompt: str) -> Turn:
    """Return the turn that no teacher is needed for: the program itself, and the recorded answer.

    Raises:
        Rejected: the pair is damaged.
    """
    of_output = task.direction == Direction.DIRECTION_OUTPUT_PREDICTION
    try:
        answer = values.loads(task.pair.output_json if of_output else task.pair.input_json)
    except ValueError as error:
        raise Rejected("damaged_task", "the pair of the task is not JSON") from error
    response = f"{prompts.code_block(task)}\n\n{prompts.final_answer(task.direction, answer)}"
    return Turn(prompt=prompt, response=response, finish_reason="reference")
