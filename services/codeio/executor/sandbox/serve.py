"""A sandbox pod: gives each connection a guest of its own, inside the pod's gVisor.

It knows no secrets and no jobs. The executor at the other end of a connection
speaks the guest protocol with the guest's init, whose standard input and output
are the connection; what is here only starts it and sees it end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING

import structlog

from codeio.executor.sandbox.backends import (
    GUEST,
    ProcessBackend,
    guest_command,
    guest_variables,
)
from codeio.executor.sandbox.guest_environment import guest_environment
from codeio.runtime.errors import UsageError
from codeio.runtime.grpc_health import Health
from codeio.runtime.listening import address_text, listen
from codeio.runtime.metrics import watch_slots
from codeio.runtime.probes import probed

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeio.executor.sandbox.guest_environment import GuestEnvironment
    from codeio.runtime.settings import Settings

_logger = structlog.get_logger()

# An executor whose machine is gone says no goodbye.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)

# So that a lack that lasts fills no log.
_AFTER_FAILURE_SECONDS = 0.2


async def serve_guests(
    settings: Settings, *, say: Callable[[str], None], stopping: asyncio.Event
) -> None:
    """Serve guests until `stopping` is set, then let their jobs end.

    Raises:
        UsageError: this is not inside gVisor, the guest's packages are missing,
            or the address cannot be listened on.
    """
    environment = guest_environment(settings.sandbox.home)
    await _prove_gvisor(environment, settings)
    workers = settings.sandbox.workers or os.cpu_count() or 1
    host = settings.server.host
    listener = listen(host, settings.sandbox.port)
    listener.setblocking(False)
    address = address_text(host, listener.getsockname()[1])
    guests: set[asyncio.subprocess.Process] = set()
    watch_slots(workers, busy=lambda: len(guests))
    health = Health(())
    async with probed(health, host=host, port=settings.server.metrics_port) as probes:
        with listener:
            say(
                f"serving sandbox on {address}, {workers} guests at a time, "
                f"metrics and probes on {probes}"
            )
            accepting = asyncio.create_task(_accept(listener, environment, workers, guests))
            ending = asyncio.create_task(stopping.wait())
            await health.accept(accepting=True)
            await asyncio.wait([accepting, ending], return_when=asyncio.FIRST_COMPLETED)
            await health.accept(accepting=False)
            if accepting.done():
                accepting.result()  # a pod that lets nobody in is not to look as if it did
            accepting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await accepting
        await _drain(guests, settings.server.drain_seconds)


async def _prove_gvisor(environment: GuestEnvironment, settings: Settings) -> None:
    guest = await ProcessBackend(environment, settings.limits).start()
    await guest.stop()
    if not guest.in_gvisor:
        raise UsageError(
            "this is not inside gVisor, so no program is run here; "
            "give the pod a RuntimeClass whose handler is runsc"
        )


async def _accept(
    listener: socket.socket,
    environment: GuestEnvironment,
    workers: int,
    guests: set[asyncio.subprocess.Process],
) -> None:
    loop = asyncio.get_running_loop()
    ends: set[asyncio.Task[None]] = set()
    while True:
        try:
            connection, _ = await loop.sock_accept(listener)
            with connection:
                if len(guests) == workers:
                    continue  # hung up on: the executor tries the next pod
                process = await _guest_on(connection, environment)
        except OSError as error:
            # Gone again, or no process or file is to be had: that executor tries the next pod.
            _logger.warning("a guest could not be started", error=str(error))
            await asyncio.sleep(_AFTER_FAILURE_SECONDS)
            continue
        guests.add(process)
        end = asyncio.create_task(_see_off(process, guests))
        ends.add(end)
        end.add_done_callback(ends.discard)


async def _guest_on(
    connection: socket.socket, environment: GuestEnvironment
) -> asyncio.subprocess.Process:
    connection.setblocking(True)
    for option in _KEEPALIVE:
        connection.setsockopt(*option)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return await asyncio.create_subprocess_exec(
        *guest_command(environment, GUEST, environment.zygote),
        stdin=connection.fileno(),
        stdout=connection.fileno(),
        env=guest_variables(environment.prefix),
        start_new_session=True,
    )


async def _see_off(
    process: asyncio.subprocess.Process, guests: set[asyncio.subprocess.Process]
) -> None:
    status = await process.wait()
    guests.discard(process)
    if status:
        _logger.warning("a guest ended", status=status)


async def _drain(guests: set[asyncio.subprocess.Process], seconds: float) -> None:
    """Ask the guests to end with their jobs, and end those that do not in time."""
    ending = list(guests)
    for process in ending:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(process.wait() for process in ending))
    except TimeoutError:
        for process in ending:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
