"""Live progress on standard error: a table on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from codeio.runtime.worker import Progress

_REFRESH_SECONDS = 0.5
_LINE_SECONDS = 15.0


@asynccontextmanager
async def progress_display(progress: Callable[[], Sequence[Progress]]) -> AsyncIterator[None]:
    """Show the progress of all stages until the block ends."""
    console = Console(stderr=True)
    show = _table_live if console.is_terminal else _lines
    task = asyncio.create_task(show(console, progress))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _table_live(console: Console, progress: Callable[[], Sequence[Progress]]) -> None:
    started = time.monotonic()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(_table(progress(), time.monotonic() - started), refresh=True)
            await asyncio.sleep(_REFRESH_SECONDS)


async def _lines(console: Console, progress: Callable[[], Sequence[Progress]]) -> None:
    started = time.monotonic()
    while True:
        await asyncio.sleep(_LINE_SECONDS)
        stages = ", ".join(f"{p.stage} {p.tally.read} (+{p.lag})" for p in progress())
        console.print(
            f"{time.monotonic() - started:.0f} s: {stages}", soft_wrap=True, highlight=False
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
