"""What files hold, read anew when they change: certificates and tokens that others renew.

Kubernetes swaps a symbolic link when a Secret changes; other tools write files
in place, one after the other. So any state of the files may be met, half a file
included. One that cannot be used is told once, and the last good one stays.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import structlog

from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

T = TypeVar("T")

_State: TypeAlias = "tuple[tuple[int, ...], ...]"
_Contents: TypeAlias = "tuple[bytes, ...]"

_logger = structlog.get_logger()

# Two changes within the resolution of a file's times look like one.
_SETTLED_SECONDS = 2.0


class Watched(Generic[T]):
    """What `read` makes of the contents of some files, as they are whenever it is asked for.

    To ask costs a stat of each file. Threads may share one.
    """

    def __init__(self, what: str, paths: Sequence[Path], read: Callable[[_Contents], T]) -> None:
        """Read the files; `what` names them all in the log.

        Raises:
            UsageError: a file cannot be read, or `read` says so.
        """
        self._what = what
        self._paths = tuple(paths)
        self._read = read
        self._lock = threading.Lock()
        self._state: _State | None = None
        """Of the files as last looked at; None where they must be looked at again."""
        self._seen = self._look()
        """What they held when they last could be read, of use or not."""
        self._value = read(self._seen)

    def current(self) -> T:
        """Return what the files hold now, or did when they last could be used."""
        with self._lock:
            if self._state is None or self._state != _state(self._paths):
                self._renew()
            return self._value

    def _renew(self) -> None:
        try:
            contents = self._look()
            if contents != self._seen:
                self._seen = contents
                self._value = self._read(contents)
                _logger.info("renewed", what=self._what)
        except UsageError as error:
            # Once: files that stay as they are do not come here again.
            _logger.warning("the old one stays in use", what=self._what, why=str(error))

    def _look(self) -> _Contents:
        # Before they are read, so that what changes meanwhile differs the next time.
        self._state = _state(self._paths)
        contents = []
        for path in self._paths:
            try:
                contents.append(path.read_bytes())
            except OSError as error:
                raise UsageError(f"cannot read {path}: {error.strerror}") from error
        newest = max((times[0] for times in self._state if times), default=0)
        if time.time() - newest / 1e9 < _SETTLED_SECONDS:
            self._state = None
        return tuple(contents)


def _state(paths: Sequence[Path]) -> _State:
    """Return what differs when a file was changed or replaced; of one that is missing, nothing."""
    state: list[tuple[int, ...]] = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            state.append(())
        else:
            state.append((stat.st_ctime_ns, stat.st_mtime_ns, stat.st_ino, stat.st_size))
    return tuple(state)
