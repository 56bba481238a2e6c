"""Builds the stages from the settings; the one place that knows all their parts."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.cot_generator import CotGenerator, GroundedTeacher, ModelTeacher, Teacher, TraceTeacher
from codeio.executor.sandbox import make_pool
from codeio.executor.sandbox.shared import SharedProcesses
from codeio.executor.stage import Executor
from codeio.language_model.batch import MOST_REQUESTS, BatchModel
from codeio.language_model.model import check_model, open_model
from codeio.normalizer import Normalizer
from codeio.normalizer.teacher import (
    CategoryFilter,
    CompletionFilter,
    FilteredNormalizer,
    StaticThenTeacher,
    TeacherNormalizer,
)
from codeio.pipeline.beside import beside
from codeio.runtime.errors import UsageError
from codeio.runtime.topics import FLOWS
from codeio.verifier import RationaleCheck, Verifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from codeio.executor.sandbox.guests import GuestVersion
    from codeio.language_model.model import StoredModel
    from codeio.normalizer.teacher.modes import SourceFilter
    from codeio.runtime.settings import Settings
    from codeio.runtime.stage import Sandbox, Stage
    from codeio.runtime.worker import Progress

_WATCH_SECONDS = 3.0


@dataclass(frozen=True)
class Workshop:
    """A running sandbox pool and what is to be known of it, and a model that can be asked."""

    sandbox: Sandbox
    guest: GuestVersion
    workers: int
    model: StoredModel | BatchModel | None = None
    """Who answers where the settings ask for a language model."""


@asynccontextmanager
async def open_workshop(
    settings: Settings,
    *,
    say: Callable[[str], None],
    stages: Collection[str] = tuple(FLOWS),
) -> AsyncIterator[Workshop]:
    """Start the sandboxes, and open the language model where one of the stages asks one.

    Raises:
        UsageError: they cannot be had on this machine.
    """
    async with AsyncExitStack() as stack:
        model = None
        if asking_stages(settings, stages):
            model = await stack.enter_async_context(open_model(settings.teacher))
        pool = await stack.enter_async_context(make_pool(settings, say=say))
        yield Workshop(sandbox=pool, guest=pool.version, workers=pool.workers, model=model)


def asking_stages(settings: Settings, stages: Collection[str] = tuple(FLOWS)) -> set[str]:
    """Return which of the stages ask a language model."""
    normalizer, asking = settings.normalizer, set()
    if (
        normalizer.mode != "static"
        or normalizer.categories
        or normalizer.completion_band is not None
    ):
        asking.add("normalizer")
    if settings.teacher.kind == "openai":
        asking.add("cot-generator")
    return asking & set(stages)


def concurrency(stage: str, settings: Settings, *, at_least: int) -> int:
    """Return how many records a stage handles at a time; one that asks must fill endpoints."""
    if stage not in asking_stages(settings):
        return at_least
    teacher = settings.teacher
    if teacher.batch:
        return MOST_REQUESTS
    return max(at_least, teacher.max_in_flight * max(1, len(teacher.endpoints)))


@asynccontextmanager
async def stopped_when_all_wait(
    model: StoredModel | BatchModel | None, progress: Callable[[], Sequence[Progress]]
) -> AsyncIterator[None]:
    """Stop a run that writes a batch file once nothing is left to do without answers."""
    if not isinstance(model, BatchModel):
        yield
        return

    async def watch() -> None:
        # Twice the same: between two stages a record is for a moment in neither.
        before = (-1, -1, -1)
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            stages = progress()
            now = (
                model.waiting,
                sum(stage.running for stage in stages),
                sum(stage.tally.read for stage in stages),
            )
            if model.waiting and now == before and model.waiting >= now[1]:
                model.stop()
            before = now

    async with beside(watch()):
        yield


def check_stages(settings: Settings, stages: Collection[str] = tuple(FLOWS)) -> None:
    """Refuse settings that no stage serves, before anything is begun.

    Raises:
        UsageError: a language model is to be asked, and none is named.
    """
    if settings.teacher.ground == "trace" and settings.teacher.kind != "openai":
        raise UsageError(
            "teacher.ground is `trace`, which needs a language model to rewrite; "
            "use --teacher openai"
        )
    if asking_stages(settings, stages):
        check_model(settings.teacher)


def build_stage(name: str, settings: Settings, workshop: Workshop, *, own_tasks: bool) -> Stage:
    """Return a stage by its name.

    `own_tasks`: what it reads comes from the stages before it in this process,
    so that there is a teacher who takes revisions, and the programs are known
    to keep nothing from one call to the next.
    """
    sandbox, limits = workshop.sandbox, settings.limits
    shared = SharedProcesses(sandbox, slots=workshop.workers) if own_tasks else sandbox
    match name:
        case "normalizer":
            return _normalizer(settings, workshop)
        case "executor":
            return _executor(settings, workshop)
        case "cot-generator":
            return CotGenerator(_teacher(settings, workshop, shared), settings=settings.teacher)
        case "verifier":
            return Verifier(shared, settings=settings.verifier, limits=limits, revise=own_tasks)
        case _:
            raise ValueError(f"no stage is called {name}")


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


def _executor(settings: Settings, workshop: Workshop) -> Executor:
    return Executor(
        workshop.sandbox,
        guest=workshop.guest,
        settings=settings.executor,
        limits=settings.limits,
        seed=settings.seed,
    )


def _normalizer(settings: Settings, workshop: Workshop) -> Stage:
    """Return the normalizer of the mode that is set, behind the filters that are.

    Raises:
        UsageError: it needs a language model, and there is none.
    """
    chosen = settings.normalizer
    static = Normalizer(
        workshop.sandbox,
        settings=chosen,
        bar=settings.executor,
        limits=settings.limits,
        seed=settings.seed,
    )
    filtered = bool(chosen.categories) or chosen.completion_band is not None
    if chosen.mode == "static" and not filtered:
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
        model, executor=_executor(settings, workshop), limits=settings.limits
    )
    by_mode: dict[str, Stage] = {
        "static": static,
        "teacher": teacher,
        "static+teacher": StaticThenTeacher(static, teacher),
    }
    normalizer = by_mode[chosen.mode]
    return FilteredNormalizer(normalizer, filters=filters) if filters else normalizer
