"""The one interceptor: what every call of our services has in common.

It works on bytes, so that the size of a message is known before anything is
made of it. gRPC's own limit is set higher and hardly met: it answers
RESOURCE_EXHAUSTED, which clients take for a server that is busy, and retry.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError

from codeio.runtime.errors import TransientError, UsageError
from codeio.runtime.grpc_observed import observed
from codeio.runtime.grpc_status import AnswerTooLarge, CallTooLong, abort
from codeio.runtime.grpc_streams import Incoming

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection

    from codeio.runtime.settings import ServerSettings

    _Context: TypeAlias = grpc.aio.ServicerContext[bytes, bytes]
    _Behaviour: TypeAlias = Callable[[bytes, _Context], Awaitable["T"]]

T = TypeVar("T")


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Holds calls to sizes and a duration, turns errors into statuses, and can end them all.

    Calls of other services, such as health, pass untouched. All calls are
    refused until `open`.
    """

    def __init__(self, *, services: Collection[str], settings: ServerSettings) -> None:
        self._services = services
        self._max_message_bytes = settings.max_message_bytes
        self._longest_seconds = settings.longest_call_seconds
        self._refusal = "the server is starting"
        self._running: set[asyncio.Task[Any]] = set()
        self._stopping = asyncio.Event()
        self._ended = False

    def open(self) -> None:
        self._refusal = ""

    async def close(self, *, seconds: float) -> None:
        """Refuse new calls; end those that still run after so many seconds, and return."""
        self._refusal = "the server is stopping"
        self._stopping.set()
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        self._ended = True
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        service = method.split("/")[1]
        # There is no handler where the method is not known.
        if handler is None or service not in self._services:
            return handler
        if handler.request_streaming and not handler.response_streaming:
            raise TypeError(f"{method} takes a stream for one answer")
        if handler.request_streaming:
            # It lasts as long as its client has something to ask.
            both_ways = self._carried(method, self._both_ways(handler), limited=False)
            return grpc.stream_stream_rpc_method_handler(both_ways)
        if handler.response_streaming:
            streaming = self._carried(method, self._streaming(handler))
            return grpc.unary_stream_rpc_method_handler(streaming)
        return grpc.unary_unary_rpc_method_handler(self._carried(method, self._unary(handler)))

    def _unary(self, handler: Any) -> _Behaviour[bytes]:
        async def call(payload: bytes, context: _Context) -> bytes:
            answer = await handler.unary_unary(self._read(payload, handler), context)
            return self._write(answer, handler)

        return call

    def _streaming(self, handler: Any) -> _Behaviour[None]:
        async def call(payload: bytes, context: _Context) -> None:
            answers = handler.unary_stream(self._read(payload, handler), context)
            # Closed here, not when it is collected: what it runs is to end with the call.
            async with aclosing(answers):
                async for answer in answers:
                    await context.write(self._write(answer, handler))

        return call

    def _both_ways(self, handler: Any) -> Any:
        async def call(payloads: AsyncIterator[bytes], context: _Context) -> None:
            incoming = Incoming(
                payloads, read=partial(self._read, handler=handler), stopping=self._stopping
            )
            async with (
                aclosing(incoming.messages()) as requests,
                aclosing(handler.stream_stream(requests, context)) as answers,
            ):
                async for answer in answers:
                    await context.write(self._write(answer, handler))
            if incoming.cut_off:
                # What was read is answered; for the rest the client is to go elsewhere.
                raise TransientError(self._refusal)

        return call

    def _carried(self, method: str, behaviour: Any, *, limited: bool = True) -> Any:
        async def call(payload: Any, context: _Context) -> Any:
            if self._refusal:
                await abort(context, TransientError(self._refusal))
            task = asyncio.current_task()
            assert task is not None
            self._running.add(task)
            limit = asyncio.timeout(self._longest_seconds if limited else None)
            try:
                async with limit:
                    return await behaviour(payload, context)
            except grpc.aio.AbortError:
                # The handler has answered with a status of its own.
                raise
            except grpc.aio.InternalError as error:
                # An answer could not be sent: the connection is gone, and nobody hears another.
                raise asyncio.CancelledError from error
            except asyncio.CancelledError:
                if task.cancelling() and not self._ended:
                    # By the client or its deadline: nobody hears an answer.
                    raise
                # Let through, it would leave the client waiting for one.
                why = "the server is stopping" if self._ended else "what it waited for was ended"
                await abort(context, TransientError(why))
            except Exception as error:  # noqa: BLE001  (every error has a status)
                await abort(context, self._too_long() if limit.expired() else error)
            finally:
                self._running.discard(task)

        return observed(method, call)

    def _too_long(self) -> CallTooLong:
        return CallTooLong(
            f"the call took longer than the {self._longest_seconds:g} s that this server gives; "
            "ask for less at a time"
        )

    def _read(self, payload: bytes, handler: Any) -> Any:
        if len(payload) > self._max_message_bytes:
            raise UsageError(
                f"the request has {len(payload):,} bytes, and the limit is "
                f"{self._max_message_bytes:,}; ask for less at a time"
            )
        try:
            return handler.request_deserializer(payload)
        except DecodeError as error:
            raise UsageError("the request is not the message that this method takes") from error

    def _write(self, answer: Any, handler: Any) -> bytes:
        payload: bytes = handler.response_serializer(answer)
        if len(payload) > self._max_message_bytes:
            way_out = "" if handler.response_streaming else " or have the results streamed"
            raise AnswerTooLarge(
                f"the answer has {len(payload):,} bytes, and the limit is "
                f"{self._max_message_bytes:,}; ask for fewer calls{way_out}"
            )
        return payload
