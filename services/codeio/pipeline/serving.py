"""The services put together with what carries them: `codeio serve`.

A process answers gRPC and, where a broker is named, works for the same stages on
its topics; both run their programs in one pool of sandboxes, in which calls that
somebody waits for go first.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from codeio.pipeline.beside import beside
from codeio.pipeline.stages import parts_of
from codeio.pipeline.workshop import check_stages, open_workshop
from codeio.runtime.errors import UsageError
from codeio.runtime.grpc_server import GrpcServer
from codeio.runtime.metrics import watch_slots
from codeio.runtime.probes import probed
from codeio.runtime.signals import stop_signals
from codeio.runtime.topics import FLOWS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from codeio.executor.sandbox.pool import Pool
    from codeio.pipeline.workshop import Workshop
    from codeio.runtime.grpc_health import Health
    from codeio.runtime.settings import Settings
    from codeio.runtime.worker import Worker

_LAUNCHER = "trainer-launcher"
SERVICES = (*FLOWS, _LAUNCHER)
_BROKER = "broker"
_LOOK_SECONDS = 0.2


async def serve(name: str, settings: Settings, *, say: Callable[[str], None]) -> None:
    """Serve one service, or `all`, until SIGTERM or SIGINT; then finish what runs.

    `say` is told when it is ready.

    Raises:
        UsageError: what the service needs is not to be had: a sandbox, the broker, a
            topic, a right, an address.
        Stopped: a language model cannot be asked any more.
        LogError: the broker refuses a stage, or another process has its slot.
        Interrupted: a second signal cut it off.
    """
    names = SERVICES if name == "all" else (name,)
    stages = [each for each in names if each in FLOWS]
    broker = settings.kafka.bootstrap_servers if stages else ""
    if name == "all" and not broker:
        raise UsageError(
            "all stages work on a broker's topics, and no broker is named; set "
            "CODEIO_KAFKA__BOOTSTRAP_SERVERS to HOST:PORT"
        )
    check_stages(settings, stages)
    pool = _pool(settings, say) if stages else None
    workshop: asyncio.Future[Workshop] = asyncio.get_running_loop().create_future()
    offers = [parts_of(each).offer(settings, pool, workshop.result) for each in names]
    server_settings = settings.server
    async with (
        stop_signals() as stop,
        GrpcServer(offers, settings=server_settings) as server,
        probed(
            server.health, host=server_settings.host, port=server_settings.metrics_port
        ) as probes,
        AsyncExitStack() as stack,
    ):
        workers: list[Worker] = []
        if pool is not None:
            workshop.set_result(
                await stack.enter_async_context(open_workshop(settings, pool, stages=stages))
            )
            watch_slots(pool.slots, busy=lambda: pool.busy_slots)
            # So that no call has to wait for that.
            await pool.start_all()
        if _LAUNCHER in names:
            await stack.enter_async_context(parts_of(_LAUNCHER).launching(settings, stop=stop))
        if broker:
            carrying = _carrying(stages, settings, workshop.result(), server.health)
            workers = await stack.enter_async_context(carrying)
        async with server.accepting():
            health = f", health on {server.health_address}" if server.health_address else ""
            records = f", records from {broker}" if broker else ""
            say(
                f"serving {name} on {server.address}, metrics and probes on {probes}"
                f"{health}{records}"
            )
            await stop.wait()
            # Both drain at once: calls that run are waited for on the way out.
            for worker in workers:
                worker.drain()


def _pool(settings: Settings, say: Callable[[str], None]) -> Pool:
    """Return sandboxes, not yet started, some of them for interactive calls alone."""
    from codeio.executor.sandbox import make_pool  # noqa: PLC0415  (not every service's)

    return make_pool(settings, say=say, reserved=settings.sandbox.reserved)


@asynccontextmanager
async def _carrying(
    stages: Sequence[str], settings: Settings, workshop: Workshop, health: Health
) -> AsyncIterator[list[Worker]]:
    """Carry stages over the broker for the time of the body.

    Readiness waits until all are in their groups, and no longer depends on the
    broker after that: a broker that is away is no reason to take calls away too.
    """
    from codeio.pipeline.working import working  # noqa: PLC0415
    from codeio.runtime.kafka import KafkaLog  # noqa: PLC0415

    async def tell_when_joined() -> None:
        while not all(worker.joined for worker in workers):  # noqa: ASYNC110  (there is no event)
            await asyncio.sleep(_LOOK_SECONDS)
        await health.report(_BROKER)

    await health.report(_BROKER, ready=False)
    async with (
        KafkaLog(settings.kafka) as log,
        working(stages, log, settings, workshop) as workers,
        beside(tell_when_joined()),
    ):
        yield workers


async def serve_sandbox(settings: Settings, *, say: Callable[[str], None]) -> None:
    """Give executors guests until SIGTERM or SIGINT, then let their jobs end.

    Raises:
        UsageError: this is not inside gVisor, or the address is taken.
        Interrupted: a second signal cut it off.
    """
    from codeio.executor.sandbox.serve import serve_guests  # noqa: PLC0415  (not every service's)

    async with stop_signals() as stop:
        await serve_guests(settings, say=say, stopping=stop)
