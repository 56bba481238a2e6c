"""A client of the verifier, which judges the answers of models."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, ClassVar, Unpack

import grpc

from codeio.client.answers import Answer, Judgement
from codeio.client.channel import TARGET, AsyncClient, ChannelOptions, Client
from codeio.client.many import Many
from codeio.v1.verifier_service_pb2_grpc import VerifierServiceStub

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codeio.client.errors import ClientError

__all__ = ["Answer", "AsyncVerifierClient", "Judgement", "VerifierClient"]

TIMEOUT = 60.0
"""Seconds that an answer may take to be judged, tries and waits included."""
TIMEOUT_OF_MANY = 600.0
"""Seconds that many may take together."""

_SERVICE = "codeio.v1.VerifierService"


class VerifierClient(Client):
    """Has answers judged by a verifier."""

    _service: ClassVar = _SERVICE
    _own_retries: ClassVar = ("VerifyStream",)

    def __init__(self, target: str = TARGET, **options: Unpack[ChannelOptions]) -> None:
        """See `Client`."""
        super().__init__(target, **options)
        self._stub = VerifierServiceStub(self._channel)

    def verify(self, answer: Answer, *, timeout: float = TIMEOUT) -> Judgement:
        """Return the judgement of one answer.

        Raises:
            ClientError: one of its kinds; see there.
        """
        request = answer.request()
        self._check_size(request)
        with self._errors(timeout):
            response = self._stub.Verify(request, timeout=timeout, metadata=self._metadata)
        return Judgement.of(response)

    def verify_many(
        self, answers: Iterable[Answer], *, timeout: float = TIMEOUT_OF_MANY
    ) -> list[Judgement]:
        """Return the judgements of many answers, in their order.

        They are packed and streamed, which is many times as fast as one by one,
        and those that a failing server left unanswered are sent again.

        Raises:
            ClientError: one of its kinds. One answer that cannot be judged is
                enough; `judge_many` tells of each.
        """
        return _unless_failed(self.judge_many(answers, timeout=timeout))

    def judge_many(
        self, answers: Iterable[Answer], *, timeout: float = TIMEOUT_OF_MANY
    ) -> list[Judgement | ClientError]:
        """Do as `verify_many`, but give the error of an answer that cannot be judged in its place.

        Raises:
            ClientError: no answer can be judged: no server, no permission, no time.
        """
        many = Many(answers, max_message_bytes=self._max_message_bytes)
        deadline = time.monotonic() + timeout
        while many.unanswered:
            broken: grpc.RpcError | None = None
            left = max(0.0, deadline - time.monotonic())
            call = self._stub.VerifyStream(many.messages(), timeout=left, metadata=self._metadata)
            try:
                for message in call:
                    many.take(message)
            except grpc.RpcError as error:
                broken = error
            finally:
                call.cancel()
            with self._errors(timeout):
                wait = many.wait_after(broken)
            if many.unanswered:
                time.sleep(min(wait, max(0.0, deadline - time.monotonic())))
        return many.judged(self._error)


class AsyncVerifierClient(AsyncClient):
    """Does as `VerifierClient` does, for asyncio."""

    _service: ClassVar = _SERVICE
    _own_retries: ClassVar = ("VerifyStream",)

    def __init__(self, target: str = TARGET, **options: Unpack[ChannelOptions]) -> None:
        """See `AsyncClient`."""
        super().__init__(target, **options)
        self._stub = VerifierServiceStub(self._channel)

    async def verify(
        self,
        answer: Answer,
        *,
        timeout: float = TIMEOUT,  # noqa: ASYNC109  (it is the call's deadline, server included)
    ) -> Judgement:
        """See `VerifierClient.verify`."""
        request = answer.request()
        self._check_size(request)
        with self._errors(timeout):
            response = await self._stub.Verify(request, timeout=timeout, metadata=self._metadata)
        return Judgement.of(response)

    async def verify_many(
        self,
        answers: Iterable[Answer],
        *,
        timeout: float = TIMEOUT_OF_MANY,  # noqa: ASYNC109
    ) -> list[Judgement]:
        """See `VerifierClient.verify_many`."""
        return _unless_failed(await self.judge_many(answers, timeout=timeout))

    async def judge_many(
        self,
        answers: Iterable[Answer],
        *,
        timeout: float = TIMEOUT_OF_MANY,  # noqa: ASYNC109
    ) -> list[Judgement | ClientError]:
        """See `VerifierClient.judge_many`."""
        many = Many(answers, max_message_bytes=self._max_message_bytes)
        deadline = time.monotonic() + timeout
        while many.unanswered:
            broken: grpc.RpcError | None = None
            left = max(0.0, deadline - time.monotonic())
            call = self._stub.VerifyStream(many.messages(), timeout=left, metadata=self._metadata)
            try:
                async for message in call:
                    many.take(message)
            except grpc.RpcError as error:
                broken = error
            finally:
                call.cancel()
            with self._errors(timeout):
                wait = many.wait_after(broken)
            if many.unanswered:
                await asyncio.sleep(min(wait, max(0.0, deadline - time.monotonic())))
        return many.judged(self._error)


def _unless_failed(judged: list[Judgement | ClientError]) -> list[Judgement]:
    """Return the judgements.

    Raises:
        ClientError: one is an error, which is raised with its number in front.
    """
    judgements = []
    for number, each in enumerate(judged):
        if not isinstance(each, Judgement):
            raise type(each)(f"answer {number}: {each}") from each
        judgements.append(each)
    return judgements
