"""Judges answers by the verifier's rules: outputs compared, inputs executed in the sandbox."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.study.plan import Direction

from codeio.executor.sandbox import make_pool
from codeio.runtime.errors import TransientError
from codeio.runtime.settings import load_settings
from codeio.v1.records_pb2 import Direction as RecordDirection
from codeio.v1.records_pb2 import IoPair, PredictionTask, Program, Turn, Verdict
from codeio.verifier.judge import Judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.study.questions import Question

_DIRECTIONS = {
    Direction.OUTPUT: RecordDirection.DIRECTION_OUTPUT_PREDICTION,
    Direction.INPUT: RecordDirection.DIRECTION_INPUT_PREDICTION,
}
_TRIES = 3


@dataclass(frozen=True)
class Given:
    """An answer to a question: a whole response, or the answer alone as JSON."""

    question: Question
    response: str = ""
    answer_json: str = ""


def grade(answers: Sequence[Given]) -> list[str]:
    """Return the verdict on each answer: `CORRECT`, `WRONG`, `UNPARSABLE`, `FAILED` or `TIMEOUT`.

    Raises:
        UsageError: the sandbox cannot be had on this machine.
        TransientError: it failed again and again.
    """
    return asyncio.run(_grade(answers))


async def _grade(answers: Sequence[Given]) -> list[str]:
    settings = load_settings()
    at_once = asyncio.Semaphore(2 * (os.cpu_count() or 1))
    async with make_pool(settings, say=print) as pool:
        judge = Judge(pool, settings=settings.verifier, limits=settings.limits)

        async def verdict(given: Given) -> str:
            async with at_once:
                return await _judged(judge, given)

        return list(await asyncio.gather(*map(verdict, answers)))


async def _judged(judge: Judge, given: Given) -> str:
    question = given.question
    task = PredictionTask(
        direction=_DIRECTIONS[question.direction],
        program=Program(code=question.code, entry_point=question.entry_point),
        pair=IoPair(input_json=question.input_json, output_json=question.output_json),
    )
    turn = Turn(response=given.response, answer_json=given.answer_json)
    for left in reversed(range(_TRIES)):
        try:
            judgement = await judge.judge_sound(task, turn)
        except TransientError:
            if not left:
                raise
        else:
            return Verdict.Name(judgement.verdict).removeprefix("VERDICT_")
    raise AssertionError("unreachable")
