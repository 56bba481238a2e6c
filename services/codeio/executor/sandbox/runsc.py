"""gVisor's `runsc`: find it, get it, and know whether it works for this user."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codeio.executor.sandbox.provision import complaint_of, install_package, only_builder
from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RELEASES = "https://storage.googleapis.com/gvisor/releases/release/latest"
GO_MODULE = "gvisor.dev/gvisor"
GO_VERSION = "v0.0.0-20260905035102-160fafc42237"

# Tried in this order. systrap is the fast one, faster by a tenth without its fast path,
# which keeps processors spinning that two sandboxes beside each other have work for.
# gVisor before 2023 has ptrace only. kvm is left out: on virtual machines it may hang
# instead of failing.
_PLATFORMS = (("systrap", "--systrap-disable-fast-path"), ("systrap",), ("ptrace",))
_CONNECT_SECONDS = 5
_PROBE_SECONDS = 30
_SYSCTL = Path("/proc/sys")


@dataclass(frozen=True)
class Runsc:
    """A `runsc` that has run a sandbox for this user."""

    path: Path
    version: str
    platform: str
    """`systrap`, or `ptrace` where that is all it can do."""
    source: str
    """Where it is from, in words."""
    flags: tuple[str, ...]
    """Global flags with which this user can start a sandbox."""


def find_runsc(home: Path) -> Runsc:
    """Return the `runsc` on PATH, or else the one in `home`, that works.

    Raises:
        UsageError: there is none, or none that works.
    """
    complaints = []
    for path, source in _installed(home):
        found = _try(path, source)
        if isinstance(found, Runsc):
            return found
        complaints.append(f"{path} does not work ({found})")
    obstacle = namespace_obstacle()
    if obstacle is None:
        obstacle = f"{'; '.join(complaints) or 'gVisor is missing'}: run `codeio setup`"
    raise UsageError(f"{obstacle}, or pass `--sandbox process` if you trust the code")


def install_runsc(home: Path, *, say: Callable[[str], None]) -> Runsc:
    """Return a `runsc` that works, getting it first where there is none.

    Tried in this order, the first that works is taken: what is installed,
    gVisor's own release, a pinned version built with Go, the distribution's
    package. `say` is told what happens, a line at a time.

    Raises:
        UsageError: this user may not run sandboxes, or no way led to `runsc`.
    """
    with only_builder(home):
        for path, source in _installed(home):
            found = _try(path, source)
            if isinstance(found, Runsc):
                return _announce(found, say)
            say(f"{path} does not work ({found})")
        obstacle = namespace_obstacle()
        if obstacle:
            raise UsageError(obstacle)
        for get in (_get_release, _build_with_go, _install_package):
            try:
                path, source = get(home, say)
            except _Unavailable as reason:
                say(f"{reason}; going on")
                continue
            found = _try(path, source)
            if isinstance(found, Runsc):
                return _announce(found, say)
            say(f"the runsc from {source} does not work ({found}); going on")
    raise UsageError(
        "no way led to gVisor's runsc; install it by https://gvisor.dev/docs/user_guide/install "
        "and put it on PATH, or pass `--sandbox process` if you trust the code"
    )


def namespace_obstacle() -> str | None:
    """Say what keeps this user from running a sandbox, with the command that mends it."""
    unshare = shutil.which("unshare")
    if os.geteuid() == 0 or unshare is None:
        return None
    if complaint_of([unshare, "--user", "--map-root-user", "--mount", "true"]) is None:
        return None
    mend = "run this as root"
    for setting, blocking, free in (
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("user.max_user_namespaces", "0", "15000"),
    ):
        value = _SYSCTL / setting.replace(".", "/")
        if value.exists() and value.read_text().strip() == blocking:
            mend = f"run `sudo sysctl -w {setting}={free}`, or {mend}"
            break
    return f"this system refuses ordinary users the namespaces that gVisor needs: {mend}"


def _installed(home: Path) -> Iterator[tuple[Path, str]]:
    on_path = shutil.which("runsc")
    if on_path:
        yield Path(on_path), "PATH"
    own = _own(home)
    if own.exists():
        yield own, f"{own.parent}"


def _own(home: Path) -> Path:
    return home / "bin" / "runsc"


def _announce(runsc: Runsc, say: Callable[[str], None]) -> Runsc:
    say(f"runsc {runsc.version}, platform {runsc.platform}, from {runsc.source}")
    if runsc.platform == "ptrace":
        say(f"warning: {runsc.path} is so old that it only has ptrace, which is slow")
    return runsc


def _try(path: Path, source: str) -> Runsc | str:
    """Run `true` in a sandbox; return the `Runsc`, or what went wrong."""
    complaints = []
    user = () if os.geteuid() == 0 else ("--rootless",)
    for name, *options in _PLATFORMS:
        flags = (f"--platform={name}", *options, "--network=none", "--ignore-cgroups", *user)
        complaint = complaint_of([path, *flags, "do", "true"], seconds=_PROBE_SECONDS)
        if complaint is None:
            return Runsc(
                path=path, version=_version(path), platform=name, source=source, flags=flags
            )
        complaints.append(f"{' '.join((name, *options))}: {complaint}")
    return "; ".join(complaints)


def _version(path: Path) -> str:
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"version\s+(\S+)", told)
    return match[1] if match else "unknown"


class _Unavailable(Exception):
    """This way does not lead to `runsc` on this machine."""


def _get_release(home: Path, say: Callable[[str], None]) -> tuple[Path, str]:
    url = f"{RELEASES}/{platform.machine()}/runsc"
    say(f"getting gVisor's release from {RELEASES}")
    own = _own(home)
    own.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=own.parent) as scratch:
        fetched = Path(scratch, "runsc")
        try:
            with urllib.request.urlopen(f"{url}.sha512", timeout=_CONNECT_SECONDS) as answer:  # noqa: S310
                stated = answer.read().decode().split()[0]
            with (
                urllib.request.urlopen(url, timeout=60) as answer,  # noqa: S310
                fetched.open("wb") as file,
            ):
                shutil.copyfileobj(answer, file, 1 << 20)
        except (OSError, UnicodeDecodeError, IndexError) as error:
            raise _Unavailable(f"gVisor's release cannot be had ({error})") from error
        with fetched.open("rb") as file:
            if hashlib.file_digest(file, "sha512").hexdigest() != stated:
                raise _Unavailable("gVisor's release does not have the checksum it states")
        fetched.chmod(0o755)
        fetched.replace(own)
    return own, "gVisor's release"


def _build_with_go(home: Path, say: Callable[[str], None]) -> tuple[Path, str]:
    go = shutil.which("go")
    if not go:
        raise _Unavailable("Go is not installed")
    told = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"go(\d+)\.(\d+)", told)
    if not match or (int(match[1]), int(match[2])) < (1, 21):
        raise _Unavailable("Go is older than 1.21")
    say(f"building runsc {GO_VERSION} with Go, which takes one to five minutes")
    own = _own(home)
    own.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=own.parent) as scratch:
        version = f"-X {GO_MODULE}/runsc/version.version={GO_VERSION}"
        complaint = complaint_of(
            [go, "install", f"-ldflags=-s -w {version}", f"{GO_MODULE}/runsc@{GO_VERSION}"],
            environment={"CGO_ENABLED": "0", "GOBIN": scratch},
        )
        if complaint is not None:
            raise _Unavailable(f"Go cannot build runsc ({complaint})")
        Path(scratch, "runsc").replace(own)
    return own, f"Go module {GO_MODULE}@{GO_VERSION}"


def _install_package(home: Path, say: Callable[[str], None]) -> tuple[Path, str]:  # noqa: ARG001
    complaint = install_package("runsc", say=say)
    if complaint is not None:
        raise _Unavailable(complaint)
    path = shutil.which("runsc")
    if not path:
        raise _Unavailable("the package brought no runsc on PATH")
    return Path(path), "the distribution's package"
