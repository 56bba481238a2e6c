"""The verifier behind gRPC: judges the answers of other teams' models."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, nullcontext
from typing import TYPE_CHECKING, Any

from codeio.runtime.admission import Admission
from codeio.runtime.errors import TransientError, UsageError
from codeio.runtime.grpc_status import AnswerTooLarge, status_of
from codeio.v1.execution_pb2 import Priority
from codeio.v1.records_pb2 import Direction, IoPair, PredictionTask, Program, Turn, Verdict
from codeio.v1.verifier_service_pb2 import (
    VerifyBatchResponse,
    VerifyError,
    VerifyResponse,
    VerifyResult,
    VerifyStreamItem,
    VerifyStreamRequest,
)
from codeio.v1.verifier_service_pb2_grpc import VerifierServiceServicer
from codeio.verifier.judge import Judge
from codeio.verifier.streaming import AnswerStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    import grpc

    from codeio.runtime.settings import Settings
    from codeio.runtime.stage import Sandbox
    from codeio.v1.verifier_service_pb2 import (
        VerifyBatchRequest,
        VerifyRequest,
        VerifyStreamResponse,
    )

# An id and the lengths of what it is packed into.
_AROUND_A_RESULT = 32


class VerifierServicer(VerifierServiceServicer):
    """Hands each request to the judge of the stage, as a task and a turn.

    Whoever asks waits for the answer, so that what needs a sandbox goes before
    batch jobs.
    """

    def __init__(self, sandbox: Sandbox, *, slots: int, settings: Settings) -> None:
        """Judge by what `sandbox` runs, `slots` jobs at a time."""
        self._judge = Judge(
            sandbox,
            settings=settings.verifier,
            limits=settings.limits,
            priority=Priority.PRIORITY_INTERACTIVE,
        )
        self._slots = slots
        self._admission = Admission(slots=slots, waiting_interactive=settings.verifier.waiting)
        self._settings = settings.verifier
        self._max_message_bytes = settings.server.max_message_bytes

    async def Verify(
        self, request: VerifyRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> VerifyResponse:
        return await self._verify(request)

    async def VerifyBatch(
        self, request: VerifyBatchRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> VerifyBatchResponse:
        async def whole() -> AsyncIterator[VerifyStreamRequest]:
            items = enumerate(request.requests)
            yield VerifyStreamRequest(
                items=[VerifyStreamItem(id=index, request=each) for index, each in items]
            )

        results = [VerifyResult()] * len(request.requests)
        async with aclosing(self._stream().results(self._checked(whole()))) as answers:
            async for answer in answers:
                for each in answer.results:
                    results[each.id] = each.result
        return VerifyBatchResponse(results=results)

    async def VerifyStream(
        self,
        request_iterator: AsyncIterator[VerifyStreamRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[VerifyStreamResponse]:
        async with aclosing(self._stream().results(self._checked(request_iterator))) as answers:
            async for answer in answers:
                yield answer

    def _stream(self) -> AnswerStream:
        return AnswerStream(
            self._verify_one_of_many, window=self._settings.stream_window, executions=self._slots
        )

    async def _checked(
        self, messages: AsyncIterator[VerifyStreamRequest]
    ) -> AsyncGenerator[VerifyStreamRequest]:
        """Yield the messages.

        Raises:
            UsageError: one has too many requests.
        """
        most = self._settings.max_batch
        async for message in messages:
            count = len(message.items)
            if count > most:
                raise UsageError(
                    f"the message has {count:,} requests, and the limit is {most:,}; "
                    "split it into several"
                )
            yield message

    async def _verify_one_of_many(self, request: VerifyRequest) -> VerifyResult:
        """Return what became of a request that must not fail the others."""
        try:
            return self._sized(VerifyResult(response=await self._verify(request)))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return _failed(TransientError("what it waited for was ended"))
        except Exception as error:  # noqa: BLE001  (every error has a status)
            return _failed(error)

    def _sized(self, result: VerifyResult) -> VerifyResult:
        """Return the result.

        Raises:
            AnswerTooLarge: no message can hold it.
        """
        size = result.ByteSize() + _AROUND_A_RESULT
        if size > self._max_message_bytes:
            raise AnswerTooLarge(
                f"the answer has {size:,} bytes, and the limit is {self._max_message_bytes:,}"
            )
        return result

    async def _verify(self, request: VerifyRequest) -> VerifyResponse:
        """Judge one answer.

        Raises:
            UsageError: the request is wrong.
            TransientError: the sandbox failed, or too many wait for it.
        """
        self._check(request)
        executes = request.direction == Direction.DIRECTION_INPUT_PREDICTION
        line = self._admission.admit(Priority.PRIORITY_INTERACTIVE) if executes else nullcontext()
        with line:
            judgement = await self._judge.judge_sound(
                PredictionTask(
                    direction=request.direction,
                    program=Program(code=request.code, entry_point=request.entry_point),
                    pair=IoPair(input_json=request.input_json, output_json=request.output_json),
                ),
                Turn(response=request.response, answer_json=request.answer_json),
            )
        return VerifyResponse(
            verdict=judgement.verdict,
            reward=float(judgement.verdict == Verdict.VERDICT_CORRECT),
            answer_json=judgement.answer_json,
            feedback=judgement.feedback,
        )

    def _check(self, request: VerifyRequest) -> None:
        """Refuse what the judge need not see.

        Raises:
            UsageError: in one sentence.
        """
        given = request.WhichOneof("answer")
        if given is None:
            raise UsageError("there is no answer; give response or answer_json")
        most = self._settings.max_answer_bytes
        for name in (given, "output_json"):
            text: str = getattr(request, name)
            # No character has more than four bytes.
            if 4 * len(text) > most and (size := len(text.encode())) > most:
                raise UsageError(f"{name} has {size:,} bytes, and the limit is {most:,}")


def _failed(error: Exception) -> VerifyResult:
    status, retry_after = status_of(error)
    return VerifyResult(
        error=VerifyError(
            code=status.code, message=status.message, retry_after_seconds=retry_after or 0.0
        )
    )
