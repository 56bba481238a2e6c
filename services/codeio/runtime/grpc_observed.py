"""What is counted and traced of each call."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import grpc

from codeio.runtime import spans
from codeio.runtime.metrics import GRPC_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def observed(method: str, behaviour: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """Return the behaviour of a method, which then also counts and traces its calls."""

    async def call(payload: Any, context: grpc.aio.ServicerContext[bytes, bytes]) -> Any:
        metadata = {
            key: value
            for key, value in context.invocation_metadata() or ()
            if isinstance(value, str)
        }
        started = perf_counter()
        with spans.answering(method, metadata):
            code = "CANCELLED"  # by the client or its deadline, unless it ends otherwise
            try:
                answer = await behaviour(payload, context)
                code = "OK"
            except Exception:
                code = _name(context.code())
                raise
            finally:
                GRPC_SECONDS.labels(method, code).observe(perf_counter() - started)
            return answer

    return call


def _name(code: Any) -> str:
    """Return a status by its name: gRPC gives it as itself or as a number."""
    return next((s.name for s in grpc.StatusCode if code in (s, s.value[0])), "UNKNOWN")
