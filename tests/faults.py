"""A teacher that fails on purpose, the same way each time it is asked the same.

It fails in 40 % of first turns, by the id of the sample and nothing else, so
that a run which was cut off and resumed meets the same answers again.
"""

from __future__ import annotations

import asyncio
import enum
import hashlib
from typing import TYPE_CHECKING

from codeio.cot_generator import prompts
from codeio.runtime import values
from codeio.runtime.records import sample_id
from codeio.runtime.settings import TeacherSettings
from codeio.v1.records_pb2 import Direction, PredictionTask, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence


class Fault(enum.Enum):
    """What is wrong with an answer."""

    WRONG = "wrong"
    UNPARSABLE = "unparsable"
    CRASHING = "crashing"
    """An input that makes the program fail; for an output, JSON that is nested without end."""


def share_of(*parts: object) -> float:
    """Return a number in [0, 1) that depends on the parts and nothing else."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def fault_of(sample: str, turn: int, *, first_turns: float = 0.4) -> Fault | None:
    """Return what is wrong with the answer of a turn, from 0: first turns alone fail."""
    if turn > 0 or share_of("fails", sample) >= first_turns:
        return None
    faults = list(Fault)
    return faults[int(share_of("fault", sample) * len(faults))]


async def dawdle(name: str) -> None:
    """Let others go first, some more than others, so that work is finished out of order."""
    for _ in range(int(share_of("dawdle", name) * 6)):
        await asyncio.sleep(0)


class FaultyTeacher:
    """A teacher that knows the truth and tells it, except where it is to fail.

    Arguments of the programs are integers, and no two inputs that are 1,000
    apart give the same output.
    """

    name = "faulty"

    def __init__(self, *, always: Fault | None = None) -> None:
        self._always = always

    async def answer(
        self, task: PredictionTask, *, prompt: str, conversation: Sequence[Turn], sample_index: int
    ) -> Turn:
        sample = self.sample_id(task, sample_index)
        await dawdle(sample)
        fault = self._always or fault_of(sample, len(conversation))
        return Turn(prompt=prompt, response=_response(task, fault), finish_reason="stop")

    def sample_id(self, task: PredictionTask, sample_index: int = 0) -> str:
        """Return the id that the sample of a task will have."""
        return sample_id(
            task_id=task.task_id,
            prompt_format=TeacherSettings().prompt_format,
            teacher=self.name,
            sample_index=sample_index,
        )


def _response(task: PredictionTask, fault: Fault | None) -> str:
    of_output = task.direction == Direction.DIRECTION_OUTPUT_PREDICTION
    truth = values.loads(task.pair.output_json if of_output else task.pair.input_json)
    match fault:
        case None:
            answer = truth
        case Fault.WRONG:
            answer = [truth] if of_output else {name: n + 1000 for name, n in truth.items()}
        case Fault.UNPARSABLE:
            return "I have thought about it for long and cannot say."
        case Fault.CRASHING:
            if of_output:
                return '```json\n{"output": ' + "[" * 100_000 + "\n```"
            answer = dict.fromkeys(truth, "not what the program expects")
    return f"Let me see.\n\n{prompts.final_answer(task.direction, answer)}"
