"""The host's end of the guest protocol: frames over asyncio streams."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

# The guest's twin of this file is guest/protocol.py; it can import nothing from here.
_HEADER = struct.Struct(">IBB")

JOB, KILL, RESULT, SLOW, END, READY, CONFIG, SPENT = 1, 2, 3, 4, 5, 6, 7, 8

# No honest guest sends more in one frame; a larger length means that the stream is broken.
MAX_PAYLOAD = 64 << 20


@dataclass(frozen=True)
class Frame:
    kind: int
    interpreter: int
    payload: bytes


def encode(kind: int, interpreter: int, payload: bytes = b"") -> bytes:
    return _HEADER.pack(len(payload), kind, interpreter) + payload


async def read(stream: asyncio.StreamReader) -> Frame:
    """Return the next frame.

    Raises:
        asyncio.IncompleteReadError: the stream has ended.
        ValueError: these are no frames.
    """
    length, kind, interpreter = _HEADER.unpack(await stream.readexactly(_HEADER.size))
    if length > MAX_PAYLOAD:
        raise ValueError(f"a frame of {length} bytes")
    return Frame(kind, interpreter, await stream.readexactly(length))
