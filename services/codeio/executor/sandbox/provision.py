"""Common to getting `runsc` and the guest environment: their home, its lock, running tools."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path


@contextmanager
def only_builder(home: Path) -> Iterator[None]:
    """Hold the home against other builders, in this process and in others.

    The lock goes with the process that holds it, however that ends.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / ".lock").open("w")
    except OSError as error:
        raise UsageError(
            f"cannot write {home}: {error.strerror}; name another folder in CODEIO_SANDBOX__HOME"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install_package(*names: str, say: Callable[[str], None]) -> str | None:
    """Install packages of the distribution; return None when that went well, else why not."""
    if not shutil.which("apt-get"):
        return "there is no apt-get here"
    say(f"installing the distribution's {' '.join(names)}")
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", *names]):
        complaint = complaint_of(
            [*root, "apt-get", *arguments], environment={"DEBIAN_FRONTEND": "noninteractive"}
        )
        if complaint is not None:
            return f"apt-get cannot install {' '.join(names)} ({complaint})"
    return None


def complaint_of(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> str | None:
    """Run a command to its end; return None when it went well, else its last words.

    `environment` is added to this process's own.
    """
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer in {seconds:g} s"
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if done.returncode == 0:
        return None
    return (done.stdout.strip().splitlines() or [f"exit status {done.returncode}"])[-1].strip()
