"""A cluster that is pretended, and a launcher that works on it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from codeio.runtime.settings import TrainerLauncherSettings
from codeio.trainer_launcher.launcher import Launcher
from tests.trainer_launcher.fake import FakeCluster, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from codeio.trainer_launcher.api import Api

SETTINGS = TrainerLauncherSettings(image="codeio-trainer:test", progress_seconds=0.05)
NOW = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
SPEC: dict[str, Any] = {
    "model": {"path": "smol", "volume": "models"},
    "data": {"reasoning": [{"path": "snapshot", "volume": "data"}]},
    "checkpoints": {"path": "runs", "volume": "work"},
}
MEASURED = SPEC | {"evaluation": {"suites": ["gsm8k"]}}


@pytest.fixture
async def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
async def client(cluster: FakeCluster) -> AsyncIterator[Callable[[], Api]]:
    async with serving(cluster) as make:
        yield make


@asynccontextmanager
async def launching(
    client: Callable[[], Api], settings: TrainerLauncherSettings = SETTINGS, **options: Any
) -> AsyncIterator[Launcher]:
    async with client() as api:
        launcher = Launcher(api, settings=settings, now=lambda: NOW, **options)
        task = asyncio.create_task(launcher.run())
        try:
            yield launcher
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def until(holds: Callable[[], Any], *, seconds: float = 20.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  (there is no event)
            await asyncio.sleep(0.005)
