"""Live progress on standard error: a table on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from codeio.pipeline.beside import beside

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from codeio.language_model.batch import BatchModel
    from codeio.language_model.model import StoredModel
    from codeio.runtime.worker import Progress

_REFRESH_SECONDS = 0.5
_LINE_SECONDS = 15.0
_ASKING = "cot-generator"


@asynccontextmanager
async def progress_display(
    progress: Callable[[], Sequence[Progress]], *, model: StoredModel | BatchModel | None = None
) -> AsyncIterator[None]:
    """Show the progress of all stages until the block ends, and what asking the model takes."""
    console = Console(stderr=True)
    show = _table_live if console.is_terminal else _lines
    async with beside(show(console, progress, _ModelLine(model, progress))):
        yield


class _ModelLine:
    """Says in a line what was asked of the model, what it cost, and how long it will take."""

    def __init__(
        self, model: StoredModel | BatchModel | None, progress: Callable[[], Sequence[Progress]]
    ) -> None:
        self._model = model
        self._progress = progress
        self._started = time.monotonic()
        self._done_before: int | None = None

    def text(self) -> str:
        """Return the line as it is now; empty without a model."""
        if self._model is None:
            return ""
        tally = self._model.tally
        tokens = tally.prompt_tokens + tally.completion_tokens
        parts = [
            self._model.state,
            f"{tally.answered:,} answered and {tally.stored:,} stored",
            f"{tokens:,} tokens",
            f"${tally.cost_usd:,.2f}",
        ]
        if left := self._left():
            parts.append(f"about {left} left")
        return "model: " + ", ".join(parts)

    def _left(self) -> str:
        """Return how long the questions that are there will take at the pace so far."""
        asking = [p for p in self._progress() if p.stage == _ASKING]
        if not asking:
            return ""
        done, lag = asking[0].tally.read, asking[0].lag
        if self._done_before is None:
            self._done_before = done
        pace = (done - self._done_before) / max(time.monotonic() - self._started, 1e-9)
        if not pace or not lag:
            return ""
        seconds = lag / pace
        return f"{seconds / 60:,.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


async def _table_live(
    console: Console, progress: Callable[[], Sequence[Progress]], line: _ModelLine
) -> None:
    started = time.monotonic()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            table = _table(progress(), time.monotonic() - started)
            live.update(Group(table, line.text()), refresh=True)
            await asyncio.sleep(_REFRESH_SECONDS)


async def _lines(
    console: Console, progress: Callable[[], Sequence[Progress]], line: _ModelLine
) -> None:
    started = time.monotonic()
    while True:
        await asyncio.sleep(_LINE_SECONDS)
        stages = ", ".join(f"{p.stage} {p.tally.read} (+{p.lag})" for p in progress())
        told = "; ".join(part for part in (stages, line.text()) if part)
        console.print(
            f"{time.monotonic() - started:.0f} s: {told}", soft_wrap=True, highlight=False
        )


def _table(stages: Sequence[Progress], seconds: float) -> Table:
    table = Table(title=f"{seconds:.0f} s", title_justify="left", box=None, pad_edge=False)
    table.add_column("stage")
    for column in ("done", "waiting", "running", "written", "refused", "broken"):
        table.add_column(column, justify="right")
    for stage in stages:
        tally = stage.tally
        waiting = max(stage.lag - stage.running, 0)
        cells = (tally.read, waiting, stage.running, tally.written, tally.rejected, tally.dead)
        table.add_row(stage.stage, *(f"{number:,}" for number in cells))
    return table
