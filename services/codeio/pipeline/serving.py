"""The services put together with the server that carries them: `codeio serve`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from codeio.executor.sandbox import make_pool
from codeio.executor.service import ExecutorServicer
from codeio.executor.stage import GuestVersion
from codeio.runtime.grpc_server import GrpcServer, Service
from codeio.runtime.signals import stop_signals
from codeio.v1.executor_service_pb2 import DESCRIPTOR
from codeio.v1.executor_service_pb2_grpc import add_ExecutorServiceServicer_to_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from codeio.runtime.settings import Settings
    from codeio.runtime.stage import Sandbox
    from codeio.v1.execution_pb2 import CallResult, ExecuteRequest, ExecuteResponse


class WholeJobs:
    """A `StreamingSandbox` over one that is none: the results come all at the end."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def execute(self, request: ExecuteRequest, /) -> ExecuteResponse:
        return await self._sandbox.execute(request)

    async def stream(self, request: ExecuteRequest, /) -> AsyncGenerator[CallResult]:
        for result in (await self._sandbox.execute(request)).results:
            yield result


def executor_service(servicer: ExecutorServicer) -> Service:
    """Return the executor as the server carries it."""
    return Service(
        name=DESCRIPTOR.services_by_name["ExecutorService"].full_name,
        add=partial(add_ExecutorServiceServicer_to_server, servicer),
    )


async def serve_executor(settings: Settings, *, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then finish what runs; `say` is told when it is ready.

    Raises:
        UsageError: there is no sandbox to be had, or the address is taken.
        Interrupted: a second signal cut it off.
    """
    pool, environment = make_pool(settings, say=say)
    servicer = ExecutorServicer(
        WholeJobs(pool),
        guest=GuestVersion(environment.python_version, environment.lock_hash),
        slots=pool.workers,
        settings=settings,
    )
    async with (
        stop_signals() as stop,
        GrpcServer([executor_service(servicer)], settings=settings.server) as server,
        pool,
        server.accepting(),
    ):
        say(f"serving executor on {server.address}, {pool.workers} jobs at a time")
        await stop.wait()
