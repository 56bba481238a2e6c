"""What SIGTERM and SIGINT do to a server: the first one drains it, a second one ends it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from codeio.runtime.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@asynccontextmanager
async def stop_signals() -> AsyncIterator[asyncio.Event]:
    """Yield an event that the first signal sets; a second one cancels the body.

    Raises:
        Interrupted: there was a second one.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    body = asyncio.current_task()
    assert body is not None
    cut_off = False

    def note() -> None:
        nonlocal cut_off
        if stop.is_set() and not cut_off:
            cut_off = True
            body.cancel()
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, note)
    try:
        yield stop
    except asyncio.CancelledError:
        if not cut_off:
            raise
        body.uncancel()
        raise Interrupted("ended at once by a second signal") from None
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
