"""What the stages stand on: sandboxes, and a language model where one of them asks it."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.runtime.errors import UsageError
from codeio.runtime.topics import FLOWS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from codeio.executor.sandbox.guests import GuestVersion
    from codeio.executor.sandbox.pool import Pool
    from codeio.language_model.batch import BatchModel
    from codeio.language_model.model import StoredModel
    from codeio.runtime.settings import Settings
    from codeio.runtime.stage import Sandbox


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
    settings: Settings, pool: Pool, *, stages: Collection[str] = tuple(FLOWS)
) -> AsyncIterator[Workshop]:
    """Start the sandboxes, and open the language model where one of the stages asks one.

    Raises:
        UsageError: they cannot be had on this machine.
    """
    async with AsyncExitStack() as stack:
        model = None
        if asking_stages(settings, stages):
            from codeio.language_model.model import open_model  # noqa: PLC0415

            model = await stack.enter_async_context(open_model(settings.teacher))
        await stack.enter_async_context(pool)
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
        from codeio.language_model.model import check_model  # noqa: PLC0415

        check_model(settings.teacher)


def concurrency(stage: str, settings: Settings, *, at_least: int) -> int:
    """Return how many records a stage handles at a time; one that asks must fill endpoints."""
    if stage not in asking_stages(settings):
        return at_least
    teacher = settings.teacher
    if teacher.batch:
        from codeio.language_model.batch import MOST_REQUESTS  # noqa: PLC0415

        return MOST_REQUESTS
    return max(at_least, teacher.max_in_flight * max(1, len(teacher.endpoints)))
