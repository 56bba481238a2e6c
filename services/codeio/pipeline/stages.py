"""Builds the stages from the settings; the one place that knows all their parts."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.cot_generator import CotGenerator, TraceTeacher
from codeio.executor.sandbox import make_pool
from codeio.executor.sandbox.shared import SharedProcesses
from codeio.executor.stage import Executor
from codeio.normalizer import Normalizer
from codeio.runtime.errors import UsageError
from codeio.verifier import Verifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from codeio.executor.sandbox.guests import GuestVersion
    from codeio.runtime.settings import Settings
    from codeio.runtime.stage import Sandbox, Stage


@dataclass(frozen=True)
class Workshop:
    """A running sandbox pool and what is to be known of it."""

    sandbox: Sandbox
    guest: GuestVersion
    workers: int


@asynccontextmanager
async def open_workshop(
    settings: Settings, *, say: Callable[[str], None]
) -> AsyncIterator[Workshop]:
    """Start the sandboxes.

    Raises:
        UsageError: they cannot be had on this machine.
    """
    async with make_pool(settings, say=say) as pool:
        yield Workshop(sandbox=pool, guest=pool.version, workers=pool.workers)


def check_stages(settings: Settings) -> None:
    """Refuse settings that no stage serves.

    Raises:
        UsageError: a teacher is asked for that is not there.
    """
    if settings.teacher.kind != "trace":
        raise UsageError(
            f"there is no teacher {settings.teacher.kind!r} in this version; use --teacher trace"
        )
    if settings.normalizer.mode != "static":
        raise UsageError(
            f"the normalizer {settings.normalizer.mode!r} needs a language model, which this "
            "version cannot ask; use --normalizer static"
        )


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
            return Normalizer(
                sandbox,
                settings=settings.normalizer,
                bar=settings.executor,
                limits=limits,
                seed=settings.seed,
            )
        case "executor":
            return Executor(
                sandbox,
                guest=workshop.guest,
                settings=settings.executor,
                limits=limits,
                seed=settings.seed,
            )
        case "cot-generator":
            teacher = TraceTeacher(shared, settings=settings.teacher)
            return CotGenerator(teacher, settings=settings.teacher)
        case "verifier":
            return Verifier(shared, settings=settings.verifier, limits=limits, revise=own_tasks)
        case _:
            raise ValueError(f"no stage is called {name}")
