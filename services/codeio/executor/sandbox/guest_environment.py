"""The Python that programs meet inside the sandbox: an interpreter and pinned packages.

Built once per lock file and version of Python, under `home/guest/`. What is
there is whole: a build happens beside it and is renamed at the end.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codeio.executor.sandbox.provision import complaint_of, install_package, only_builder
from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

GUEST = Path(__file__).parent / "guest"
LOCK = GUEST / "requirements.lock"
ZYGOTE = GUEST / "zygote.c"


@dataclass(frozen=True)
class GuestEnvironment:
    """An interpreter and the packages it is to find by PYTHONPATH."""

    python: Path
    """Interpreter to run in the guest; no virtual environment."""
    python_version: str
    """Such as `3.11.7`."""
    prefix: Path
    """Folder that holds the packages, bytecode included; never written again."""
    lock_hash: str
    """sha256 of the lock file, in hex."""
    zygote: Path
    """The library that forks children, built from `guest/zygote.c`."""


def guest_environment(home: Path) -> GuestEnvironment:
    """Return the environment that was built for this lock and this Python.

    Raises:
        UsageError: it has not been built.
    """
    environment = _described(home)
    if not _is_whole(environment):
        raise UsageError("the guest's packages are not installed yet; run `codeio setup`")
    return environment


def build_guest_environment(home: Path, *, say: Callable[[str], None]) -> GuestEnvironment:
    """Return the environment, installing its packages first where they are missing.

    Any number of processes may ask at once; one builds. `say` is told what
    happens, a line at a time.

    Raises:
        UsageError: the packages cannot be installed.
    """
    environment = _described(home)
    if not _is_whole(environment):
        with only_builder(home):
            # Another process may have built it while this one waited.
            if not environment.zygote.exists():
                _build_zygote(environment.zygote, say)
            if not environment.prefix.is_dir():
                say(f"installing the guest's packages for Python {environment.python_version}")
                _build(environment)
    return environment


def _is_whole(environment: GuestEnvironment) -> bool:
    return environment.prefix.is_dir() and environment.zygote.exists()


def _described(home: Path) -> GuestEnvironment:
    lock_hash = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    source_hash = hashlib.sha256(ZYGOTE.read_bytes()).hexdigest()
    version = platform.python_version()
    guests = home.absolute() / "guest"
    return GuestEnvironment(
        # Not the virtual environment's link to it: nothing of codeio is to be importable.
        python=Path(os.path.realpath(sys.executable)),
        python_version=version,
        prefix=guests / f"{lock_hash[:16]}-{version}",
        lock_hash=lock_hash,
        zygote=guests / f"zygote-{source_hash[:16]}-{platform.machine()}.so",
    )


def _build(environment: GuestEnvironment) -> None:
    prefix = environment.prefix
    partial = prefix.with_name(f".{prefix.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    quiet = ["--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps"]
    safe = ["--require-hashes", "--only-binary=:all:"]
    _run([sys.executable, "-m", "pip", "install", *quiet, *safe, f"--target={partial}", "-r", LOCK])
    # The guest cannot write bytecode. Unchecked, it holds however the guest's file system
    # tells times. Tests are never imported, and some are meant not to compile.
    flags = ["-q", "-j0", "--invalidation-mode=unchecked-hash", "-x", "/tests/"]
    _run([environment.python, "-m", "compileall", *flags, partial])
    partial.rename(prefix)


def _build_zygote(zygote: Path, say: Callable[[str], None]) -> None:
    if not shutil.which("cc"):
        install_package("gcc", "libc6-dev", say=say)
    zygote.parent.mkdir(parents=True, exist_ok=True)
    partial = zygote.with_name(f".{zygote.name}.partial")
    complaint = complaint_of(["cc", "-O2", "-shared", "-fPIC", "-Wl,-z,now", "-o", partial, ZYGOTE])
    if complaint is not None:
        raise UsageError(
            f"cannot compile what starts programs in the sandbox ({complaint}); "
            "install a C compiler: `sudo apt-get install -y gcc libc6-dev`"
        )
    partial.rename(zygote)


def _run(command: list[str | Path]) -> None:
    complaint = complaint_of(command)
    if complaint is not None:
        raise UsageError(f"cannot install the guest's packages: {complaint}")
