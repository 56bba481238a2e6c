"""A client of the generator, which has rationales written."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Unpack

from codeio.client.channel import TARGET, AsyncClient, ChannelOptions, Client
from codeio.v1.cot_generator_service_pb2 import GenerateRequest, ReviseRequest
from codeio.v1.cot_generator_service_pb2_grpc import CotGeneratorServiceStub

if TYPE_CHECKING:
    from codeio.v1.records_pb2 import Attempt, PredictionTask

TIMEOUT = 900.0
"""Seconds that a teacher may take, tries and waits included."""

_SERVICE = "codeio.v1.CotGeneratorService"


class CotGeneratorClient(Client):
    """Asks the teacher of a generator."""

    _service: ClassVar = _SERVICE

    def __init__(self, target: str = TARGET, **options: Unpack[ChannelOptions]) -> None:
        """See `Client`."""
        super().__init__(target, **options)
        self._stub = CotGeneratorServiceStub(self._channel)

    def generate(
        self, task: PredictionTask, *, samples: int = 0, timeout: float = TIMEOUT
    ) -> list[Attempt]:
        """Return so many answers to a task, not judged yet; 0: as many as the server is set to.

        Raises:
            ClientError: one of its kinds; `Refused` where the teacher has no answer.
        """
        request = GenerateRequest(task=task, samples=samples)
        self._check_size(request)
        with self._errors(timeout):
            response = self._stub.Generate(request, timeout=timeout, metadata=self._metadata)
        return list(response.attempts)

    def revise(self, attempt: Attempt, *, timeout: float = TIMEOUT) -> Attempt:
        """Return an attempt, whose last turn has the verifier's feedback, with one more turn.

        Raises:
            ClientError: one of its kinds; `Refused` where the teacher has no answer.
        """
        request = ReviseRequest(attempt=attempt)
        self._check_size(request)
        with self._errors(timeout):
            return self._stub.Revise(request, timeout=timeout, metadata=self._metadata).attempt


class AsyncCotGeneratorClient(AsyncClient):
    """Does as `CotGeneratorClient` does, for asyncio."""

    _service: ClassVar = _SERVICE

    def __init__(self, target: str = TARGET, **options: Unpack[ChannelOptions]) -> None:
        """See `AsyncClient`."""
        super().__init__(target, **options)
        self._stub = CotGeneratorServiceStub(self._channel)

    async def generate(
        self,
        task: PredictionTask,
        *,
        samples: int = 0,
        timeout: float = TIMEOUT,  # noqa: ASYNC109
    ) -> list[Attempt]:
        """See `CotGeneratorClient.generate`."""
        request = GenerateRequest(task=task, samples=samples)
        self._check_size(request)
        with self._errors(timeout):
            response = await self._stub.Generate(request, timeout=timeout, metadata=self._metadata)
        return list(response.attempts)

    async def revise(
        self,
        attempt: Attempt,
        *,
        timeout: float = TIMEOUT,  # noqa: ASYNC109
    ) -> Attempt:
        """See `CotGeneratorClient.revise`."""
        request = ReviseRequest(attempt=attempt)
        self._check_size(request)
        with self._errors(timeout):
            response = await self._stub.Revise(request, timeout=timeout, metadata=self._metadata)
        return response.attempt
