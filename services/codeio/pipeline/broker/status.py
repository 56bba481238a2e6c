"""`codeio status`: how far the stages have come, as their groups have committed it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from codeio.runtime.kafka.connection import overheard
from codeio.runtime.log import LogError
from codeio.runtime.topics import FLOWS
from codeio.runtime.worker import Tally

if TYPE_CHECKING:
    from codeio.runtime.kafka import KafkaLog

_REFRESH_SECONDS = 2.0


@dataclass(frozen=True)
class StageStatus:
    """Where a stage stands."""

    stage: str
    lag: int
    """Records that are there and not committed yet."""
    tally: Tally

    @property
    def yielded(self) -> float:
        """Records for the next stages for each that was read."""
        return self.tally.written / self.tally.read if self.tally.read else 0.0

    def to_json(self) -> dict[str, Any]:
        tally = self.tally
        return {
            "lag": self.lag,
            "read": tally.read,
            "written": tally.written,
            "rejected": tally.rejected,
            "dead": tally.dead,
            "retries": tally.retries,
            "yield": round(self.yielded, 3),
        }


async def stage_statuses(log: KafkaLog) -> list[StageStatus]:
    """Return where each stage stands.

    Raises:
        LogError: the broker failed.
    """
    found: list[StageStatus] = []
    for flow in FLOWS.values():
        topics = [topic.name for topic in flow.consumes]
        positions = await log.committed(flow.stage, topics)
        tally = sum(
            (Tally.from_metadata(position.metadata) for position in positions.values()),
            start=Tally(),
        )
        found.append(StageStatus(flow.stage, await log.unread(flow.stage, topics), tally))
    return found


async def watch(log: KafkaLog) -> None:
    """Show the table on the terminal, over and over, until it is cancelled.

    A broker that is away is said below what was known last, until it is back.

    Raises:
        UsageError: a topic is missing.
    """
    console = Console(stderr=True)
    before: dict[str, tuple[float, int]] = {}
    shown = Table.grid()
    with overheard(), Live(console=console, auto_refresh=False) as live:
        while True:
            try:
                statuses, now = await stage_statuses(log), time.monotonic()
            except LogError as error:
                live.update(Group(shown, Text(f"{error}; trying again")), refresh=True)
                await asyncio.sleep(_REFRESH_SECONDS)
                continue
            paces = {
                status.stage: (status.tally.read - then[1]) / max(now - then[0], 1e-9)
                for status in statuses
                if (then := before.get(status.stage))
            }
            shown = table(statuses, paces)
            live.update(shown, refresh=True)
            before = before or {s.stage: (now, s.tally.read) for s in statuses}
            await asyncio.sleep(_REFRESH_SECONDS)


def table(statuses: list[StageStatus], paces: dict[str, float] | None = None) -> Table:
    """Return the table; `paces` are the records a second, by stage, where they are known."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("stage")
    columns = ["waiting", "read", "written", "refused", "broken", "yield"]
    for column in columns + (["a second"] if paces is not None else []):
        shown.add_column(column, justify="right")
    for status in statuses:
        tally = status.tally
        cells = [status.lag, tally.read, tally.written, tally.rejected, tally.dead]
        row = [status.stage, *(f"{number:,}" for number in cells), f"{status.yielded:.2f}"]
        if paces is not None:
            row.append(f"{paces.get(status.stage, 0.0):,.1f}")
        shown.add_row(*row)
    return shown
