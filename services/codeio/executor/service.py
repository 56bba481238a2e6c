"""The executor behind gRPC: runs other teams' programs."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from codeio.runtime import values
from codeio.runtime.admission import Admission
from codeio.runtime.errors import UsageError
from codeio.v1.execution_pb2 import Priority
from codeio.v1.executor_service_pb2 import DescribeEnvironmentResponse, ExecuteStreamResponse
from codeio.v1.executor_service_pb2_grpc import ExecutorServiceServicer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import grpc

    from codeio.executor.sandbox.guests import GuestVersion
    from codeio.runtime.settings import Settings
    from codeio.runtime.stage import StreamingSandbox
    from codeio.v1.execution_pb2 import ExecuteRequest, ExecuteResponse
    from codeio.v1.executor_service_pb2 import DescribeEnvironmentRequest, ExecuteStreamRequest

_REPLICAS = (0, 1)


class ExecutorServicer(ExecutorServiceServicer):
    """Checks a request, finds a place for it and hands it to the sandbox.

    A handler that is cancelled, by the client or its deadline, cancels what the
    sandbox does for it.
    """

    def __init__(
        self,
        sandbox: StreamingSandbox,
        *,
        guest: Callable[[], GuestVersion],
        slots: int,
        settings: Settings,
    ) -> None:
        """Serve what `sandbox` runs, `slots` jobs at a time; `guest` is known once it is up."""
        self._sandbox = sandbox
        self._max_calls = settings.executor.max_calls
        self._admission = Admission(
            slots=slots,
            waiting_batch=settings.executor.waiting_batch,
            waiting_interactive=settings.executor.waiting_interactive,
        )
        self._guest = guest
        self._slots = slots
        self._settings = settings

    async def Execute(
        self, request: ExecuteRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> ExecuteResponse:
        self._check(request)
        with self._admission.admit(request.priority):
            return await self._sandbox.execute(request)

    async def ExecuteStream(
        self, request: ExecuteStreamRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[ExecuteStreamResponse]:
        self._check(request.request)
        with self._admission.admit(request.request.priority):
            async with aclosing(self._sandbox.stream(request.request)) as results:
                index = 0
                async for result in results:
                    yield ExecuteStreamResponse(index=index, result=result)
                    index += 1

    async def DescribeEnvironment(
        self, request: DescribeEnvironmentRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> DescribeEnvironmentResponse:
        guest, limits = self._guest(), self._settings.limits
        return DescribeEnvironmentResponse(
            python_version=guest.python_version,
            lock_hash=guest.lock_hash,
            slots=self._slots,
            max_calls=self._max_calls,
            max_message_bytes=self._settings.server.max_message_bytes,
            cpu_seconds=limits.cpu_seconds,
            load_cpu_seconds=limits.load_cpu_seconds,
            memory_bytes=limits.memory_bytes,
            value_bytes=limits.value_bytes,
            container_items=limits.container_items,
            string_chars=limits.string_chars,
        )

    def _check(self, request: ExecuteRequest) -> None:
        """Refuse what no program is needed to find wrong.

        Raises:
            UsageError: in one sentence.
        """
        calls = len(request.calls)
        if not request.entry_point:
            raise UsageError("entry_point is empty; name the function to call")
        if not calls:
            raise UsageError("the request has no calls; give at least one")
        if calls > self._max_calls:
            raise UsageError(
                f"the request has {calls:,} calls, and the limit is {self._max_calls:,}; "
                "split it into several"
            )
        if request.trace_steps < 0:
            raise UsageError(f"trace_steps is {request.trace_steps}; give 0 for none, or more")
        if request.replica not in _REPLICAS:
            raise UsageError(f"there is no replica {request.replica}; choose 0 or 1")
        if request.priority not in Priority.values():
            raise UsageError(
                f"there is no priority {request.priority}; choose batch or interactive"
            )
        for index, call in enumerate(request.calls):
            if call.WhichOneof("arguments") == "input_json":
                _check_input(index, call.input_json)


def _check_input(index: int, text: str) -> None:
    try:
        value = values.loads(text)
    except ValueError as error:
        raise UsageError(f"input_json of call {index} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"input_json of call {index} is no JSON object, which arguments are")
