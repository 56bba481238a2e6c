"""Builds stages and their workers from the settings."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from codeio.pipeline.workshop import concurrency
from codeio.runtime.topics import FLOWS
from codeio.runtime.worker import Worker

if TYPE_CHECKING:
    from codeio.pipeline.workshop import Workshop
    from codeio.runtime.log import Log
    from codeio.runtime.settings import Settings
    from codeio.runtime.stage import Stage

# Records in a handler at a time, for each sandbox: enough that no sandbox waits for us to
# think, and that tasks of one program meet.
_CONCURRENCY = {"normalizer": 2, "executor": 2, "cot-generator": 8, "verifier": 8}


def parts_of(service: str) -> Any:
    """Return the module of a service.

    By name: where one service is installed, the others' libraries may be missing.
    """
    return import_module(f"codeio.pipeline.services.{service.replace('-', '_')}")


def build_stage(name: str, settings: Settings, workshop: Workshop, *, own_tasks: bool) -> Stage:
    """Return a stage by its name.

    `own_tasks`: what it reads comes from the stages before it in this system,
    so that there is a teacher who takes revisions, and the programs are known
    to keep nothing from one call to the next.
    """
    if name not in FLOWS:
        raise ValueError(f"no stage is called {name}")
    stage: Stage = parts_of(name).stage(settings, workshop, own_tasks=own_tasks)
    return stage


def build_worker(name: str, log: Log, settings: Settings, workshop: Workshop) -> Worker:
    """Return the worker of a stage that takes part in the whole recipe."""
    return Worker(
        build_stage(name, settings, workshop, own_tasks=True),
        log,
        concurrency=concurrency(name, settings, at_least=_CONCURRENCY[name] * workshop.workers),
        settings=settings.worker,
    )
