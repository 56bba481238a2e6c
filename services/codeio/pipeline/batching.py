"""The end of a run that asks nobody and writes its questions to a batch file."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from codeio.language_model.batch import BatchModel
from codeio.pipeline.beside import beside

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from codeio.language_model.model import StoredModel
    from codeio.runtime.worker import Progress

_WATCH_SECONDS = 3.0


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
