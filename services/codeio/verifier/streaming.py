"""Many requests at once: judged as they come, bounded by what is not answered yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from codeio.v1.records_pb2 import Direction
from codeio.v1.verifier_service_pb2 import VerifyStreamResponse, VerifyStreamResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator

    from codeio.v1.verifier_service_pb2 import (
        VerifyRequest,
        VerifyResult,
        VerifyStreamItem,
        VerifyStreamRequest,
    )

# Comparisons made in a row, some milliseconds of them, before others get their turn.
_IN_A_ROW = 32
# A message of results is closed when it has grown to this.
_PACKED_BYTES = 1 << 20


class AnswerStream:
    """Judges what one caller sends, and yields the results as they are ready.

    Predicted outputs are compared where they are read: a task for each would
    take longer than the comparison. Predicted inputs are executed beside, so
    many at a time. A further message is read only while fewer than `window`
    requests are unanswered or their results unread, so that a caller who sends
    faster than it reads is stopped by gRPC's flow control, not by memory.
    """

    def __init__(
        self,
        verify: Callable[[VerifyRequest], Awaitable[VerifyResult]],
        *,
        window: int,
        executions: int,
    ) -> None:
        """Judge by `verify`, which turns every error into a result."""
        self._verify = verify
        self._window = window
        self._places = asyncio.Semaphore(executions)
        self._executing: set[asyncio.Task[None]] = set()
        self._ready: list[VerifyStreamResult] = []
        self._unanswered = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def results(
        self, messages: AsyncGenerator[VerifyStreamRequest]
    ) -> AsyncGenerator[VerifyStreamResponse]:
        """Yield the results of what the messages hold; an error of theirs ends it, and them."""
        reading = asyncio.create_task(self._read(messages))
        reading.add_done_callback(lambda _: self._news.set())
        try:
            while self._unanswered or not reading.done():
                await self._news.wait()
                self._news.clear()
                if reading.done():
                    reading.result()
                ready, self._ready = self._ready, []
                for packed in _packed(ready):
                    yield VerifyStreamResponse(results=packed)
                    self._unanswered -= len(packed)
                    self._room.set()
            reading.result()
        finally:
            left = {reading, *self._executing}
            for task in left:
                task.cancel()
            await asyncio.wait(left)
            await messages.aclose()

    async def _read(self, messages: AsyncIterator[VerifyStreamRequest]) -> None:
        in_a_row = 0
        async for message in messages:
            self._unanswered += len(message.items)
            for item in message.items:
                if item.request.direction == Direction.DIRECTION_INPUT_PREDICTION:
                    task = asyncio.create_task(self._execute(item))
                    self._executing.add(task)
                    task.add_done_callback(self._executing.discard)
                    continue
                await self._judge(item)
                in_a_row += 1
                if in_a_row % _IN_A_ROW == 0:
                    await asyncio.sleep(0)
            while self._unanswered >= self._window:
                self._room.clear()
                await self._room.wait()

    async def _execute(self, item: VerifyStreamItem) -> None:
        async with self._places:
            await self._judge(item)

    async def _judge(self, item: VerifyStreamItem) -> None:
        result = await self._verify(item.request)
        self._ready.append(VerifyStreamResult(id=item.id, result=result))
        self._news.set()


def _packed(results: list[VerifyStreamResult]) -> Iterator[list[VerifyStreamResult]]:
    """Yield the results in messages of no great size; a large result is alone in its own."""
    packed: list[VerifyStreamResult] = []
    total = 0
    for result in results:
        size = result.ByteSize()
        if packed and total + size > _PACKED_BYTES:
            yield packed
            packed, total = [], 0
        packed.append(result)
        total += size
    if packed:
        yield packed
