"""What other teams import: a client of the executor, for threads or for asyncio.

    with ExecutorClient("executor.codeio:50051") as executor:
        for result in executor.stream(code, [{"n": 1}, {"n": 2}]):
            print(result.output_json)

It spreads calls over all replicas, leaves out those that are stopping, and
tries again, within the deadline, where a server is busy or cannot be reached;
a busy server says when. It needs grpcio and protobuf and nothing else of codeio.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, TypedDict, Unpack

import grpc

from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, Priority
from codeio.v1.executor_service_pb2 import (
    DescribeEnvironmentRequest,
    DescribeEnvironmentResponse,
    ExecuteStreamRequest,
)
from codeio.v1.executor_service_pb2_grpc import ExecutorServiceStub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from google.protobuf.message import Message

__all__ = [
    "AsyncExecutorClient",
    "DeadlineExceeded",
    "ExecutorClient",
    "ExecutorError",
    "InvalidRequest",
    "Overloaded",
    "Unavailable",
]

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


TARGET = "dns:///localhost:50051"
TIMEOUT = 120.0
"""Seconds that a call may take, tries and waits included."""
MAX_MESSAGE_BYTES = 16 << 20
"""Size of a request that servers take, unless their settings say otherwise."""

_PRIORITIES = {
    "batch": Priority.PRIORITY_BATCH,
    "interactive": Priority.PRIORITY_INTERACTIVE,
}
_DESCRIBE_TIMEOUT = 10.0
_KEEPALIVE_MS = 30_000
_SCHEME = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract|vsock|xds):")
_SERVICE = "codeio.v1.ExecutorService"
_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    # A server that drains says so here first, and gets no more calls.
    "healthCheckConfig": {"serviceName": _SERVICE},
    "methodConfig": [
        {
            "name": [{"service": _SERVICE}],
            "retryPolicy": {
                "maxAttempts": 5,  # the most that gRPC makes
                "initialBackoff": "0.1s",
                "maxBackoff": "5s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            },
        }
    ],
}


class ExecutorError(Exception):
    """The program was not executed; the message is a sentence. What it does wrong is a result."""


class InvalidRequest(ExecutorError):
    """The request is wrong, or it or its answer is too large: the same again will not do."""


class DeadlineExceeded(ExecutorError):
    """There was no answer in time; the program was ended."""


class Overloaded(ExecutorError):
    """Too many wait already, at every try."""


class Unavailable(ExecutorError):
    """No server can be reached, or the sandbox failed, at every try."""


class _Requests:
    """What both clients say to the server, and make of its errors."""

    def __init__(self, target: str, *, max_message_bytes: int) -> None:
        self._target = target if _SCHEME.match(target) else f"dns:///{target}"
        self._max_message_bytes = max_message_bytes

    @property
    def _options(self) -> list[tuple[str, Any]]:
        return [
            ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
            # A request that is not kept whole is not tried again.
            ("grpc.per_rpc_retry_buffer_size", self._max_message_bytes + (64 << 10)),
            # The server holds its answers to a limit of its own.
            ("grpc.max_receive_message_length", -1),
            # A long call sends nothing meanwhile; that its server is still there is to be known.
            ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
            ("grpc.http2.max_pings_without_data", 0),
        ]

    def _request(  # noqa: PLR0913
        self,
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

    def _check_size(self, request: Message) -> None:
        size = request.ByteSize()
        if size > self._max_message_bytes:
            raise InvalidRequest(
                f"the request has {size:,} bytes, and the limit is {self._max_message_bytes:,}; "
                "ask for fewer calls at a time"
            )

    @contextmanager
    def _errors(self, timeout: float) -> Iterator[None]:
        """Turn gRPC's errors into ours."""
        try:
            yield
        except grpc.RpcError as error:
            raise self._error(error.code(), error.details() or "", timeout) from error

    def _error(self, code: grpc.StatusCode, details: str, timeout: float) -> ExecutorError:
        match code:
            case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.OUT_OF_RANGE:
                return InvalidRequest(details)
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return DeadlineExceeded(
                    f"{self._target} did not answer within {timeout:g} s; "
                    "ask for fewer calls at a time or give a longer timeout"
                )
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                return Overloaded(f"{self._target} is too busy: {details}")
            case grpc.StatusCode.UNAVAILABLE:
                return Unavailable(f"{self._target} is not available: {details}")
            case _:
                return ExecutorError(f"{self._target} failed ({code.name}): {details}")


class ExecutorClient(_Requests):
    """Executes programs on an executor; close it, or use it in a `with` block.

    Threads may share one, and should: it holds the connections.
    """

    def __init__(self, target: str = TARGET, *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        """Take `host:port`, of which the name may stand for many servers, or any gRPC target."""
        super().__init__(target, max_message_bytes=max_message_bytes)
        self._channel = grpc.insecure_channel(self._target, options=self._options)
        self._stub = ExecutorServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

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
            ExecutorError: one of its kinds; see there.
        """
        request = self._request(code, inputs, entry_point, **options)
        self._check_size(request)
        with self._errors(timeout):
            return list(self._stub.Execute(request, timeout=timeout).results)

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
            ExecutorError: one of its kinds; see there.
        """
        request = self._request(code, inputs, entry_point, **options)
        streamed = ExecuteStreamRequest(request=request)
        self._check_size(streamed)
        return self._results(streamed, timeout)

    def _results(self, request: ExecuteStreamRequest, timeout: float) -> Generator[CallResult]:
        call = self._stub.ExecuteStream(request, timeout=timeout)
        try:
            with self._errors(timeout):
                for answer in call:
                    yield answer.result
        finally:
            call.cancel()

    def describe(self, *, timeout: float = _DESCRIBE_TIMEOUT) -> DescribeEnvironmentResponse:
        """Return what programs meet in the sandbox, and what a request may be.

        Raises:
            ExecutorError: one of its kinds; see there.
        """
        with self._errors(timeout):
            return self._stub.DescribeEnvironment(DescribeEnvironmentRequest(), timeout=timeout)


class AsyncExecutorClient(_Requests):
    """Does as `ExecutorClient` does, for asyncio; to be made and used in one event loop."""

    def __init__(self, target: str = TARGET, *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        """Take `host:port`, of which the name may stand for many servers, or any gRPC target."""
        super().__init__(target, max_message_bytes=max_message_bytes)
        self._channel = grpc.aio.insecure_channel(self._target, options=self._options)
        self._stub = ExecutorServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._channel.close()

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
        request = self._request(code, inputs, entry_point, **options)
        self._check_size(request)
        with self._errors(timeout):
            response = await self._stub.Execute(request, timeout=timeout)
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
        request = self._request(code, inputs, entry_point, **options)
        streamed = ExecuteStreamRequest(request=request)
        self._check_size(streamed)
        return self._results(streamed, timeout)

    async def _results(
        self,
        request: ExecuteStreamRequest,
        timeout: float,  # noqa: ASYNC109
    ) -> AsyncGenerator[CallResult]:
        call = self._stub.ExecuteStream(request, timeout=timeout)
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
                DescribeEnvironmentRequest(), timeout=timeout
            )


def _text(given: Mapping[str, Any] | str) -> str:
    return given if isinstance(given, str) else json.dumps(dict(given), allow_nan=False)
