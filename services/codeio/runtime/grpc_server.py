"""The gRPC server: carries any servicers behind one port, with no change to them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import grpc
from grpc_health.v1 import health
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection

from codeio.runtime.grpc_calls import CallInterceptor
from codeio.runtime.listening import address_text, listen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from types import TracebackType

    from codeio.runtime.settings import ServerSettings

_KEEPALIVE_SECONDS = 30
# Clients that ping more often than this are cut off; ours ping every 30 s.
_SHORTEST_PING_SECONDS = 10
# What is larger than the limit is told so in a sentence; what is this much larger is cut off.
_HARD_LIMIT_FACTOR = 4
# For last answers on their way, and for the health watches of clients, which never end.
_FLUSH_SECONDS = 0.5


@dataclass(frozen=True)
class Service:
    """A servicer to be carried."""

    name: str
    """Full name, such as `codeio.v1.ExecutorService`."""
    add: Callable[[grpc.aio.Server], None]
    """Adds the servicer to a server."""


class GrpcServer:
    """Listens within its `async with` block.

    It refuses calls until it is `accepting`, but a port in use is found out
    early, and probes are answered.
    """

    def __init__(self, services: Sequence[Service], *, settings: ServerSettings) -> None:
        self._services = services
        self._settings = settings
        self._calls = CallInterceptor(
            services=frozenset(service.name for service in services),
            max_message_bytes=settings.max_message_bytes,
        )
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server
        self.address = ""
        """Where it listens: host and port."""

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            UsageError: the address cannot be listened at.
        """
        # To find out whether it can be had: gRPC only says that it cannot, and prints more.
        listen(self._settings.host, self._settings.port).close()
        self._server = grpc.aio.server(interceptors=[self._calls], options=_options(self._settings))
        for service in self._services:
            service.add(self._server)
        add_HealthServicer_to_server(self._health, self._server)
        await self._set_health(HealthCheckResponse.NOT_SERVING)
        reflection.enable_server_reflection(
            [
                *(service.name for service in self._services),
                health.SERVICE_NAME,
                reflection.SERVICE_NAME,
            ],
            self._server,
        )
        port = self._server.add_insecure_port(
            address_text(self._settings.host, self._settings.port)
        )
        self.address = address_text(self._settings.host, port)
        await self._server.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._server.stop(_FLUSH_SECONDS)

    @asynccontextmanager
    async def accepting(self) -> AsyncIterator[None]:
        """Take calls for the time of the body, then drain; once.

        To drain is to say to probes and to clients that watch that it no longer
        serves, to refuse calls, and to wait for those that run. Those that take
        longer than the settings allow are ended; all are, where the body raises
        or the draining is cancelled.
        """
        self._calls.open()
        await self._set_health(HealthCheckResponse.SERVING)
        try:
            yield
            await self._health.enter_graceful_shutdown()
            await self._calls.close(seconds=self._settings.drain_seconds)
        finally:
            await self._calls.close(seconds=0)

    async def _set_health(self, status: int) -> None:
        for name in ("", *(service.name for service in self._services)):
            await self._health.set(name, status)


def _options(settings: ServerSettings) -> list[tuple[str, int]]:
    milliseconds = 1000
    return [
        # Two servers at one port would share the calls between them.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", _HARD_LIMIT_FACTOR * settings.max_message_bytes),
        ("grpc.max_connection_age_ms", round(settings.connection_age_seconds * milliseconds)),
        ("grpc.keepalive_time_ms", _KEEPALIVE_SECONDS * milliseconds),
        (
            "grpc.http2.min_ping_interval_without_data_ms",
            _SHORTEST_PING_SECONDS * milliseconds,
        ),
    ]
