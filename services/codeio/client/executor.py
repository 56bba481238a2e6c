"""A client of the executor, which runs programs."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from typing import Any, ClassVar, Literal, TypeAlias, TypedDict, Unpack

from codeio.client.channel import TARGET, AsyncClient, ChannelOptions, Client
from codeio.client.errors import InvalidRequest
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, Priority
from codeio.v1.executor_service_pb2 import (
    DescribeEnvironmentRequest,
    DescribeEnvironmentResponse,
    ExecuteStreamRequest,
)
from codeio.v1.executor_service_pb2_grpc import ExecutorServiceStub

Inputs: TypeAlias = Iterable[Mapping[str, Any] | str]
"""Keyword arguments of each call: a mapping, or a JSON object as text."""


class Options(TypedDict, total=False):
    """How a program is executed."""

    priority: Literal["batch", "interactive"]
    """`interactive` goes before `batch`, the default."""
    replica: int
    """0, or 1 for another hash seed and a shifted clock."""
    trace_steps: int
    """Above 0: record so many steps of a call at most, in its `trace_json`."""
    unlimited_sizes: bool
    """Whether results may be larger than training data are to be (see `describe`)."""


TIMEOUT = 120.0
"""Seconds that a call may take, tries and waits included."""

_PRIORITIES = {
    "batch": Priority.PRIORITY_BATCH,
    "interactive": Priority.PRIORITY_INTERACTIVE,
}
_DESCRIBE_TIMEOUT = 10.0
_SERVICE = "codeio.v1.ExecutorService"


class ExecutorClient(Client):
    """Executes programs on an executor."""

    _service: ClassVar = _SERVICE

    def __init__(self, target: str = TARGET, **options: Unpack[ChannelOptions]) -> None:
        """See `Client`."""
        super().__init__(target, **options)
        self._stub = ExecutorServiceStub(self._channel)

    def execute(
        self,
        code: str,
        inputs: Inputs,
        entry_point: str = "main_solution",
        *,
        timeout: float = TIMEOUT,
        **options: Unpack[Options],
    ) -> list[CallResult]:
        """Call a function of a program with each of the inputs; return the results in order.

        `timeout` is in seconds, and the time for all tries.

        Raises:
            ClientError: one of its kinds; see there.
        """
        request = _request(code, inputs, entry_point, **options)
        self._check_size(request)
        with self._errors(timeout):
            return list(
                self._stub.Execute(request, timeout=timeout, metadata=self._metadata).results
            )

    def stream(
        self,
        code: str,
        inputs: Inputs,
        entry_point: str = "main_solution",
        *,
        timeout: float = TIMEOUT,
        **options: Unpack[Options],
    ) -> Generator[CallResult]:
        """Do as `execute`, but yield each result as soon as it is there.

        The call begins when the first result is asked for. To close the iterator
        ends the program. Once a result was yielded, nothing is tried again.

        Raises:
            ClientError: one of its kinds; see there.
        """
        request = _request(code, inputs, entry_point, **options)
        streamed = ExecuteStreamRequest(request=request)
        self._check_size(streamed)
        return self._results(streamed, timeout)

    def _results(self, request: ExecuteStreamRequest, timeout: float) -> Generator[CallResult]:
        call = self._stub.ExecuteStream(request, timeout=timeout, metadata=self._metadata)
        try:
            with self._errors(timeout):
                for answer in call:
                    yield answer.result
        finally:
            call.cancel()

    def describe(self, *, timeout: float = _DESCRIBE_TIMEOUT) -> DescribeEnvironmentResponse:
        """Return what programs meet in the sandbox, and what a request may be.

        Raises:
            ClientError: one of its kinds; see there.
        """
        with self._errors(timeout):
            return self._stub.DescribeEnvironment(
                DescribeEnvironmentRequest(), timeout=timeout, metadata=self._metadata
            )


class AsyncExecutorClient(AsyncClient):
    """Does as `ExecutorClient` does, for asyncio."""

    _service: ClassVar = _SERVICE

    def __init__(self, target: str = TARGET, **options: Unpack[ChannelOptions]) -> None:
        """See `AsyncClient`."""
        super().__init__(target, **options)
        self._stub = ExecutorServiceStub(self._channel)

    async def execute(
        self,
        code: str,
        inputs: Inputs,
        entry_point: str = "main_solution",
        *,
        timeout: float = TIMEOUT,  # noqa: ASYNC109  (it is the call's deadline, server included)
        **options: Unpack[Options],
    ) -> list[CallResult]:
        """See `ExecutorClient.execute`; to cancel it ends the program."""
        request = _request(code, inputs, entry_point, **options)
        self._check_size(request)
        with self._errors(timeout):
            response = await self._stub.Execute(request, timeout=timeout, metadata=self._metadata)
        return list(response.results)

    def stream(
        self,
        code: str,
        inputs: Inputs,
        entry_point: str = "main_solution",
        *,
        timeout: float = TIMEOUT,
        **options: Unpack[Options],
    ) -> AsyncGenerator[CallResult]:
        """See `ExecutorClient.stream`; close the iterator to end the program early."""
        request = _request(code, inputs, entry_point, **options)
        streamed = ExecuteStreamRequest(request=request)
        self._check_size(streamed)
        return self._results(streamed, timeout)

    async def _results(
        self,
        request: ExecuteStreamRequest,
        timeout: float,  # noqa: ASYNC109
    ) -> AsyncGenerator[CallResult]:
        call = self._stub.ExecuteStream(request, timeout=timeout, metadata=self._metadata)
        try:
            with self._errors(timeout):
                async for answer in call:
                    yield answer.result
        finally:
            call.cancel()

    async def describe(
        self,
        *,
        timeout: float = _DESCRIBE_TIMEOUT,  # noqa: ASYNC109
    ) -> DescribeEnvironmentResponse:
        """See `ExecutorClient.describe`."""
        with self._errors(timeout):
            return await self._stub.DescribeEnvironment(
                DescribeEnvironmentRequest(), timeout=timeout, metadata=self._metadata
            )


def _request(  # noqa: PLR0913
    code: str,
    inputs: Inputs,
    entry_point: str,
    *,
    priority: str = "batch",
    replica: int = 0,
    trace_steps: int = 0,
    unlimited_sizes: bool = False,
) -> ExecuteRequest:
    if isinstance(inputs, (str, Mapping)):
        raise InvalidRequest("inputs is the input of one call; give a list of them")
    if priority not in _PRIORITIES:
        raise InvalidRequest(f"priority is {priority!r}; choose {' or '.join(_PRIORITIES)}")
    try:
        return ExecuteRequest(
            code=code,
            entry_point=entry_point,
            calls=[Call(input_json=_text(given)) for given in inputs],
            priority=_PRIORITIES[priority],
            replica=replica,
            trace_steps=trace_steps,
            unlimited_sizes=unlimited_sizes,
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"the request cannot be sent: {error}") from error


def _text(given: Mapping[str, Any] | str) -> str:
    return given if isinstance(given, str) else json.dumps(dict(given), allow_nan=False)
