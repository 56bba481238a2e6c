"""Whether a turn's answer is right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from codeio.runtime import values
from codeio.runtime.errors import TransientError, UsageError
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, Outcome, Priority
from codeio.v1.records_pb2 import Direction, Verdict
from codeio.verifier import feedback
from codeio.verifier.extract import Answer, NoAnswer, read_answer_json, read_response
from codeio.verifier.signature import ANY, parameters_of

if TYPE_CHECKING:
    from codeio.runtime.settings import LimitsSettings, VerifierSettings
    from codeio.runtime.stage import Sandbox
    from codeio.v1.records_pb2 import PredictionTask, Turn

_TIMEOUTS = frozenset({Outcome.OUTCOME_CPU_TIMEOUT, Outcome.OUTCOME_WALL_TIMEOUT})

# What endpoints give as the reason when no answer is to be expected of them.
_TOO_LONG = "context_too_long"
_TEACHER_FAILURES = (
    _TOO_LONG,
    "error",
    "fail",
    "content_filter",
    "refus",
    "timeout",
    "cancel",
    "abort",
)

# A predicted input need not keep the paper's limits, only be no burden.
_INPUT_FACTOR = 64


@dataclass(frozen=True)
class Judgement:
    """The verdict on a turn and what the next turn may be told; nothing when it is right."""

    verdict: Verdict
    feedback: str = ""
    another_turn_may_help: bool = True
    answer_json: str = ""
    """The answer that was read, without its wrapper; empty when there was none."""
    input_json: str | None = None
    """The predicted input, where the program was run on one."""


_NOT_JUDGEABLE = Judgement(
    Verdict.VERDICT_FAILED, feedback.NOT_JUDGEABLE, another_turn_may_help=False
)


class NotJudgeable(UsageError):
    """The question lacks what is needed to judge any answer to it; the message says what."""


class Judge:
    """Reads answers, compares outputs and executes inputs."""

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        settings: VerifierSettings,
        limits: LimitsSettings,
        priority: Priority = Priority.PRIORITY_BATCH,
    ) -> None:
        self._sandbox = sandbox
        self._settings = settings
        self._max_input_bytes = _INPUT_FACTOR * limits.value_bytes
        self._priority = priority

    async def judge(self, task: PredictionTask, turn: Turn) -> Judgement:
        """Judge the answer of one turn, however damaged its task is.

        Raises:
            TransientError: the sandbox failed, not the program.
        """
        try:
            return await self.judge_sound(task, turn)
        except NotJudgeable:
            return _NOT_JUDGEABLE

    async def judge_sound(self, task: PredictionTask, turn: Turn) -> Judgement:
        """Judge the answer of one turn, unless the task is damaged.

        Of the task, it takes the direction and the output; for an input prediction
        the code, the entry point and the size of the recorded input too. A predicted
        output is judged without waiting for anything.

        Raises:
            NotJudgeable: the task is damaged.
            TransientError: the sandbox failed, not the program.
        """
        truth = _truth_of(task)
        by_execution = task.direction == Direction.DIRECTION_INPUT_PREDICTION
        if _teacher_failed(turn):
            # A further turn is longer still.
            helps = turn.finish_reason != _TOO_LONG
            return Judgement(
                Verdict.VERDICT_FAILED, feedback.NO_RESPONSE, another_turn_may_help=helps
            )
        try:
            answer = _read(task, turn)
        except NoAnswer as error:
            return Judgement(
                Verdict.VERDICT_UNPARSABLE, feedback.no_answer(error.problem, task.direction)
            )
        if by_execution:
            return await self._judge_input(task, answer.value, truth)
        return self._judge_output(answer, truth)

    def _judge_output(self, answer: Answer, truth: Any) -> Judgement:
        for value in (answer.value, *answer.alternatives):
            if self._equal(value, truth):
                return Judgement(Verdict.VERDICT_CORRECT, answer_json=values.dumps(value))
        return Judgement(
            Verdict.VERDICT_WRONG,
            feedback.wrong_output(answer.value),
            answer_json=values.dumps(answer.value),
        )

    async def _judge_input(
        self, task: PredictionTask, arguments: dict[str, Any], truth: Any
    ) -> Judgement:
        """Run the program on the predicted input: any that gives the output is right.

        The recorded input is run like every other. A pair of somebody else's
        that does not reproduce is then seen for what it is, and no verdict
        rests on which of two equal inputs was recorded.
        """
        text = values.dumps(arguments)
        limit = max(self._max_input_bytes, len(task.pair.input_json.encode()))
        size = len(text.encode())
        if size > limit:
            return Judgement(
                Verdict.VERDICT_FAILED, feedback.oversized_input(size, limit), answer_json=text
            )
        result = await self._run(task, text)
        executed = partial(Judgement, answer_json=text, input_json=text)
        if result.outcome in _TIMEOUTS:
            return executed(Verdict.VERDICT_TIMEOUT, feedback.failed_input(arguments, result))
        if result.outcome == Outcome.OUTCOME_OK:
            try:
                output = values.loads(result.output_json)
            except ValueError:
                result.outcome = Outcome.OUTCOME_NOT_JSON
            else:
                if self._equal(output, truth):
                    return executed(Verdict.VERDICT_CORRECT)
                return executed(
                    Verdict.VERDICT_WRONG, feedback.wrong_input(arguments, result.output_json)
                )
        return executed(Verdict.VERDICT_FAILED, feedback.failed_input(arguments, result))

    async def _run(self, task: PredictionTask, input_json: str) -> CallResult:
        response = await self._sandbox.execute(
            ExecuteRequest(
                code=task.program.code,
                entry_point=task.program.entry_point,
                calls=[Call(input_json=input_json)],
                # The size of an output says nothing here: it equals the recorded one or not.
                unlimited_sizes=True,
                priority=self._priority,
            )
        )
        if not response.results:
            raise TransientError("the sandbox gave no result for a call")
        return response.results[0]

    def _equal(self, left: Any, right: Any) -> bool:
        return values.equal(
            left,
            right,
            relative=self._settings.relative_tolerance,
            absolute=self._settings.absolute_tolerance,
        )


def _truth_of(task: PredictionTask) -> Any:
    """Return the output of the task's pair.

    Raises:
        NotJudgeable: it is none, or something else is missing.
    """
    match task.direction:
        case Direction.DIRECTION_OUTPUT_PREDICTION:
            pass
        case Direction.DIRECTION_INPUT_PREDICTION:
            if not task.program.code:
                raise NotJudgeable("code is empty; a predicted input is judged by executing it")
            if not task.program.entry_point:
                raise NotJudgeable("entry_point is empty; name the function to call")
        case _:
            raise NotJudgeable(
                f"there is no direction {task.direction}; choose output or input prediction"
            )
    try:
        return values.loads(task.pair.output_json)
    except ValueError as error:
        raise NotJudgeable(f"output_json is not JSON: {error}") from error


def _read(task: PredictionTask, turn: Turn) -> Answer:
    direction = task.direction
    outputs = direction == Direction.DIRECTION_OUTPUT_PREDICTION
    parameters = ANY if outputs else parameters_of(task.program)
    if turn.response.strip():
        return read_response(turn.response, direction=direction, parameters=parameters)
    return read_answer_json(turn.answer_json, direction=direction, parameters=parameters)


def _teacher_failed(turn: Turn) -> bool:
    if turn.response.strip() or turn.answer_json.strip():
        return False
    reason = turn.finish_reason.lower()
    return any(failure in reason for failure in _TEACHER_FAILURES)
