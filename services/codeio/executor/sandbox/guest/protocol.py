"""Frames between the host, the init of a sandbox, its interpreters and their children.

A frame is a header (length of the payload, kind, interpreter) and a payload,
which is JSON, but for KILL (the reason), SLOW (the number of the call) and SPENT (seconds).
"""

import os
import struct

HEADER = struct.Struct(">IBB")

JOB = 1  # host to init: a program and its calls
KILL = 2  # host to init: end the running job, for the reason given
RESULT = 3  # child to host: the program was loaded (first frame), a call ended (the others)
SLOW = 4  # init to host: the running call has used a second; watch it
END = 5  # init to host: the child is gone; how
READY = 6  # init to host: the guest is up, and what it is
CONFIG = 7  # host to init, before all else: the limits, and which interpreters to start
SPENT = 8  # init to host: processor time of the slow call whose result comes next


def read_exactly(fd: int, size: int) -> bytes | None:
    """Return `size` bytes, or None at the end of the stream."""
    parts = []
    while size:
        part = os.read(fd, size)
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_frame(fd: int) -> tuple[int, int, bytes] | None:
    """Return kind, interpreter and payload of the next frame, or None at the end."""
    header = read_exactly(fd, HEADER.size)
    if header is None:
        return None
    length, kind, interpreter = HEADER.unpack(header)
    payload = read_exactly(fd, length)
    return None if payload is None else (kind, interpreter, payload)


def write_frame(fd: int, kind: int, interpreter: int, payload: bytes = b"") -> None:
    write_all(fd, HEADER.pack(len(payload), kind, interpreter) + payload)


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
