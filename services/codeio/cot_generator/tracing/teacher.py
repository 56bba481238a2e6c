"""The teacher that needs no model: it runs the program and tells what it did."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from codeio.cot_generator import prompts
from codeio.cot_generator.tracing.backward import predict_input
from codeio.cot_generator.tracing.forward import predict_output
from codeio.cot_generator.tracing.trials import Trials
from codeio.cot_generator.tracing.wording import tokens
from codeio.runtime.errors import Rejected
from codeio.v1.records_pb2 import Direction, Turn, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.cot_generator.tracing.runs import Rationale
    from codeio.runtime.settings import TeacherSettings
    from codeio.runtime.stage import Sandbox
    from codeio.v1.records_pb2 import PredictionTask

_VERSION = "1"


class TraceTeacher:
    """Tells the trace of a program as reasoning; deterministic in task, index and settings.

    A turn's `finish_reason` says how the answer came about:
    - `stop`: an output prediction that follows the program to its end;
    - `abridged`: one whose end only running the program showed, as the trace was cut;
    - `derived`: an input prediction whose input follows from conditions that the
      output puts on it;
    - `search`: one whose input was only found by trying; the rationale says so.
    """

    def __init__(self, sandbox: Sandbox, *, settings: TeacherSettings) -> None:
        self._sandbox = sandbox
        self._settings = settings
        self._trials = Trials(sandbox)
        parameters = f"{_VERSION} {settings.token_budget} {settings.trace_steps}"
        self.name = f"trace-{hashlib.sha256(parameters.encode()).hexdigest()[:8]}"

    async def answer(
        self, task: PredictionTask, *, prompt: str, conversation: Sequence[Turn], sample_index: int
    ) -> Turn:
        """Answer by running the program; see `Teacher`."""
        seed = f"{task.task_id}/{sample_index}/{len(conversation)}"
        try:
            rationale = await self._rationale(task, seed)
        except RecursionError as error:
            raise Rejected("nested_too_deeply", "the program or its trace") from error
        parts = [rationale.text, prompts.final_answer(task.direction, rationale.answer)]
        if conversation:
            parts.insert(0, "My answer was not right, so I go through the code again.")
        response = "\n\n".join(parts)
        return Turn(
            prompt=prompt,
            response=response,
            claims=rationale.claims,
            usage=Usage(prompt_tokens=tokens(prompt), completion_tokens=tokens(response)),
            finish_reason=rationale.reason,
        )

    async def _rationale(self, task: PredictionTask, seed: str) -> Rationale:
        settings = self._settings
        if task.direction == Direction.DIRECTION_OUTPUT_PREDICTION:
            return await predict_output(self._sandbox, task, settings=settings, seed=seed)
        if task.direction == Direction.DIRECTION_INPUT_PREDICTION:
            return await predict_input(
                self._sandbox, task, trials=self._trials, settings=settings, seed=seed
            )
        raise Rejected("no_direction", "the task does not say what is to be predicted")
