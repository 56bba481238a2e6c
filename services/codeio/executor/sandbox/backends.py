"""The ways to a guest: in gVisor on this machine, in a sandbox pod, or as a plain process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import socket
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from codeio.executor.sandbox.guests import LocalGuest, RemoteGuest
from codeio.runtime.errors import TransientError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.executor.sandbox.guest_environment import GuestEnvironment
    from codeio.executor.sandbox.guests import Guest
    from codeio.executor.sandbox.runsc import Runsc
    from codeio.runtime.settings import LimitsSettings

GUEST = Path(__file__).parent / "guest"
RESULT_BYTES = 32 << 20
CONNECT_SECONDS = 10
# A guest that was hung up on ends its child first, which on a busy machine takes seconds.
_BETWEEN_TRIES = (0.1, 0.3, 0.6, 1.0, 2.0, 4.0)
# Started with the guest, so that the first job need not wait: the plain interpreter.
WARM = (0,)


class Backend(Protocol):
    """Starts guests; all of them speak the same protocol."""

    async def start(self, *, niceness: int = 0) -> Guest:
        """Return a new guest that is up; `niceness` holds where it runs on this machine.

        Raises:
            TransientError: it did not come up; another try may go better.
            UsageError: none will ever come up so.
        """
        ...


@dataclass(frozen=True)
class GvisorBackend:
    """Spawns `runsc`: read-only root, no network, scratch in memory, an unprivileged user."""

    runsc: Runsc
    environment: GuestEnvironment
    limits: LimitsSettings
    state: Path
    """Where runsc keeps its own state. As root it mounts a network namespace there
    and leaves it, so one folder serves all sandboxes."""

    async def start(self, *, niceness: int = 0) -> Guest:
        folder = Path(tempfile.mkdtemp(prefix="codeio-sandbox-"))
        (folder / "rootfs").mkdir()
        (folder / "config.json").write_text(json.dumps(self._bundle()))
        flags = (*self.runsc.flags, f"--root={self.state}")
        command: list[str | Path] = [
            self.runsc.path,
            *flags,
            "run",
            f"--bundle={folder}",
            folder.name,
        ]
        guest = await _spawn(command, folder, environment=None, niceness=niceness)
        await guest.greet(guest_config(self.limits, enforce_cpu=not guest.metered))
        if niceness:
            guest.yield_to_others(niceness)
        return guest

    def _bundle(self) -> dict[str, Any]:
        """Return the OCI configuration of the sandbox."""
        mounts: list[dict[str, Any]] = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            # Nothing that a program could leave behind there.
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "noexec", "mode=755"],
            },
            {
                "destination": "/tmp",  # noqa: S108  (in the sandbox; each child mounts its own)
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "nodev", "mode=1777", f"size={64 << 20}"],
            },
        ]
        environment = self.environment
        shared = {
            Path("/codeio"): GUEST,
            Path("/packages"): environment.prefix,
            Path("/zygote.so"): environment.zygote,
        }
        shared |= {path: path for path in (Path("/usr"), Path("/lib"), Path("/lib64"))}
        python_prefix = environment.python.parent.parent
        if not python_prefix.is_relative_to("/usr"):
            shared[python_prefix] = python_prefix
        mounts += [
            {
                "destination": str(inside),
                "type": "bind",
                "source": str(outside),
                "options": ["rbind", "ro", "nosuid", "nodev"],
            }
            for inside, outside in shared.items()
            if outside.exists()
        ]
        # Rootless runsc maps one user only, its own, as 0; it has no capabilities either way.
        user = 65534 if os.geteuid() == 0 else 0
        variables = guest_variables(Path("/packages"))
        return {
            "ociVersion": "1.0.0",
            "process": {
                "terminal": False,
                "user": {"uid": user, "gid": user},
                "args": guest_command(environment, Path("/codeio"), Path("/zygote.so")),
                "env": [f"{name}={value}" for name, value in variables.items()],
                "cwd": "/",
                "capabilities": {},
                "noNewPrivileges": True,
            },
            "root": {"path": "rootfs", "readonly": True},
            "hostname": "sandbox",
            "mounts": mounts,
            "linux": {
                "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]
            },
        }


@dataclass(frozen=True)
class ProcessBackend:
    """Runs the guest as an ordinary process. It keeps nothing out: for code that is trusted."""

    environment: GuestEnvironment
    limits: LimitsSettings

    async def start(self, *, niceness: int = 0) -> Guest:
        folder = Path(tempfile.mkdtemp(prefix="codeio-process-"))
        environment = self.environment
        command = guest_command(environment, GUEST, environment.zygote)
        variables = guest_variables(environment.prefix) | {"TMPDIR": str(folder)}
        guest = await _spawn(command, folder, environment=variables, niceness=niceness)
        await guest.greet(guest_config(self.limits, enforce_cpu=not guest.metered))
        return guest


@dataclass
class RemoteBackend:
    """Connects to sandbox pods (`codeio serve sandbox`), the least used one first."""

    address: str
    """`HOST:PORT`; a name that stands for several addresses is all of them."""
    limits: LimitsSettings
    _open: dict[str, list[RemoteGuest]] = field(default_factory=dict)

    async def start(self, *, niceness: int = 0) -> Guest:  # noqa: ARG002  (pods set their own)
        for seconds in _BETWEEN_TRIES:
            with contextlib.suppress(TransientError):
                return await self._try_all()
            await asyncio.sleep(seconds)
        return await self._try_all()

    async def _try_all(self) -> Guest:
        host, _, port = self.address.rpartition(":")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host.strip("[]"), int(port), type=socket.SOCK_STREAM
            )
        except (OSError, ValueError) as error:
            raise TransientError(f"no sandbox is at {self.address!r}: {error}") from error
        complaint = ""
        for address in sorted({str(entry[4][0]) for entry in found}, key=self._load):
            try:
                guest = await self._connect(address, int(port))
            except (OSError, TransientError) as error:
                complaint = f"{address}: {error or 'no answer'}"
                continue
            if not guest.in_gvisor:
                await guest.stop()
                raise UsageError(
                    f"the sandbox at {address} is not inside gVisor; give its pods the RuntimeClass"
                )
            self._open.setdefault(address, []).append(guest)
            return guest
        raise TransientError(f"no sandbox at {self.address} has a free slot ({complaint})")

    async def _connect(self, address: str, port: int) -> RemoteGuest:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(address, port, limit=1 << 20)
        guest = RemoteGuest(reader, writer)
        await guest.greet(guest_config(self.limits, enforce_cpu=not guest.metered))
        return guest

    def _load(self, address: str) -> tuple[int, float]:
        guests = [guest for guest in self._open.get(address, ()) if guest.usable]
        self._open[address] = guests
        # Executors that start together are not all to try the same one first.
        return len(guests), random.random()  # noqa: S311


def guest_config(limits: LimitsSettings, *, enforce_cpu: bool) -> dict[str, Any]:
    """Return what a guest is told before all else; `enforce_cpu`: that it is to watch the time."""
    told = limits.model_dump() | {"enforce_cpu": enforce_cpu, "result_bytes": RESULT_BYTES}
    return {"limits": told, "warm": WARM}


def guest_command(environment: GuestEnvironment, guest: Path, zygote: Path) -> list[str]:
    """Return the command line of a guest's init, given where its files are for it."""
    init = [str(guest / "init.py"), str(zygote), environment.lock_hash]
    return [str(environment.python), "-s", "-S", "-B", *init]


def guest_variables(packages: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(packages),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


async def _spawn(
    command: Sequence[str | Path],
    folder: Path,
    *,
    environment: dict[str, str] | None,
    niceness: int,
) -> LocalGuest:
    nice = ["nice", f"-n{niceness}"] if niceness else []
    with (folder / "stderr").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *nice,
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=environment,
            # Ctrl-C is for us to handle; the guest ends when its input does.
            start_new_session=True,
            limit=1 << 20,
        )
    return LocalGuest(process, folder)
