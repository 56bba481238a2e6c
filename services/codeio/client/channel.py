"""What all clients have in common: the connection, its options, and what errors become."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict, Unpack

import grpc

from codeio.client.errors import (
    AlreadyExists,
    ClientError,
    DeadlineExceeded,
    InvalidRequest,
    NotFound,
    Overloaded,
    PermissionDenied,
    Refused,
    Unauthenticated,
    Unavailable,
)
from codeio.client.security import Tls, Token, is_loopback

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from types import TracebackType

    from google.protobuf.message import Message

TARGET = "dns:///localhost:50051"
MAX_MESSAGE_BYTES = 16 << 20
"""Size of a request that servers take, unless their settings say otherwise."""

_KEEPALIVE_MS = 30_000
_SCHEME = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract|vsock|xds):")
_RETRY_POLICY = {
    "maxAttempts": 5,  # the most that gRPC makes
    "initialBackoff": "0.1s",
    "maxBackoff": "5s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
}


class ChannelOptions(TypedDict, total=False):
    """How a client reaches its server."""

    max_message_bytes: int
    """Size of a request, at most; what the server takes."""
    tls: Tls | None
    """Encrypt, and know the server; `Tls()` trusts the well-known authorities."""
    token: str | None
    """Sent with every call as `authorization: Bearer TOKEN`."""
    token_file: str | os.PathLike[str] | None
    """A file that holds it; read for every call, so that it may be renewed."""
    token_over_plaintext: bool
    """Send the token without TLS to another machine too, where all in between can read it."""


class _Connection:
    """What clients for threads and for asyncio share."""

    _service: ClassVar[str]
    """Full name of the service."""
    _own_retries: ClassVar[tuple[str, ...]] = ()
    """Methods that the client tries again itself."""

    def __init__(  # noqa: PLR0913
        self,
        target: str = TARGET,
        *,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        tls: Tls | None = None,
        token: str | None = None,
        token_file: str | os.PathLike[str] | None = None,
        token_over_plaintext: bool = False,
    ) -> None:
        if target.startswith(("http://", "https://")):
            raise InvalidRequest(
                f"{target} is an address for HTTP; give HOST:PORT, and tls=Tls() where it encrypts"
            )
        self._target = target if _SCHEME.match(target) else f"dns:///{target}"
        self._max_message_bytes = max_message_bytes
        self._tls = tls
        self._token = Token(text=token, file=token_file)
        if self._token and not (tls or token_over_plaintext or is_loopback(self._target)):
            raise InvalidRequest(
                f"a token would reach {self._target} unencrypted; give tls, or "
                "token_over_plaintext=True if nobody else can listen"
            )

    @property
    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return self._token.metadata()

    @property
    def _options(self) -> list[tuple[str, Any]]:
        methods = [
            {"name": [{"service": self._service}], "retryPolicy": _RETRY_POLICY},
            *(
                {"name": [{"service": self._service, "method": method}]}
                for method in self._own_retries
            ),
        ]
        service_config = {
            "loadBalancingConfig": [{"round_robin": {}}],
            # A server that drains says so here first, and gets no more calls.
            "healthCheckConfig": {"serviceName": self._service},
            "methodConfig": methods,
        }
        options: list[tuple[str, Any]] = [
            ("grpc.service_config", json.dumps(service_config)),
            # A request that is not kept whole is not tried again.
            ("grpc.per_rpc_retry_buffer_size", self._max_message_bytes + (64 << 10)),
            # The server holds its answers to a limit of its own.
            ("grpc.max_receive_message_length", -1),
            # A long call sends nothing meanwhile; that its server is still there is to be known.
            ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
            ("grpc.http2.max_pings_without_data", 0),
        ]
        if self._tls and self._tls.server_name:
            options.append(("grpc.ssl_target_name_override", self._tls.server_name))
        return options

    def _check_size(self, request: Message) -> None:
        size = request.ByteSize()
        if size > self._max_message_bytes:
            raise InvalidRequest(
                f"the request has {size:,} bytes, and the limit is {self._max_message_bytes:,}; "
                "ask for less at a time"
            )

    @contextmanager
    def _errors(self, timeout: float) -> Iterator[None]:
        """Turn gRPC's errors into ours."""
        try:
            yield
        except grpc.RpcError as error:
            raise self._error(error.code(), error.details() or "", timeout) from error

    def _error(self, code: grpc.StatusCode, details: str, timeout: float) -> ClientError:
        match code:
            case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.OUT_OF_RANGE:
                return InvalidRequest(details)
            case grpc.StatusCode.FAILED_PRECONDITION:
                return Refused(details)
            case grpc.StatusCode.NOT_FOUND:
                return NotFound(details)
            case grpc.StatusCode.ALREADY_EXISTS:
                return AlreadyExists(details)
            case grpc.StatusCode.UNAUTHENTICATED:
                return Unauthenticated(f"{self._target} does not know who calls: {details}")
            case grpc.StatusCode.PERMISSION_DENIED:
                return PermissionDenied(f"{self._target} does not allow the call: {details}")
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return DeadlineExceeded(
                    f"{self._target} did not answer within {timeout:g} s; "
                    "ask for less at a time or give a longer timeout"
                )
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                return Overloaded(f"{self._target} is too busy: {details}")
            case grpc.StatusCode.UNAVAILABLE:
                return Unavailable(f"{self._target} is not available: {details}")
            case _:
                return ClientError(f"{self._target} failed ({code.name}): {details}")


class Client(_Connection):
    """A client for threads; close it, or use it in a `with` block.

    Threads may share one, and should: it holds the connections.
    """

    def __init__(self, target: str = TARGET, **options: Unpack[ChannelOptions]) -> None:
        """Take `host:port`, of which the name may stand for many servers, or any gRPC target.

        Raises:
            InvalidRequest: the options cannot be, or would send a token unencrypted.
        """
        super().__init__(target, **options)
        self._channel = (
            grpc.secure_channel(self._target, self._tls.credentials(), options=self._options)
            if self._tls
            else grpc.insecure_channel(self._target, options=self._options)
        )

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


class AsyncClient(_Connection):
    """A client for asyncio; to be made and used in one event loop, and closed there."""

    def __init__(self, target: str = TARGET, **options: Unpack[ChannelOptions]) -> None:
        """Take `host:port`, of which the name may stand for many servers, or any gRPC target.

        Raises:
            InvalidRequest: the options cannot be, or would send a token unencrypted.
        """
        super().__init__(target, **options)
        self._channel = (
            grpc.aio.secure_channel(self._target, self._tls.credentials(), options=self._options)
            if self._tls
            else grpc.aio.insecure_channel(self._target, options=self._options)
        )

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
