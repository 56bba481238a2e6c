"""What signals do: to a server, which the first one drains and a second one ends, and to others."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from codeio.runtime.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def answered(numbers: Iterable[signal.Signals], answer: Callable[..., object]) -> Iterator[None]:
    """Have signals answered so by the body's thread, the main one, and then as before."""
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in before:
            signal.signal(number, answer)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
