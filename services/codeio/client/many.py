"""Many answers on their way to judgement: packed, matched by number, sent again if need be."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, cast

import grpc

from codeio.client.answers import Judgement
from codeio.client.errors import ClientError, InvalidRequest
from codeio.v1.verifier_service_pb2 import VerifyStreamItem, VerifyStreamRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from codeio.client.answers import Answer
    from codeio.v1.verifier_service_pb2 import (
        VerifyError,
        VerifyRequest,
        VerifyStreamResponse,
    )

# More in one message make it no faster, but later.
_PACKED = 64
_PACKED_BYTES = 1 << 20
# An id and the lengths of what it is packed into.
_AROUND_A_REQUEST = 32
_TRIES = 5
_FIRST_WAIT, _LONGEST_WAIT, _FACTOR = 0.1, 5.0, 3.0
_PUSHBACK = "grpc-retry-pushback-ms"
_TRANSIENT = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Many:
    """The answers of one call of `verify_many`, over as many streams as it takes."""

    def __init__(self, answers: Iterable[Answer], *, max_message_bytes: int) -> None:
        self._judged: list[Judgement | ClientError | VerifyError | None] = []
        self.unanswered: dict[int, VerifyRequest] = {}
        """By number, from 0."""
        self._max_message_bytes = max_message_bytes
        self._tries = 0
        self._progress = False
        self._refused: dict[int, VerifyError] = {}
        for number, answer in enumerate(answers):
            try:
                request = answer.request()
                if (size := request.ByteSize()) > max_message_bytes - _AROUND_A_REQUEST:
                    raise InvalidRequest(  # noqa: TRY301
                        f"the request has {size:,} bytes, and the limit is {max_message_bytes:,}"
                    )
            except InvalidRequest as error:
                self._judged.append(error)
            else:
                self._judged.append(None)
                self.unanswered[number] = request

    def messages(self) -> Iterator[VerifyStreamRequest]:
        """Return what is unanswered, packed; gRPC may ask for it in another thread."""
        self._refused.clear()
        return self._packed(list(self.unanswered.items()))

    def _packed(self, unanswered: list[tuple[int, VerifyRequest]]) -> Iterator[VerifyStreamRequest]:
        limit = min(_PACKED_BYTES, self._max_message_bytes)
        items: list[VerifyStreamItem] = []
        total = 0
        for number, request in unanswered:
            size = request.ByteSize() + _AROUND_A_REQUEST
            if items and (len(items) == _PACKED or total + size > limit):
                yield VerifyStreamRequest(items=items)
                items, total = [], 0
            items.append(VerifyStreamItem(id=number, request=request))
            total += size
        if items:
            yield VerifyStreamRequest(items=items)

    def take(self, message: VerifyStreamResponse) -> None:
        """Note the results of a message."""
        for each in message.results:
            if each.id not in self.unanswered:
                continue
            result = each.result
            if result.HasField("response"):
                self._judged[each.id] = Judgement.of(result.response)
            elif _CODES.get(result.error.code) in _TRANSIENT:
                self._refused[each.id] = result.error
                continue
            else:
                self._judged[each.id] = result.error
            del self.unanswered[each.id]
            self._progress = True

    def wait_after(self, broken: grpc.RpcError | None) -> float:
        """Return how many seconds to wait before what is unanswered is sent again.

        `broken`: what ended the stream, if it did not end in peace.

        Raises:
            grpc.RpcError: it was what ended the stream, and nothing is to be sent again.
        """
        if not self.unanswered:
            return 0.0
        self._tries = 1 if self._progress else self._tries + 1
        self._progress = False
        if broken is not None and (broken.code() not in _TRANSIENT or self._tries >= _TRIES):
            raise broken
        if self._tries >= _TRIES or (broken is None and not self._refused):
            self._give_up()
            return 0.0
        told = max(
            0.0 if broken is None else _pushback(broken),
            *(error.retry_after_seconds for error in self._refused.values()),
            0.0,
        )
        backoff = min(_FIRST_WAIT * _FACTOR ** (self._tries - 1), _LONGEST_WAIT)
        return told or backoff * random.uniform(0.8, 1.2)  # noqa: S311

    def judged(
        self, error_of: Callable[[grpc.StatusCode, str, float], ClientError]
    ) -> list[Judgement | ClientError]:
        """Return what came of each answer, in their order."""
        return [
            each
            if isinstance(each, Judgement | ClientError)
            else error_of(_CODES.get(each.code, grpc.StatusCode.UNKNOWN), each.message, 0.0)
            if each is not None
            else ClientError("the server gave no answer to it")
            for each in self._judged
        ]

    def _give_up(self) -> None:
        for number in self.unanswered:
            self._judged[number] = self._refused.get(number)
        self.unanswered.clear()


def _pushback(error: grpc.RpcError) -> float:
    """Return in how many seconds the server asked to be called again."""
    # Pairs in both of gRPC's forms, whatever its types say.
    metadata: dict[str, Any] = dict(cast("Any", error.trailing_metadata()) or ())
    told = str(metadata.get(_PUSHBACK, "0"))
    return int(told) / 1000 if told.isdigit() else 0.0
