"""The memory that an interpreter's children work in, and how it is made clean again.

After a fork, parent and child share their memory until one of them writes to a
page; gVisor then copies up to two megabytes around it, which would be a third of
what a job costs. So an interpreter moves its memory into a file, mapped shared: a child
works in it directly, and when it is gone, init compares the file with the copy
that it made at the start and puts right what differs.

What makes this safe: between a child's first instruction and init's last, the
interpreter executes nothing but `serve` in zygote.c, whose code is read-only
and whose data, the C library's included, stays out of the file. The child is
reaped before init begins, and with it all that it started. Init never reads
the memory as anything but bytes.
"""

import ctypes
import fcntl
import mmap
import os

from isolation import libc

# Smaller areas cost less to copy than to map.
MIN_BYTES = 1 << 16
# Data of these libraries is what `serve` relies on.
OWN_LIBRARIES = ("libc.", "libc-", "ld-", "zygote")


class Area(ctypes.Structure):
    """Addresses from `start` up to `end` (`struct area` in zygote.c)."""

    _fields_ = (("start", ctypes.c_void_p), ("end", ctypes.c_void_p))


def share(zygote: ctypes.CDLL, file: int) -> None:
    """Move the memory of this process into the file; all but stacks and what `serve` needs."""
    areas = [Area(start, end) for start, end in _areas()]
    size = sum(area.end - area.start for area in areas)
    os.ftruncate(file, size)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    if zygote.share(file, (Area * len(areas))(*areas), len(areas)):
        raise OSError("the sandbox cannot share memory between processes")


def _areas() -> list[tuple[int, int]]:
    libc.pthread_self.restype = ctypes.c_ulong
    # The C library keeps what belongs to a thread, such as errno, where this points to.
    thread = libc.pthread_self()
    found = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            place, permissions, *rest = line.split(None, 5)
            start, end = (int(part, 16) for part in place.split("-"))
            name = os.path.basename(rest[3].strip()) if len(rest) > 3 else ""
            if permissions != "rw-p" or end - start < MIN_BYTES or start <= thread < end:
                continue
            # Buffers of zeros are as good as never used.
            if not name.startswith(("[stack", *OWN_LIBRARIES)) and any(
                ctypes.string_at(start, end - start)
            ):
                found.append((start, end))
    return found


class Pristine:
    """What an interpreter's memory is to be before each job; kept by init."""

    def __init__(self, zygote: str, file: int) -> None:
        """Copy what the file holds now."""
        self.size = os.fstat(file).st_size
        if not self.size:
            return
        self._restore = ctypes.CDLL(zygote).restore
        self._live, self._kept = mmap.mmap(file, self.size), mmap.mmap(-1, self.size)
        self._kept[:] = self._live
        self._places = [
            ctypes.byref(ctypes.c_char.from_buffer(memory)) for memory in (self._live, self._kept)
        ]

    def restore(self) -> None:
        """Undo whatever a child did to the memory."""
        if self.size:
            self._restore(*self._places, ctypes.c_size_t(self.size))
