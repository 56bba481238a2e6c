"""What a client streams to a server that may stop meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable


class Incoming:
    """What a client sends, until it has sent all or the server stops.

    A server that stops reads no further: the handler then finishes what it has,
    as if the client had sent all, and a stream that would never end does not
    hold it up.
    """

    def __init__(
        self,
        payloads: AsyncIterator[bytes],
        *,
        read: Callable[[bytes], Any],
        stopping: asyncio.Event,
    ) -> None:
        self._payloads = aiter(payloads)
        self._read = read
        self._stopping = stopping
        self.cut_off = False
        """Whether there may be more that was not read."""

    async def messages(self) -> AsyncGenerator[Any]:
        """Yield what `read` makes of each payload."""
        stop = asyncio.create_task(self._stopping.wait())
        arrival: asyncio.Task[bytes | None] | None = None
        try:
            while True:
                arrival = asyncio.create_task(self._next())
                await asyncio.wait({arrival, stop}, return_when=asyncio.FIRST_COMPLETED)
                if not arrival.done():
                    self.cut_off = True
                    return
                payload = arrival.result()
                if payload is None:
                    return
                yield self._read(payload)
        finally:
            stop.cancel()
            if arrival is not None:
                arrival.cancel()

    async def _next(self) -> bytes | None:
        try:
            return await anext(self._payloads)
        except StopAsyncIteration:
            return None
