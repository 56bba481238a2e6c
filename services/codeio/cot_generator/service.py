"""The generator behind gRPC: has rationales written for other teams' tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from codeio.runtime import values
from codeio.runtime.admission import Admission
from codeio.runtime.errors import UsageError
from codeio.runtime.records import program_id, task_id
from codeio.runtime.settings import PromptFormat
from codeio.v1.cot_generator_service_pb2 import GenerateResponse, ReviseResponse
from codeio.v1.cot_generator_service_pb2_grpc import CotGeneratorServiceServicer
from codeio.v1.execution_pb2 import Priority
from codeio.v1.records_pb2 import Direction, PredictionTask

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc

    from codeio.cot_generator.generator import CotGenerator
    from codeio.runtime.settings import TeacherSettings
    from codeio.v1.cot_generator_service_pb2 import GenerateRequest, ReviseRequest

# More samples of one task are asked for in several calls.
_MOST_SAMPLES = 256
_FORMATS = get_args(PromptFormat)


class CotGeneratorServicer(CotGeneratorServiceServicer):
    """Checks a request and hands it to the stage."""

    def __init__(
        self, generator: Callable[[], CotGenerator], *, slots: int, settings: TeacherSettings
    ) -> None:
        """Serve the stage, which is known once it is up, for `slots` calls at a time."""
        self._generator = generator
        self._admission = Admission(slots=slots, waiting_batch=settings.waiting, what="places")

    async def Generate(
        self, request: GenerateRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> GenerateResponse:
        if not 0 <= request.samples <= _MOST_SAMPLES:
            raise UsageError(
                f"samples is {request.samples}; give 1 to {_MOST_SAMPLES}, or 0 for the server's"
            )
        _check(request.task)
        task = _named(request.task)
        with self._admission.admit(Priority.PRIORITY_BATCH):
            attempts = await self._generator().generate(task, samples=request.samples)
        return GenerateResponse(attempts=attempts)

    async def Revise(
        self, request: ReviseRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> ReviseResponse:
        attempt = request.attempt
        _check(attempt.task)
        if attempt.prompt_format not in _FORMATS:
            raise UsageError(
                f"there is no prompt format {attempt.prompt_format!r}; "
                f"choose among {', '.join(_FORMATS)}"
            )
        if not attempt.turns or not attempt.turns[-1].feedback:
            raise UsageError("the attempt has no last turn with feedback; have it verified first")
        with self._admission.admit(Priority.PRIORITY_BATCH):
            return ReviseResponse(attempt=await self._generator().revise(attempt))


def _named(task: PredictionTask) -> PredictionTask:
    """Return the task with the ids that the pipeline would give it, where it has none."""
    if task.task_id:
        return task
    named = PredictionTask()
    named.CopyFrom(task)
    program = named.program
    program.program_id = program.program_id or program_id(
        code=program.code, entry_point=program.entry_point, origin=program.origin
    )
    named.task_id = task_id(
        program_id=program.program_id, pair=named.pair, direction=named.direction
    )
    return named


def _check(task: PredictionTask) -> None:
    """Refuse what no teacher is needed to find wrong.

    Raises:
        UsageError: in one sentence.
    """
    if task.direction not in {
        Direction.DIRECTION_OUTPUT_PREDICTION,
        Direction.DIRECTION_INPUT_PREDICTION,
    }:
        raise UsageError(
            f"there is no direction {task.direction}; choose output or input prediction"
        )
    if not (task.program.code and task.program.entry_point):
        raise UsageError("the task has no program; give its code and entry_point")
    for name in ("input_json", "output_json"):
        try:
            values.loads(getattr(task.pair, name))
        except ValueError as error:
            raise UsageError(f"{name} of the pair is not JSON: {error}") from error
