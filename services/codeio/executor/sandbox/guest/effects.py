"""Notes what a program does besides computing, for the yield report and the purity rule.

It is no defence: a program can get around it. What it names, the sandbox forbids.
"""

import os
import sys
from typing import Any

_noted: dict[str, None] = {}

EVENTS = {
    "os.exec": "process",
    "os.fork": "process",
    "os.forkpty": "process",
    "os.posix_spawn": "process",
    "os.spawn": "process",
    "os.system": "process",
    "os.kill": "process",
    "os.killpg": "process",
    "pty.spawn": "process",
    "subprocess.Popen": "process",
    "os.chmod": "file:write",
    "os.link": "file:write",
    "os.mkdir": "file:write",
    "os.remove": "file:write",
    "os.rename": "file:write",
    "os.rmdir": "file:write",
    "os.symlink": "file:write",
    "os.truncate": "file:write",
    "shutil.copyfile": "file:write",
    "shutil.move": "file:write",
    "shutil.rmtree": "file:write",
    "sqlite3.connect": "file:write",
    "tempfile.mkdtemp": "file:write",
    "tempfile.mkstemp": "file:write",
    "os.listdir": "file:read",
    "os.scandir": "file:read",
    "glob.glob": "file:read",
    "os.putenv": "environment",
    "os.unsetenv": "environment",
    "builtins.input": "stdin",
    "webbrowser.open": "network",
}
# The last is the program itself, whose lines an error message quotes.
OWN_PLACES = (sys.prefix, sys.base_prefix, "/usr/", "/proc/", "/etc/", "/dev/", "<program>")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def note(effect: str) -> None:
    _noted.setdefault(effect)


def taken() -> list[str]:
    """Return what was noted since the last time, in order of first use."""
    names = list(_noted)
    _noted.clear()
    return names


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook (see the standard library's table of audit events)."""
    if event == "open":
        path, mode, flags = arguments
        if is_writing(mode, flags):
            note("file:write")
        elif not from_import_system(path):
            note("file:read")
    elif event.startswith("socket."):
        note("network")
    elif event in EVENTS:
        if event in ("os.listdir", "os.scandir") and from_import_system(arguments[0]):
            return
        note(EVENTS[event])


def is_writing(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & WRITING)


def from_import_system(path: object) -> bool:
    """Tell whether a path is one that Python or its packages read on their own account."""
    if not isinstance(path, str):
        return isinstance(path, int) or path is None
    return path.startswith((*filter(None, sys.path), *OWN_PLACES))
