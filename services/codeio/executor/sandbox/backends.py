"""Two ways to start a guest: inside gVisor, or as a plain process for those who ask for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import psutil

from codeio.executor.sandbox import frames
from codeio.executor.sandbox.runsc import Runsc, sandbox_flags
from codeio.runtime.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.executor.sandbox.guest_environment import GuestEnvironment
    from codeio.runtime.settings import LimitsSettings

GUEST = Path(__file__).parent / "guest"
START_SECONDS = 60
RESULT_BYTES = 32 << 20


class Backend(Protocol):
    """Starts guests; all of them speak the same protocol."""

    async def start(self) -> Guest: ...


@dataclass
class Guest:
    """A running sandbox and the two ends of its pipe."""

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    folder: Path
    """Where its files on the host are; removed with it."""

    def cpu_seconds(self) -> float:
        """Return the processor time, by the host's clock, of everything that serves this guest.

        gVisor's own clock counts the time for which a thread could have run,
        so it runs ahead on a busy host.
        """
        total = 0.0
        try:
            root = psutil.Process(self.process.pid)
            for process in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    total += times.user + times.system
                    total += times.children_user + times.children_system
        except psutil.NoSuchProcess:
            pass
        return total

    async def stop(self) -> None:
        """End the guest with everything in it."""
        self.writer.close()
        try:
            # The guest's init ends when its input does, and runsc then cleans up after it.
            await asyncio.wait_for(self.process.wait(), timeout=5)
        except TimeoutError:
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                for process in psutil.Process(self.process.pid).children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
                self.process.kill()
            await self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class GvisorBackend:
    """Spawns `runsc`: read-only root, no network, scratch in memory, an unprivileged user."""

    runsc: Runsc
    environment: GuestEnvironment
    limits: LimitsSettings
    state: Path
    """Where runsc keeps its own state. As root it mounts a network namespace there
    and leaves it, so one folder serves all sandboxes."""

    async def start(self) -> Guest:
        folder = Path(tempfile.mkdtemp(prefix="codeio-sandbox-"))
        command = guest_command(
            self.environment.python, Path("/codeio"), self.limits, in_gvisor=True
        )
        (folder / "rootfs").mkdir()
        (folder / "config.json").write_text(json.dumps(self._bundle(command)))
        flags = (*sandbox_flags(self.runsc.platform), f"--root={self.state}")
        return await _spawn(
            [self.runsc.path, *flags, "run", f"--bundle={folder}", folder.name],
            folder,
            environment=None,
        )

    def _bundle(self, command: Sequence[str]) -> dict[str, Any]:
        """Return the OCI configuration of the sandbox."""
        mounts: list[dict[str, Any]] = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            {
                "destination": "/tmp",  # noqa: S108  (in the sandbox)
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "nodev", "mode=1777", f"size={64 << 20}"],
            },
        ]
        shared = {Path("/codeio"): GUEST, Path("/packages"): self.environment.prefix}
        shared |= {path: path for path in (Path("/usr"), Path("/lib"), Path("/lib64"))}
        python_prefix = self.environment.python.parent.parent
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
        environment = guest_variables(Path("/packages"))
        return {
            "ociVersion": "1.0.0",
            "process": {
                "terminal": False,
                "user": {"uid": user, "gid": user},
                "args": list(command),
                "env": [f"{name}={value}" for name, value in environment.items()],
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

    async def start(self) -> Guest:
        folder = Path(tempfile.mkdtemp(prefix="codeio-process-"))
        command = guest_command(self.environment.python, GUEST, self.limits, in_gvisor=False)
        variables = guest_variables(self.environment.prefix) | {"TMPDIR": str(folder)}
        return await _spawn(command, folder, environment=variables)


def guest_command(
    python: Path, guest: Path, limits: LimitsSettings, *, in_gvisor: bool
) -> list[str]:
    """Return the command line of a guest's init."""
    told = limits.model_dump() | {
        # gVisor's clock of processor time is not good enough; see `Guest.cpu_seconds`.
        "enforce_cpu": not in_gvisor,
        "namespaces": in_gvisor,
        "result_bytes": RESULT_BYTES,
    }
    return [str(python), "-s", "-B", str(guest / "init.py"), json.dumps(told)]


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
    command: Sequence[str | Path], folder: Path, *, environment: dict[str, str] | None
) -> Guest:
    with (folder / "stderr").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=environment,
            # Ctrl-C is for us to handle; the guest ends when its input does.
            start_new_session=True,
            limit=1 << 20,
        )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("asked for pipes")
    guest = Guest(process, process.stdout, process.stdin, folder)
    try:
        frame = await asyncio.wait_for(frames.read(guest.reader), START_SECONDS)
    except (TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
        told = (folder / "stderr").read_text(errors="replace").strip()
        await guest.stop()
        raise TransientError(f"a sandbox did not start: {told[-500:] or error!r}") from error
    if frame.kind != frames.READY:
        await guest.stop()
        raise TransientError("a sandbox did not start: it does not speak the guest protocol")
    return guest
