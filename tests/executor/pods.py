"""Sandbox pods on this machine: `codeio serve sandbox` inside real gVisor, as in a cluster.

The pod has a read-only root, no capabilities and an unprivileged user, as
under "restricted" of Kubernetes' Pod Security. It listens on the loopback of
this machine, or with a network stack of gVisor's own behind a pair of virtual
devices, which is what a cluster gives it and what takes root here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

import codeio
from codeio.executor.sandbox.runsc import find_runsc
from codeio.runtime.errors import UsageError
from codeio.runtime.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from codeio.executor.sandbox.runsc import Runsc

# Where a pod has its files.
SERVICES, LIBRARIES, HOME = Path("/app/services"), Path("/app/libraries"), Path("/app/home")
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Network:
    """How a pod is reached."""

    host: str
    listen: str
    flag: str
    namespace: str = ""


LOOPBACK = Network(host="127.0.0.1", listen="127.0.0.1", flag="--network=host")


@dataclass
class Pod:
    """A running one."""

    name: str
    address: str
    probes: str
    process: asyncio.subprocess.Process
    said: list[str]
    _runsc: list[str]

    async def processes(self) -> list[str]:
        """Return the commands of the processes inside."""
        asked = await asyncio.create_subprocess_exec(
            *self._runsc, "ps", "--format=json", self.name, stdout=subprocess.PIPE
        )
        told, _ = await asked.communicate()
        ids = json.loads(told)
        return [str(each) for each in ids]

    async def asked(self, path: str) -> str:
        """Return what the pod says by HTTP, as to Kubernetes and Prometheus."""

        def get() -> str:
            with urllib.request.urlopen(f"http://{self.probes}{path}", timeout=30) as answer:
                return str(answer.read().decode())

        return await asyncio.to_thread(get)

    async def terminate(self) -> None:
        """Send what Kubernetes does when a pod is to go."""
        asked = await asyncio.create_subprocess_exec(*self._runsc, "kill", self.name, "TERM")
        assert await asked.wait() == 0

    async def ends(self) -> int:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def pod(*, workers: int = 2, network: Network = LOOPBACK) -> AsyncIterator[Pod]:
    """Start a pod, and stop it at the end if it is still there."""
    runsc = _runsc()
    with tempfile.TemporaryDirectory(prefix="codeio-pod-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        (folder / "rootfs").mkdir()
        (folder / "config.json").write_text(json.dumps(_bundle(workers, network)))
        flags = [flag for flag in runsc.flags if "network" not in flag]
        state = load_settings().sandbox.home / "state"
        command = [str(runsc.path), *flags, network.flag, f"--root={state}"]
        process = await asyncio.create_subprocess_exec(
            *command,
            "run",
            f"--bundle={folder}",
            folder.name,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stderr is not None
        said: list[str] = []
        reading = asyncio.create_task(_note(process.stderr, said, told := asyncio.Event()))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await told.wait()
            assert said, f"the pod ended with status {await process.wait()}"
            assert said[0].startswith("serving sandbox on"), said
            port = said[0].partition(",")[0].rpartition(":")[2]
            probes = f"{network.host}:{said[0].rpartition(':')[2]}"
            yield Pod(folder.name, f"{network.host}:{port}", probes, process, said, command)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()  # runsc hands it on
                await process.wait()
            await reading


async def _note(stream: asyncio.StreamReader, said: list[str], told: asyncio.Event) -> None:
    while line := await stream.readline():
        said.append(line.decode().rstrip())
        told.set()
    told.set()


def _bundle(workers: int, network: Network) -> dict[str, Any]:
    python = Path(os.path.realpath(sys.executable))
    shared = {
        SERVICES: Path(codeio.__path__[0]).parent,
        LIBRARIES: Path(grpc.__path__[0]).parent,
        HOME: load_settings().sandbox.home.absolute(),
        python.parent.parent: python.parent.parent,
    }
    shared |= {path: path for path in map(Path, ("/usr", "/lib", "/lib64", "/bin"))}
    variables = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONPATH": f"{SERVICES}:{LIBRARIES}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "CODEIO_SANDBOX__HOME": str(HOME),
        "CODEIO_SANDBOX__WORKERS": str(workers),
    }
    serve = ["serve", "sandbox", "--host", network.listen, "--port", "0"]
    serve += ["--metrics-port", "0"]
    # Rootless runsc maps one user only, its own, as 0.
    user = 65534 if os.geteuid() == 0 else 0
    kinds = ("pid", "ipc", "uts", "mount")
    namespaces: list[dict[str, str]] = [{"type": kind} for kind in kinds]
    if network.namespace:
        namespaces.append({"type": "network", "path": f"/var/run/netns/{network.namespace}"})
    return {
        "ociVersion": "1.0.0",
        "process": {
            "terminal": False,
            "user": {"uid": user, "gid": user},
            "args": [str(python), "-c", "from codeio.cli import main; main()", *serve],
            "env": [f"{name}={value}" for name, value in variables.items()],
            "cwd": "/",
            "capabilities": {},
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "sandbox-0",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            {
                "destination": "/tmp",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "nodev", "mode=1777"],
            },
            *(
                {
                    "destination": str(inside),
                    "type": "bind",
                    "source": str(outside),
                    "options": ["rbind", "ro", "nosuid", "nodev"],
                }
                for inside, outside in shared.items()
                if outside.exists()
            ),
        ],
        "linux": {"namespaces": namespaces},
    }


def _runsc() -> Runsc:
    try:
        return find_runsc(load_settings().sandbox.home)
    except UsageError as error:
        pytest.skip(f"no pod without gVisor: {error}")


@contextmanager
def own_network() -> Iterator[Network]:
    """Make a network of two machines: this one, and the pod that is put there."""
    ip = shutil.which("ip")
    if os.geteuid() != 0 or ip is None:
        pytest.skip("a network of the pod's own needs root and the command `ip`")
    number = os.getpid() % (1 << 14)
    name = f"codeio-{number}"
    third, fourth = divmod(number * 4, 256)
    here, there = f"169.254.{third}.{fourth + 1}", f"169.254.{third}.{fourth + 2}"
    outside, inside = f"cioh{number}", f"ciop{number}"

    def run(*arguments: str) -> None:
        done = subprocess.run([ip, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no network for the pod: {done.stderr.strip()}")

    with contextlib.ExitStack() as undo:
        run("netns", "add", name)
        undo.callback(subprocess.run, [ip, "netns", "del", name], check=True)
        run("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name)
        run("addr", "add", f"{here}/30", "dev", outside)
        run("link", "set", outside, "up")
        for arguments in (
            ("addr", "add", f"{there}/30", "dev", inside),
            ("link", "set", inside, "up"),
            ("link", "set", "lo", "up"),
        ):
            run("-n", name, *arguments)
        yield Network(host=there, listen="0.0.0.0", flag="--network=sandbox", namespace=name)


async def eventually(holds: Callable[[], Any]) -> None:
    """Ask again, a process each time, until it is so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():
            pass
