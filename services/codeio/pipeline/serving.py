"""The services put together with the server that carries them: `codeio serve`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from codeio.executor.sandbox import make_pool
from codeio.executor.sandbox.serve import serve_guests
from codeio.executor.service import ExecutorServicer
from codeio.runtime.grpc_server import GrpcServer, Service
from codeio.runtime.signals import stop_signals
from codeio.v1.executor_service_pb2 import DESCRIPTOR
from codeio.v1.executor_service_pb2_grpc import add_ExecutorServiceServicer_to_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeio.runtime.settings import Settings


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
    reserved = settings.sandbox.reserved
    pool = make_pool(settings, say=say, reserved=reserved)
    servicer = ExecutorServicer(
        pool, guest=lambda: pool.version, slots=pool.workers, settings=settings
    )
    async with (
        stop_signals() as stop,
        GrpcServer([executor_service(servicer)], settings=settings.server) as server,
        pool,
    ):
        await pool.start_all()
        async with server.accepting():
            say(
                f"serving executor on {server.address}, {pool.workers} jobs at a time "
                f"and {reserved} more if interactive"
            )
            await stop.wait()


async def serve_sandbox(settings: Settings, *, say: Callable[[str], None]) -> None:
    """Give executors guests until SIGTERM or SIGINT, then let their jobs end.

    Raises:
        UsageError: this is not inside gVisor, or the address is taken.
        Interrupted: a second signal cut it off.
    """
    async with stop_signals() as stop:
        await serve_guests(settings, say=say, stopping=stop)
