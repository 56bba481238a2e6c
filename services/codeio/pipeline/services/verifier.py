"""The verifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.executor.sandbox.shared import SharedProcesses
from codeio.pipeline.services import carried
from codeio.v1 import verifier_service_pb2 as contract
from codeio.v1.verifier_service_pb2_grpc import (
    VerifierServiceServicer,
    add_VerifierServiceServicer_to_server,
)
from codeio.verifier import Verifier
from codeio.verifier.service import VerifierServicer

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeio.executor.sandbox.pool import Pool
    from codeio.pipeline.workshop import Workshop
    from codeio.runtime.grpc_server import Service
    from codeio.runtime.settings import Settings


def stage(settings: Settings, workshop: Workshop, *, own_tasks: bool) -> Verifier:
    sandbox = workshop.sandbox
    if own_tasks:
        sandbox = SharedProcesses(sandbox, slots=workshop.workers)
    return Verifier(sandbox, settings=settings.verifier, limits=settings.limits, revise=own_tasks)


def service(servicer: VerifierServiceServicer) -> Service:
    return carried(contract, "VerifierService", add_VerifierServiceServicer_to_server, servicer)


def offer(settings: Settings, pool: Pool, workshop: Callable[[], Workshop]) -> Service:
    del workshop  # answers are judged by the sandboxes alone
    slots = pool.workers + settings.sandbox.reserved
    return service(VerifierServicer(pool, slots=slots, settings=settings))
