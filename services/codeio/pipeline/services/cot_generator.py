"""The generator of rationales."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from codeio.cot_generator import CotGenerator, GroundedTeacher, ModelTeacher, Teacher, TraceTeacher
from codeio.cot_generator.service import CotGeneratorServicer
from codeio.executor.sandbox.shared import SharedProcesses
from codeio.pipeline.services import carried
from codeio.pipeline.workshop import concurrency
from codeio.runtime.errors import UsageError
from codeio.v1 import cot_generator_service_pb2 as contract
from codeio.v1.cot_generator_service_pb2_grpc import (
    CotGeneratorServiceServicer,
    add_CotGeneratorServiceServicer_to_server,
)
from codeio.verifier import RationaleCheck

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeio.executor.sandbox.pool import Pool
    from codeio.pipeline.workshop import Workshop
    from codeio.runtime.grpc_server import Service
    from codeio.runtime.settings import Settings
    from codeio.runtime.stage import Sandbox


def stage(settings: Settings, workshop: Workshop, *, own_tasks: bool) -> CotGenerator:
    sandbox = workshop.sandbox
    if own_tasks:
        sandbox = SharedProcesses(sandbox, slots=workshop.workers)
    return CotGenerator(_teacher(settings, workshop, sandbox), settings=settings.teacher)


def _teacher(settings: Settings, workshop: Workshop, sandbox: Sandbox) -> Teacher:
    if settings.teacher.kind == "trace":
        return TraceTeacher(sandbox, settings=settings.teacher)
    if workshop.model is None:
        raise UsageError("the teacher is a language model, and none is named")
    if settings.teacher.ground == "none":
        return ModelTeacher(workshop.model)
    return GroundedTeacher(
        TraceTeacher(sandbox, settings=settings.teacher),
        workshop.model,
        check=RationaleCheck(sandbox, trace_steps=settings.teacher.trace_steps),
    )


def service(servicer: CotGeneratorServiceServicer) -> Service:
    return carried(
        contract, "CotGeneratorService", add_CotGeneratorServiceServicer_to_server, servicer
    )


def offer(settings: Settings, pool: Pool, workshop: Callable[[], Workshop]) -> Service:
    # While one record is thought about, another's program runs.
    slots = concurrency("cot-generator", settings, at_least=2 * pool.workers)
    generator = cache(lambda: stage(settings, workshop(), own_tasks=False))
    return service(CotGeneratorServicer(generator, slots=slots, settings=settings.teacher))
