"""The normalizer, of the mode that is set, behind the filters that are."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from codeio.normalizer import Normalizer
from codeio.normalizer.service import NormalizerServicer
from codeio.normalizer.teacher import (
    CategoryFilter,
    CompletionFilter,
    FilteredNormalizer,
    StaticThenTeacher,
    TeacherNormalizer,
)
from codeio.pipeline.services import carried, executor
from codeio.pipeline.workshop import asking_stages, concurrency
from codeio.runtime.errors import UsageError
from codeio.v1 import normalizer_service_pb2 as contract
from codeio.v1.normalizer_service_pb2_grpc import (
    NormalizerServiceServicer,
    add_NormalizerServiceServicer_to_server,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeio.executor.sandbox.pool import Pool
    from codeio.normalizer.teacher.modes import SourceFilter
    from codeio.pipeline.workshop import Workshop
    from codeio.runtime.grpc_server import Service
    from codeio.runtime.settings import Settings
    from codeio.runtime.stage import Stage


def stage(settings: Settings, workshop: Workshop, *, own_tasks: bool = True) -> Stage:
    """Return the stage.

    Raises:
        UsageError: it needs a language model, and there is none.
    """
    del own_tasks  # it reads none
    chosen = settings.normalizer
    static = Normalizer(
        workshop.sandbox,
        settings=chosen,
        bar=settings.executor,
        limits=settings.limits,
        seed=settings.seed,
    )
    if not asking_stages(settings, ["normalizer"]):
        return static
    model = workshop.model
    if model is None:
        raise UsageError("the normalizer is set to ask a language model, and none is named")
    filters: list[SourceFilter] = []
    if chosen.categories:
        filters.append(CategoryFilter(model, keep=chosen.categories))
    if chosen.completion_band is not None:
        filters.append(
            CompletionFilter(
                model,
                workshop.sandbox,
                search=static.search,
                band=chosen.completion_band,
                samples=chosen.completion_samples,
            )
        )
    # The executor judges a program now as it will when it gets it.
    teacher = TeacherNormalizer(
        model, executor=executor.stage(settings, workshop), limits=settings.limits
    )
    by_mode: dict[str, Stage] = {
        "static": static,
        "teacher": teacher,
        "static+teacher": StaticThenTeacher(static, teacher),
    }
    normalizer = by_mode[chosen.mode]
    return FilteredNormalizer(normalizer, filters=filters) if filters else normalizer


def service(servicer: NormalizerServiceServicer) -> Service:
    return carried(contract, "NormalizerService", add_NormalizerServiceServicer_to_server, servicer)


def offer(settings: Settings, pool: Pool, workshop: Callable[[], Workshop]) -> Service:
    # While one record is thought about, another's program runs.
    slots = concurrency("normalizer", settings, at_least=2 * pool.workers)
    normalizer = cache(lambda: stage(settings, workshop()))
    return service(NormalizerServicer(normalizer, slots=slots, settings=settings))
