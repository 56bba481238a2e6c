"""Servers to be called: a servicer and a sandbox that do as a test tells them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from codeio.pipeline.services.executor import service as executor_service
from codeio.runtime.grpc_server import GrpcServer
from codeio.runtime.settings import ServerSettings
from codeio.v1.execution_pb2 import CallResult, ExecuteRequest, ExecuteResponse, Outcome
from codeio.v1.executor_service_pb2 import DescribeEnvironmentResponse, ExecuteStreamResponse
from codeio.v1.executor_service_pb2_grpc import ExecutorServiceServicer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from codeio.runtime.grpc_server import Service
    from codeio.v1.execution_pb2 import Call
    from codeio.v1.executor_service_pb2 import ExecuteStreamRequest


async def ok(given: Call) -> CallResult:
    return CallResult(outcome=Outcome.OUTCOME_OK, output_json=given.input_json)


class FakeSandbox:
    """Makes each call by asking `act`."""

    def __init__(self, act: Callable[[Call], Awaitable[CallResult]] = ok) -> None:
        self._act = act
        self.requests: list[ExecuteRequest] = []
        self.running = 0
        self.idle = asyncio.Event()

    async def execute(self, request: ExecuteRequest) -> ExecuteResponse:
        return ExecuteResponse(results=[result async for result in self.stream(request)])

    async def stream(self, request: ExecuteRequest) -> AsyncGenerator[CallResult]:
        self.requests.append(request)
        self.running += 1
        self.idle.clear()
        try:
            for call in request.calls:
                yield await self._act(call)
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()


class Servicer(ExecutorServiceServicer):
    """Answers by calling `answer` with the request, for a stream once for each of its calls."""

    def __init__(self, answer: Callable[[Any], Awaitable[Any]]) -> None:
        self._answer = answer

    async def Execute(self, request: ExecuteRequest, context: Any) -> ExecuteResponse:
        return ExecuteResponse(results=[await self._answer(request)])

    async def ExecuteStream(
        self, request: ExecuteStreamRequest, context: Any
    ) -> AsyncIterator[ExecuteStreamResponse]:
        for index, call in enumerate(request.request.calls):
            yield ExecuteStreamResponse(index=index, result=await self._answer(call))

    async def DescribeEnvironment(self, request: Any, context: Any) -> DescribeEnvironmentResponse:
        return DescribeEnvironmentResponse(lock_hash="here")


@asynccontextmanager
async def listening(
    servicer: Any, *, service: Callable[[Any], Service] = executor_service, **settings: Any
) -> AsyncIterator[GrpcServer]:
    """A server that is there, but takes no calls yet."""
    chosen = ServerSettings(**{"port": 0, **settings})
    async with GrpcServer([service(servicer)], settings=chosen) as server:
        yield server


@asynccontextmanager
async def serving(
    servicer: Any, *, service: Callable[[Any], Service] = executor_service, **settings: Any
) -> AsyncIterator[GrpcServer]:
    async with listening(servicer, service=service, **settings) as server, server.accepting():
        yield server
