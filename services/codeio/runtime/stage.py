"""What a stage is: plain methods that turn one record into zero or more records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from codeio.runtime.records import Record
    from codeio.v1.execution_pb2 import CallResult, ExecuteRequest, ExecuteResponse


class Stage(Protocol):
    """A service's handler; it knows nothing of logs, gRPC or processes.

    `handle` yields the records that follow from one record. To refuse it, it
    raises `Rejected` or yields `Rejection`s; see `runtime.errors` for the rest.
    """

    name: str

    def handle(self, record: Any, /) -> AsyncIterator[Record]: ...


class Sandbox(Protocol):
    """Runs untrusted programs: the pool in this process, or one like it."""

    async def execute(self, request: ExecuteRequest, /) -> ExecuteResponse:
        """Make the calls of one program in one child process.

        Raises:
            TransientError: the sandbox failed, not the program.
        """
        ...


class StreamingSandbox(Sandbox, Protocol):
    """A sandbox that tells of each call as it ends."""

    def stream(self, request: ExecuteRequest, /) -> AsyncGenerator[CallResult]:
        """Make the calls of one program; yield the result of each, in order, once it is there.

        Raises:
            TransientError: the sandbox failed, not the program.
        """
        ...
