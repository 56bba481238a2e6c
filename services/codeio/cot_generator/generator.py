"""The stage: a task becomes attempts, an attempt that was wrong gets one more turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.cot_generator import prompts
from codeio.runtime.records import sample_id
from codeio.v1.records_pb2 import Attempt, PredictionTask

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

    async def handle(self, record: PredictionTask | Attempt) -> AsyncIterator[Attempt]:
        """Yield an attempt per sample of a task, or an attempt with one more turn.

        Raises:
            Rejected: the teacher has no answer.
            TransientError: the teacher may have one later.
        """
        if isinstance(record, Attempt):
            yield await self._revise(record)
            return
        for index in range(self._settings.samples_per_task):
            yield await self._attempt(record, index)

    async def _attempt(self, task: PredictionTask, index: int) -> Attempt:
        turn = await self._teacher.answer(
            task, prompt=prompts.question(task), conversation=(), sample_index=index
        )
        return Attempt(
            sample_id=sample_id(
                task_id=task.task_id,
                prompt_format=prompts.PROMPT_FORMAT,
                teacher=self._teacher.name,
                sample_index=index,
            ),
            sample_index=index,
            prompt_format=prompts.PROMPT_FORMAT,
            teacher=self._teacher.name,
            task=task,
            turns=[turn],
            turns_left=self._settings.turns,
        )

    async def _revise(self, attempt: Attempt) -> Attempt:
        turn = await self._teacher.answer(
            attempt.task,
            prompt=prompts.revision(attempt.turns[-1]),
            conversation=tuple(attempt.turns),
            sample_index=attempt.sample_index,
        )
        revised = Attempt()
        revised.CopyFrom(attempt)
        revised.turns.append(turn)
        revised.turns_left = max(0, attempt.turns_left - 1)
        return revised
