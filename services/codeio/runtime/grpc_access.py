"""Who may call what: bearer tokens, and the scopes that each has.

The file of tokens holds their SHA-256 sums alone. A token is random, so that
from the sum of it nobody finds it. What is refused is refused before the
request is read, and leaves a line `audit` in the log.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

import grpc
import structlog
import yaml
from google.protobuf import descriptor_pool
from grpc_health.v1 import health
from pydantic import Field, ValidationError

from codeio.runtime.errors import UsageError
from codeio.runtime.grpc_observed import observed
from codeio.runtime.grpc_status import PermissionDenied, Unauthenticated, abort
from codeio.runtime.settings import Section
from codeio.runtime.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from pathlib import Path

    _Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
    _Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any]

ALL = "*"
"""The scope of everything."""
SERVICES = frozenset({"cot-generator", "executor", "normalizer", "trainer-launcher", "verifier"})
"""Services that a scope may name, on whichever server: one file may do for all."""

_SCHEME = "bearer"
# What a token does is told to the log so often at most, for each method.
_ACCEPTED_EVERY_SECONDS = 60.0

_logger = structlog.get_logger()


def scope_name(service: str) -> str:
    """Return `cot-generator` for `codeio.v1.CotGeneratorService`."""
    name = service.rpartition(".")[2].removesuffix("Service")
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


@dataclass(frozen=True, slots=True)
class Token:
    name: str
    digest: bytes
    scopes: frozenset[str]


class _Entry(Section):
    name: str = Field(pattern=r"^[\w.@-]{1,64}$")
    sha256: str = Field(pattern=r"^[0-9a-fA-F]{64}$")
    scopes: tuple[str, ...] = Field(min_length=1)


class _File(Section):
    tokens: tuple[_Entry, ...]


def new_token(name: str, scopes: Sequence[str]) -> tuple[str, str]:
    """Draw a token; return it, and its entry in the file as YAML.

    Raises:
        UsageError: the name cannot be one, or a scope names no service.
    """
    secret = secrets.token_hex(32)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    entry = {"name": name, "sha256": digest, "scopes": list(scopes)}
    text: str = yaml.safe_dump([entry], sort_keys=False, default_flow_style=None)
    _read_tokens("the new entry", f"tokens:\n{text}", methods={})
    return secret, text


class AccessInterceptor(grpc.aio.ServerInterceptor):
    """Lets calls pass whose token has the scope of the method.

    Health is for everyone; what else is not one of the services, such as
    reflection, is for the holder of any token.
    """

    def __init__(self, path: Path, *, services: Collection[str]) -> None:
        """Read the tokens.

        Raises:
            UsageError: the file cannot be read or used.
        """
        self._scopes = {service: scope_name(service) for service in services}
        methods = {scope: _methods(service) for service, scope in self._scopes.items()}
        self._tokens = Watched(
            "tokens", [path], lambda contents: _read_tokens(path, contents[0], methods=methods)
        )
        self._told: dict[tuple[str, str], float] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        method = handler_call_details.method
        service, _, name = method.removeprefix("/").partition("/")
        if service == health.SERVICE_NAME:
            return await continuation(handler_call_details)
        token = self._holder(_presented(handler_call_details.invocation_metadata))
        if isinstance(token, Unauthenticated):
            return _refusal(token, method, None)
        scope = self._scopes.get(service)
        if scope is None:
            return await continuation(handler_call_details)
        wanted = f"{scope}/{name}"
        if token.scopes.isdisjoint((ALL, scope, wanted)):
            denied = f"the token {token.name} may not call {wanted}"
            return _refusal(PermissionDenied(denied, scope=wanted), method, token)
        handler = await continuation(handler_call_details)
        # There is no handler where the method is not known.
        if handler is None or not self._to_be_told(token, method):
            return handler
        return _told(handler, method, token)

    def _holder(self, presented: str | None) -> Token | Unauthenticated:
        if presented is None:
            return Unauthenticated(
                "no_token", "this server wants a token: `authorization: Bearer TOKEN`"
            )
        digest = hashlib.sha256(presented.encode(errors="replace")).digest()
        holder = None
        # All of them, each in constant time: how long it takes says nothing.
        for token in self._tokens.current():
            if hmac.compare_digest(token.digest, digest):
                holder = token
        return holder or Unauthenticated("unknown_token", "this server does not know the token")

    def _to_be_told(self, token: Token, method: str) -> bool:
        now, key = monotonic(), (token.name, method)
        if now - self._told.get(key, -_ACCEPTED_EVERY_SECONDS) < _ACCEPTED_EVERY_SECONDS:
            return False
        self._told[key] = now
        return True


def _read_tokens(
    where: Path | str, text: bytes | str, *, methods: Mapping[str, Collection[str]]
) -> tuple[Token, ...]:
    """Return the tokens in a file; `methods` are those of the services that are known here."""
    try:
        entries = _File.model_validate(yaml.safe_load(text)).tokens
    except ValidationError as error:
        # What a wrong file holds may be a secret: this sentence does not quote it, the error does.
        first = error.errors(include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "all of it"
        raise UsageError(f"tokens in {where}: {field}: {first['msg']}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise UsageError(f"the tokens in {where} are neither YAML nor JSON") from None
    tokens = tuple(
        Token(entry.name, bytes.fromhex(entry.sha256), frozenset(entry.scopes)) for entry in entries
    )
    for what in ("name", "digest"):
        if len({getattr(token, what) for token in tokens}) < len(tokens):
            raise UsageError(f"two tokens in {where} have one {what}")
    for scope in sorted({scope for token in tokens for scope in token.scopes}):
        _check_scope(scope, where, methods)
    return tokens


def _check_scope(scope: str, where: Path | str, methods: Mapping[str, Collection[str]]) -> None:
    """Find what is misspelt: a token would lack what it was to have."""
    service, _, method = scope.partition("/")
    services = SERVICES | methods.keys()
    if scope != ALL and service not in services:
        known = ", ".join(sorted(services))
        raise UsageError(
            f"scope {scope!r} in {where} names no service; there are {known}, and {ALL}"
        )
    if "/" in scope and (not method or method not in methods.get(service, {method})):
        raise UsageError(f"scope {scope!r} in {where} names no method of {service}")


def _methods(service: str) -> frozenset[str]:
    found = descriptor_pool.Default().FindServiceByName(service)
    return frozenset(method.name for method in found.methods)


def _presented(metadata: Any) -> str | None:
    """Return the bearer token of a call, if it has one."""
    for key, value in metadata or ():
        if key == "authorization" and isinstance(value, str):
            scheme, _, token = value.partition(" ")
            return token.strip() if scheme.lower() == _SCHEME else None
    return None


def _refusal(error: Exception, method: str, token: Token | None) -> _Handler:
    async def refuse(_: object, context: _Context) -> None:
        outcome = "permission denied" if token else "unauthenticated"
        _audit(_logger.warning, outcome, method, token, context)
        await abort(context, error)

    # As a stream, whatever the method is: the request is not waited for, nor kept. Whoever is
    # refused chooses the name of the method, so it is not counted by that.
    return grpc.stream_stream_rpc_method_handler(observed("refused", refuse))


def _told(handler: Any, method: str, token: Token) -> _Handler:
    """Return the handler as one that tells the log of its call."""

    def telling(behaviour: Callable[[Any, _Context], Awaitable[Any]]) -> Any:
        async def call(request: Any, context: _Context) -> Any:
            _audit(_logger.info, "accepted", method, token, context)
            return await behaviour(request, context)

        return call

    if handler.request_streaming:
        return grpc.stream_stream_rpc_method_handler(telling(handler.stream_stream))
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(telling(handler.unary_stream))
    return grpc.unary_unary_rpc_method_handler(telling(handler.unary_unary))


def _audit(
    tell: Callable[..., Any], outcome: str, method: str, token: Token | None, context: _Context
) -> None:
    # A certificate has one name or the other, or both.
    shown = context.auth_context()
    subjects = shown.get("x509_subject") or shown.get("x509_subject_alternative_name") or [b""]
    tell(
        "audit",
        outcome=outcome,
        method=method,
        peer=unquote(context.peer()),
        token=token.name if token else None,
        certificate=b", ".join(subjects).decode(errors="replace") or None,
    )
