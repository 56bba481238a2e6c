"""The gRPC server: carries any servicers behind one port, with no change to them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import grpc
import structlog
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection

from codeio.runtime.errors import UsageError
from codeio.runtime.grpc_access import AccessInterceptor
from codeio.runtime.grpc_calls import CallInterceptor
from codeio.runtime.grpc_health import Health
from codeio.runtime.grpc_tls import server_credentials
from codeio.runtime.listening import address_text, is_loopback, listen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from types import TracebackType

    from codeio.runtime.settings import ServerSettings

_logger = structlog.get_logger()

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
        self._names = [service.name for service in services]
        self._calls = CallInterceptor(services=frozenset(self._names), settings=settings)
        self._servers: list[grpc.aio.Server] = []
        self.health = Health(self._names)
        """What probes are told; parts of the process beside the servicers report theirs to it."""
        self.address = ""
        """Where it listens: host and port."""
        self.health_address = ""
        """Where it answers health alone, if the settings want it."""

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            UsageError: the address cannot be listened at, or a file that the
                settings name cannot be used.
        """
        settings = self._settings
        credentials = server_credentials(settings)
        interceptors: list[grpc.aio.ServerInterceptor] = [self._calls]
        if settings.tokens_file:
            access = AccessInterceptor(settings.tokens_file, services=self._names)
            interceptors.insert(0, access)
        # To find out whether they can be had: gRPC only says that they cannot, and prints more.
        listen(settings.host, settings.port).close()
        if settings.health_port is not None:
            listen(settings.host, settings.health_port, chosen_by="server.health_port").close()
        server = self._server(interceptors)
        for service in self._services:
            service.add(server)
        await self.health.add_to(server)
        reflection.enable_server_reflection(
            [*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME], server
        )
        self.address = self._add_port(server, settings.port, credentials)
        if settings.health_port is not None:
            probed = self._server()
            await self.health.add_to(probed)
            self.health_address = self._add_port(probed, settings.health_port, None)
        for each in self._servers:
            await each.start()
        self._warn()
        return self

    def _server(self, interceptors: Sequence[grpc.aio.ServerInterceptor] = ()) -> grpc.aio.Server:
        server = grpc.aio.server(interceptors=interceptors, options=_options(self._settings))
        self._servers.append(server)
        return server

    def _add_port(
        self, server: grpc.aio.Server, port: int, credentials: grpc.ServerCredentials | None
    ) -> str:
        address = address_text(self._settings.host, port)
        if credentials is None:
            return address_text(self._settings.host, server.add_insecure_port(address))
        try:
            return address_text(self._settings.host, server.add_secure_port(address, credentials))
        except RuntimeError as error:
            # The address could be had a moment ago, and certificate and key belong together.
            raise UsageError(
                f"gRPC cannot use the key in {self._settings.tls_key} at {address}; "
                "give an RSA key or one on the curve P-256, P-384 or P-521"
            ) from error

    def _warn(self) -> None:
        """Say what the settings leave open."""
        settings = self._settings
        if is_loopback(settings.host):
            return
        if settings.tokens_file is None and settings.tls_client_ca is None:
            _logger.warning(
                "whoever reaches this address may call; see server.tokens_file",
                address=self.address,
            )
        if settings.tokens_file is not None and settings.tls_certificate is None:
            _logger.warning(
                "tokens travel unencrypted to this address; see server.tls_certificate",
                address=self.address,
            )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.gather(*(server.stop(_FLUSH_SECONDS) for server in self._servers))

    @asynccontextmanager
    async def accepting(self) -> AsyncIterator[None]:
        """Take calls for the time of the body, then drain; once.

        To drain is to say to probes and to clients that watch that it no longer
        serves, to refuse calls, and to wait for those that run. Those that take
        longer than the settings allow are ended; all are, where the body raises
        or the draining is cancelled.
        """
        self._calls.open()
        await self.health.accept(True)
        try:
            yield
            await self.health.accept(False)
            await self._calls.close(seconds=self._settings.drain_seconds)
        finally:
            await self._calls.close(seconds=0)


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
