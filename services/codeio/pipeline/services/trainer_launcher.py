"""The trainer launcher, which is no stage and needs no sandbox."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import structlog

from codeio.pipeline.services import carried
from codeio.runtime.errors import Stopped
from codeio.trainer_launcher.launcher import launch
from codeio.trainer_launcher.service import TrainerLauncherServicer, find_cluster
from codeio.v1 import trainer_launcher_service_pb2 as contract
from codeio.v1.trainer_launcher_service_pb2_grpc import (
    TrainerLauncherServiceServicer,
    add_TrainerLauncherServiceServicer_to_server,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.runtime.grpc_server import Service
    from codeio.runtime.settings import Settings

_logger = structlog.get_logger()


def service(servicer: TrainerLauncherServiceServicer) -> Service:
    return carried(
        contract,
        "TrainerLauncherService",
        add_TrainerLauncherServiceServicer_to_server,
        servicer,
    )


def offer(settings: Settings, *_: object) -> Service:
    return service(TrainerLauncherServicer(partial(find_cluster, settings.trainer_launcher)))


@asynccontextmanager
async def launching(settings: Settings, *, stop: asyncio.Event) -> AsyncIterator[None]:
    """Carry out runs for the time of the body, where there is a cluster.

    What ends it before sets `stop`, and is raised at the end of the body: another
    process is to begin anew.
    """
    try:
        api = await find_cluster(settings.trainer_launcher)
    except Stopped as error:
        # Callers are told so; the other services of this process go on.
        _logger.info("no training runs", why=str(error))
        yield
        return
    async with api:
        task = asyncio.create_task(launch(api, settings=settings.trainer_launcher))
        task.add_done_callback(lambda _: stop.set())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.result()
