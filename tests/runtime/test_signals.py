"""The first signal asks a server to finish, the second one ends it."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from codeio.runtime.errors import Interrupted
from codeio.runtime.signals import stop_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_is_told_and_nothing_more(number: signal.Signals) -> None:
    async with stop_signals() as stop:
        os.kill(os.getpid(), number)
        await stop.wait()


async def test_a_second_signal_ends_the_work_at_once() -> None:
    async def work() -> None:
        async with stop_signals() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            await stop.wait()
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()

    with pytest.raises(Interrupted):
        await work()


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    inside = asyncio.Event()

    async def work() -> None:
        async with stop_signals():
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
