"""How far runs are: what their first pods answer to who asks."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import aiohttp
from pydantic import ValidationError

from codeio.trainer_launcher.pod import METRICS_PORT
from codeio.training_run.status import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ANSWER_SECONDS = 3.0
_AT_A_TIME = 32
_LONGEST_ANSWER = 1 << 16


class ProgressPoller:
    """Asks pods now and then, and keeps what they said last. That one does not answer is no news.

    They are polled as they would be scraped: a pod needs no right to write
    anything in the cluster, and one that hangs keeps nobody waiting.
    """

    def __init__(
        self,
        pods: Callable[[], Mapping[str, str]],
        *,
        changed: Callable[[str], None],
        seconds: float,
        port: int = METRICS_PORT,
    ) -> None:
        """`pods`: addresses of the first pods, by run; `changed` is called with runs."""
        self._pods = pods
        self._changed = changed
        self._seconds = seconds
        self._port = port
        self._said: dict[str, Progress] = {}

    def of(self, run: str) -> Progress | None:
        return self._said.get(run)

    async def run(self) -> None:
        """Ask for ever."""
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        connector = aiohttp.TCPConnector(limit=_AT_A_TIME, force_close=True)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            while True:
                pods = dict(self._pods())
                for gone in self._said.keys() - pods.keys():
                    del self._said[gone]
                await asyncio.gather(
                    *(self._ask(session, run, address) for run, address in pods.items())
                )
                await asyncio.sleep(self._seconds)

    async def _ask(self, session: aiohttp.ClientSession, run: str, address: str) -> None:
        host = f"[{address}]" if ":" in address else address
        try:
            async with session.get(f"http://{host}:{self._port}/progress") as response:
                if response.status != 200:
                    return
                said = await response.content.read(_LONGEST_ANSWER)
            progress = readable(Progress.model_validate_json(said))
        except (aiohttp.ClientError, TimeoutError, OSError, ValidationError):
            return
        if progress != self._said.get(run):
            self._said[run] = progress
            self._changed(run)


def readable(progress: Progress) -> Progress:
    """Round figures to what a table shows, and leave out those that JSON cannot hold."""
    rounded = {
        name: float(f"{value:.4g}") if math.isfinite(value) else None
        for name, value in progress
        if isinstance(value, float)
    }
    return progress.model_copy(update=rounded)
