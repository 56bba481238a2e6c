"""A client of the trainer launcher, which has models trained."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Any, ClassVar, TypeAlias, Unpack

from google.protobuf.json_format import ParseDict, ParseError

from codeio.client.channel import TARGET, AsyncClient, ChannelOptions, Client
from codeio.client.errors import InvalidRequest
from codeio.v1.trainer_launcher_service_pb2 import (
    CancelTrainingRunRequest,
    CreateTrainingRunRequest,
    GetTrainingRunRequest,
    ListTrainingRunsRequest,
    TrainingRun,
    TrainingRunSpec,
    WatchTrainingRunRequest,
)
from codeio.v1.trainer_launcher_service_pb2_grpc import TrainerLauncherServiceStub

Spec: TypeAlias = TrainingRunSpec | Mapping[str, Any]
"""What a run is to do: the message, or `spec` as a manifest in YAML has it."""

TIMEOUT = 30.0
"""Seconds that a call may take, tries and waits included."""
TIMEOUT_OF_WATCH = 3600.0
"""Seconds after which a watch ends, whether or not the run has."""

_PAGE = 100
_SERVICE = "codeio.v1.TrainerLauncherService"


class TrainerLauncherClient(Client):
    """Has models trained by a trainer launcher."""

    _service: ClassVar = _SERVICE

    def __init__(self, target: str = TARGET, **options: Unpack[ChannelOptions]) -> None:
        """See `Client`."""
        super().__init__(target, **options)
        self._stub = TrainerLauncherServiceStub(self._channel)

    def create(
        self, name: str, spec: Spec, *, dry_run: bool = False, timeout: float = TIMEOUT
    ) -> TrainingRun:
        """Make a run, and return it before it trains; the same run again is no error.

        With `dry_run` the request is checked by all rules, and nothing is made.

        Raises:
            ClientError: one of its kinds; see there.
        """
        request = _request(name, spec, dry_run=dry_run)
        self._check_size(request)
        with self._errors(timeout):
            return self._stub.CreateTrainingRun(
                request, timeout=timeout, metadata=self._metadata
            ).run

    def get(self, name: str, *, timeout: float = TIMEOUT) -> TrainingRun:
        """Return a run as it stands.

        Raises:
            ClientError: one of its kinds, `NotFound` for instance.
        """
        with self._errors(timeout):
            return self._stub.GetTrainingRun(
                GetTrainingRunRequest(name=name), timeout=timeout, metadata=self._metadata
            ).run

    def list(self, *, timeout: float = TIMEOUT) -> Generator[TrainingRun]:
        """Yield all runs, by name. `timeout` is for each page of them.

        Raises:
            ClientError: one of its kinds; see there.
        """
        request = ListTrainingRunsRequest(page_size=_PAGE)
        while True:
            with self._errors(timeout):
                page = self._stub.ListTrainingRuns(
                    request, timeout=timeout, metadata=self._metadata
                )
            yield from page.runs
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch(self, name: str, *, timeout: float = TIMEOUT_OF_WATCH) -> Generator[TrainingRun]:
        """Yield a run as it stands, and again with each change, until it has ended.

        Raises:
            ClientError: one of its kinds; `DeadlineExceeded` says to watch again.
        """
        call = self._stub.WatchTrainingRun(
            WatchTrainingRunRequest(name=name), timeout=timeout, metadata=self._metadata
        )
        try:
            with self._errors(timeout):
                for answer in call:
                    yield answer.run
        finally:
            call.cancel()

    def cancel(self, name: str, *, timeout: float = TIMEOUT) -> TrainingRun:
        """Have a run stop for good, keeping its checkpoints; one that has ended stays as it is.

        Raises:
            ClientError: one of its kinds; see there.
        """
        with self._errors(timeout):
            return self._stub.CancelTrainingRun(
                CancelTrainingRunRequest(name=name), timeout=timeout, metadata=self._metadata
            ).run


class AsyncTrainerLauncherClient(AsyncClient):
    """Does as `TrainerLauncherClient` does, for asyncio."""

    _service: ClassVar = _SERVICE

    def __init__(self, target: str = TARGET, **options: Unpack[ChannelOptions]) -> None:
        """See `AsyncClient`."""
        super().__init__(target, **options)
        self._stub = TrainerLauncherServiceStub(self._channel)

    async def create(
        self,
        name: str,
        spec: Spec,
        *,
        dry_run: bool = False,
        timeout: float = TIMEOUT,  # noqa: ASYNC109  (it is the call's deadline, server included)
    ) -> TrainingRun:
        """See `TrainerLauncherClient.create`."""
        request = _request(name, spec, dry_run=dry_run)
        self._check_size(request)
        with self._errors(timeout):
            answer = await self._stub.CreateTrainingRun(
                request, timeout=timeout, metadata=self._metadata
            )
        return answer.run

    async def get(
        self,
        name: str,
        *,
        timeout: float = TIMEOUT,  # noqa: ASYNC109
    ) -> TrainingRun:
        """See `TrainerLauncherClient.get`."""
        with self._errors(timeout):
            answer = await self._stub.GetTrainingRun(
                GetTrainingRunRequest(name=name), timeout=timeout, metadata=self._metadata
            )
        return answer.run

    async def list(
        self,
        *,
        timeout: float = TIMEOUT,  # noqa: ASYNC109
    ) -> AsyncGenerator[TrainingRun]:
        """See `TrainerLauncherClient.list`."""
        request = ListTrainingRunsRequest(page_size=_PAGE)
        while True:
            with self._errors(timeout):
                page = await self._stub.ListTrainingRuns(
                    request, timeout=timeout, metadata=self._metadata
                )
            for run in page.runs:
                yield run
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def watch(
        self,
        name: str,
        *,
        timeout: float = TIMEOUT_OF_WATCH,  # noqa: ASYNC109
    ) -> AsyncGenerator[TrainingRun]:
        """See `TrainerLauncherClient.watch`."""
        call = self._stub.WatchTrainingRun(
            WatchTrainingRunRequest(name=name), timeout=timeout, metadata=self._metadata
        )
        try:
            with self._errors(timeout):
                async for answer in call:
                    yield answer.run
        finally:
            call.cancel()

    async def cancel(
        self,
        name: str,
        *,
        timeout: float = TIMEOUT,  # noqa: ASYNC109
    ) -> TrainingRun:
        """See `TrainerLauncherClient.cancel`."""
        with self._errors(timeout):
            answer = await self._stub.CancelTrainingRun(
                CancelTrainingRunRequest(name=name), timeout=timeout, metadata=self._metadata
            )
        return answer.run


def _request(name: str, spec: Spec, *, dry_run: bool) -> CreateTrainingRunRequest:
    try:
        message = (
            spec if isinstance(spec, TrainingRunSpec) else ParseDict(dict(spec), TrainingRunSpec())
        )
    except ParseError as error:
        raise InvalidRequest(f"the spec cannot be sent: {error}") from error
    return CreateTrainingRunRequest(name=name, spec=message, dry_run=dry_run)
