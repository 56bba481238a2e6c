"""The trainer launcher behind gRPC: reads and writes the resource, as `kubectl` does."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

from codeio.runtime.errors import Rejected, Stopped, TransientError, UsageError
from codeio.runtime.grpc_status import AlreadyExists, NotFound
from codeio.trainer_launcher.api import RUNS, ApiError, Expired, connect, generation_of
from codeio.trainer_launcher.conditions import state_of
from codeio.trainer_launcher.conversion import message_of, resource_of
from codeio.trainer_launcher.standing import read_status
from codeio.training_run.definition import known_fields
from codeio.training_run.manifest import checked_name
from codeio.training_run.spec import TrainingRunSpec
from codeio.v1.trainer_launcher_service_pb2 import (
    CancelTrainingRunResponse,
    CreateTrainingRunResponse,
    GetTrainingRunResponse,
    ListTrainingRunsResponse,
    WatchTrainingRunResponse,
)
from codeio.v1.trainer_launcher_service_pb2_grpc import TrainerLauncherServiceServicer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator

    import grpc

    from codeio.runtime.settings import TrainerLauncherSettings
    from codeio.trainer_launcher.api import Api, Resource
    from codeio.v1 import trainer_launcher_service_pb2 as contract

_PAGE, _LARGEST_PAGE = 50, 500
# Between watches, should the API server end them at once.
_PAUSE_SECONDS = 1.0


async def find_cluster(settings: TrainerLauncherSettings) -> Api:
    """Return the API server of the cluster that runs are carried out on.

    Raises:
        Stopped: there is none, or no image of the trainer to carry them out with.
    """
    if not settings.image:
        raise Stopped(
            "training runs need a cluster and an image of the trainer, and no image is named; set "
            "CODEIO_TRAINER_LAUNCHER__IMAGE to it"
        )
    return await connect(settings.namespace)


class TrainerLauncherServicer(TrainerLauncherServiceServicer):
    """Answers from the API server; it keeps nothing, so that any replica may be asked.

    Each call has a connection of its own: they are few, and nothing outlives them.
    """

    def __init__(self, find: Callable[[], Awaitable[Api]]) -> None:
        """`find` returns the API server, or raises what a caller is to be told."""
        self._find = find

    async def CreateTrainingRun(
        self,
        request: contract.CreateTrainingRunRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> CreateTrainingRunResponse:
        async with await self._find() as api:
            name = _checked(request.name)
            resource = resource_of(name, request.spec)
            with _told():
                try:
                    run = await api.create(RUNS, resource, dry_run=request.dry_run)
                except ApiError as error:
                    if error.reason != "AlreadyExists":
                        raise
                    run = await api.get(RUNS, name)
                    if not _asks_the_same(run, resource):
                        raise AlreadyExists(
                            f"there is a run {name!r} already, with another specification; "
                            "choose another name"
                        ) from error
            return CreateTrainingRunResponse(run=message_of(run))

    async def GetTrainingRun(
        self,
        request: contract.GetTrainingRunRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> GetTrainingRunResponse:
        async with await self._find() as api:
            with _told():
                run = await api.get(RUNS, _checked(request.name))
            return GetTrainingRunResponse(run=message_of(run))

    async def ListTrainingRuns(
        self,
        request: contract.ListTrainingRunsRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> ListTrainingRunsResponse:
        async with await self._find() as api:
            if request.page_size < 0:
                raise UsageError("page_size must not be below 0")
            limit = min(request.page_size or _PAGE, _LARGEST_PAGE)
            try:
                with _told():
                    runs, token, _ = await api.page(RUNS, limit=limit, token=request.page_token)
            except Expired as error:
                raise UsageError("page_token is too old: ask for the first page again") from error
            return ListTrainingRunsResponse(
                runs=[message_of(run) for run in runs], next_page_token=token
            )

    async def WatchTrainingRun(
        self,
        request: contract.WatchTrainingRunRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[WatchTrainingRunResponse]:
        async with await self._find() as api:
            name = _checked(request.name)
            told = ""
            while True:
                with _told():
                    run = await api.get(RUNS, name)
                async with aclosing(_changes(api, run)) as changes:
                    async for run in changes:
                        version = run["metadata"]["resourceVersion"]
                        if version != told:
                            told = version
                            yield WatchTrainingRunResponse(run=message_of(run))
                        if _has_ended(run):
                            return
                await asyncio.sleep(_PAUSE_SECONDS)

    async def CancelTrainingRun(
        self,
        request: contract.CancelTrainingRunRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> CancelTrainingRunResponse:
        async with await self._find() as api:
            name = _checked(request.name)
            with _told():
                run = await api.get(RUNS, name)
                if not _has_ended(run):
                    run = await api.patch(RUNS, name, {"spec": {"cancel": True}})
            return CancelTrainingRunResponse(run=message_of(run))


async def _changes(api: Api, run: Resource) -> AsyncGenerator[Resource]:
    """Yield a run as it is and with each change, until the API server ends the watch."""
    yield run
    metadata = run["metadata"]
    fields = f"metadata.name={metadata['name']}"
    try:
        with _told():
            changes = api.watch(RUNS, version=metadata["resourceVersion"], fields=fields)
            async with aclosing(changes):
                async for kind, resource in changes:
                    if kind == "DELETED":
                        raise NotFound(f"the run {metadata['name']!r} was deleted")
                    if kind != "BOOKMARK":
                        yield resource
    except Expired:
        return


def _checked(name: str) -> str:
    """Return a name as it may stand in a path.

    Raises:
        UsageError: it may not.
    """
    try:
        return checked_name(name)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _asks_the_same(run: Resource, resource: Resource) -> bool:
    """Whether two ask for the same; whether a run was suspended or cancelled is another matter."""

    def asked(spec: object) -> TrainingRunSpec:
        read = TrainingRunSpec.model_validate(known_fields(TrainingRunSpec, spec))
        return read.model_copy(update={"suspend": False, "cancel": False})

    try:
        return asked(run["spec"]) == asked(resource["spec"])
    except ValueError:
        return False


def _has_ended(run: Resource) -> bool:
    status = read_status(run)
    if (status.observed_generation or 0) < generation_of(run):
        return False
    state = state_of(status.conditions)
    return state is not None and state.standing in {"Succeeded", "Failed"}


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the API server says into what a caller is told."""
    try:
        yield
    except ApiError as error:
        raise _as_ours(error) from error


def _as_ours(error: ApiError) -> Exception:
    if error.no_such_kind:
        return Stopped(
            "the cluster knows no TrainingRuns: install their definition, which the chart has "
            "with crds.enabled=true"
        )
    match error.code:
        case 400 | 422:
            return UsageError(str(error))
        case 403:
            return Rejected("forbidden", str(error))
        case 404:
            return NotFound(str(error))
        case _:
            return TransientError(str(error))
