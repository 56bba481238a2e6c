"""The executor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.executor.service import ExecutorServicer
from codeio.executor.stage import Executor
from codeio.pipeline.services import carried
from codeio.v1 import executor_service_pb2 as contract
from codeio.v1.executor_service_pb2_grpc import (
    ExecutorServiceServicer,
    add_ExecutorServiceServicer_to_server,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeio.executor.sandbox.pool import Pool
    from codeio.pipeline.workshop import Workshop
    from codeio.runtime.grpc_server import Service
    from codeio.runtime.settings import Settings


def stage(settings: Settings, workshop: Workshop, *, own_tasks: bool = True) -> Executor:
    del own_tasks  # it reads none
    return Executor(
        workshop.sandbox,
        guest=workshop.guest,
        settings=settings.executor,
        limits=settings.limits,
        seed=settings.seed,
    )


def service(servicer: ExecutorServiceServicer) -> Service:
    return carried(contract, "ExecutorService", add_ExecutorServiceServicer_to_server, servicer)


def offer(settings: Settings, pool: Pool, workshop: Callable[[], Workshop]) -> Service:
    return service(
        ExecutorServicer(
            pool, guest=lambda: workshop().guest, slots=pool.workers, settings=settings
        )
    )
