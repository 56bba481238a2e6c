"""A client of the normalizer, which makes programs of files."""

from __future__ import annotations

from typing import ClassVar, Unpack

from codeio.client.channel import TARGET, AsyncClient, ChannelOptions, Client
from codeio.v1.normalizer_service_pb2 import NormalizeRequest, NormalizeResponse
from codeio.v1.normalizer_service_pb2_grpc import NormalizerServiceStub
from codeio.v1.records_pb2 import RawFile

TIMEOUT = 300.0
"""Seconds that a file may take, tries and waits included."""

_SERVICE = "codeio.v1.NormalizerService"


class NormalizerClient(Client):
    """Has programs made by a normalizer."""

    _service: ClassVar = _SERVICE

    def __init__(self, target: str = TARGET, **options: Unpack[ChannelOptions]) -> None:
        """See `Client`."""
        super().__init__(target, **options)
        self._stub = NormalizerServiceStub(self._channel)

    def normalize(self, file: RawFile | str, *, timeout: float = TIMEOUT) -> NormalizeResponse:
        """Return the programs of a file, or of the text of one, and why there are no more.

        Raises:
            ClientError: one of its kinds; see there.
        """
        request = _request(file)
        self._check_size(request)
        with self._errors(timeout):
            return self._stub.Normalize(request, timeout=timeout, metadata=self._metadata)


class AsyncNormalizerClient(AsyncClient):
    """Does as `NormalizerClient` does, for asyncio."""

    _service: ClassVar = _SERVICE

    def __init__(self, target: str = TARGET, **options: Unpack[ChannelOptions]) -> None:
        """See `AsyncClient`."""
        super().__init__(target, **options)
        self._stub = NormalizerServiceStub(self._channel)

    async def normalize(
        self,
        file: RawFile | str,
        *,
        timeout: float = TIMEOUT,  # noqa: ASYNC109
    ) -> NormalizeResponse:
        """See `NormalizerClient.normalize`."""
        request = _request(file)
        self._check_size(request)
        with self._errors(timeout):
            return await self._stub.Normalize(request, timeout=timeout, metadata=self._metadata)


def _request(file: RawFile | str) -> NormalizeRequest:
    return NormalizeRequest(file=RawFile(content=file) if isinstance(file, str) else file)
