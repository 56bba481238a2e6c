"""The one place where an error becomes a gRPC status; `runtime.errors` has the table.

Details are those of google.rpc: `ErrorInfo` for a refusal, `RetryInfo` where it
is known when to come again. That is said in `grpc-retry-pushback-ms` too, which
gRPC's own retries heed.
"""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, NoReturn

import grpc
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from codeio.runtime.errors import (
    CodeioError,
    Overloaded,
    Rejected,
    Stopped,
    TransientError,
    UsageError,
)
from codeio.runtime.policy import decisive

if TYPE_CHECKING:
    from google.protobuf.message import Message

_logger = structlog.get_logger()

DOMAIN = "codeio"
"""Domain of the reasons in `ErrorInfo`."""

_PUSHBACK = "grpc-retry-pushback-ms"
# A status travels twice in a header block of 8 KiB, once with three characters for a byte.
_MESSAGE_BYTES = 1200


class AnswerTooLarge(CodeioError):
    """The answer is larger than a message may be."""


class CallTooLong(CodeioError):
    """The call took longer than the server allows."""


class Unauthenticated(CodeioError):
    """The caller did not show who it is."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotFound(CodeioError):
    """What was asked for by its name is not there."""


class AlreadyExists(CodeioError):
    """What was to be made is there already, and is another."""


class PermissionDenied(CodeioError):
    """The caller is known, and may not do this."""

    def __init__(self, message: str, *, scope: str) -> None:
        super().__init__(message)
        self.scope = scope
        """What it would need."""


_PLAIN = {
    UsageError: grpc.StatusCode.INVALID_ARGUMENT,
    AnswerTooLarge: grpc.StatusCode.OUT_OF_RANGE,
    CallTooLong: grpc.StatusCode.DEADLINE_EXCEEDED,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    Stopped: grpc.StatusCode.UNAVAILABLE,
}
"""Codes of errors whose sentence is all that there is to tell."""


async def abort(context: grpc.aio.ServicerContext[bytes, bytes], error: Exception) -> NoReturn:
    """End a call with the status of an error; a bug is logged, and the caller told its id.

    Raises:
        AbortError: always; it ends the handler.
    """
    status, retry_after = status_of(error)
    ended = rpc_status.to_status(status)
    metadata = tuple(ended.trailing_metadata or ())
    if retry_after is not None:
        metadata += ((_PUSHBACK, str(math.ceil(retry_after * 1000))),)
    await context.abort(ended.code, ended.details or "", metadata)


def status_of(error: Exception) -> tuple[Status, float | None]:
    """Return the status of an error, and in how many seconds to come again where that is known.

    A bug is logged under an id, which is all that the status tells of it.
    """
    code = grpc.StatusCode
    error = decisive(error)
    for plain, its_code in _PLAIN.items():
        if isinstance(error, plain):
            return _status(its_code, str(error)), None
    match error:
        case Unauthenticated():
            info = ErrorInfo(reason=error.reason, domain=DOMAIN)
            return _status(code.UNAUTHENTICATED, str(error), info), None
        case PermissionDenied():
            info = ErrorInfo(
                reason="missing_scope", domain=DOMAIN, metadata={"scope": _text(error.scope)}
            )
            return _status(code.PERMISSION_DENIED, str(error), info), None
        case Rejected():
            info = ErrorInfo(reason=_text(error.reason), domain=DOMAIN)
            return _status(code.FAILED_PRECONDITION, str(error), info), None
        case TransientError():
            kind = code.RESOURCE_EXHAUSTED if isinstance(error, Overloaded) else code.UNAVAILABLE
            if error.retry_after is None:
                return _status(kind, str(error)), None
            delay = Duration()
            delay.FromNanoseconds(round(error.retry_after * 1e9))
            return _status(kind, str(error), RetryInfo(retry_delay=delay)), error.retry_after
        case _:
            error_id = uuid.uuid4().hex[:12]
            _logger.error("call failed", error_id=error_id, exc_info=error)
            return _status(code.INTERNAL, f"an error of the server, logged as {error_id}"), None


def _status(code: grpc.StatusCode, message: str, *details: Message) -> Status:
    status = Status(code=code.value[0], message=_text(message))
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _text(text: str) -> str:
    """Return the text as a header can hold it: no lone surrogates, and cut at a length."""
    told = text.encode(errors="backslashreplace")
    if len(told) <= _MESSAGE_BYTES:
        return told.decode()
    return told[:_MESSAGE_BYTES].decode(errors="ignore") + "…"
