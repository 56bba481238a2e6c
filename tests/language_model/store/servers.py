"""Real servers on the loopback interface: PostgreSQL, an S3 gateway, and a line that can be cut."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psycopg
import pytest

from codeio.executor.sandbox.provision import install_package
from codeio.runtime.settings import default_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HOME = default_home().with_name("codeio-test")
_VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold others off: several workers run at once."""
    _HOME.mkdir(parents=True, exist_ok=True)
    with (_HOME / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _tied() -> list[str]:
    """Return what lets a server end with the process that started it, however that ends."""
    return ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []


def _as_other_user() -> list[str]:
    """Return what starts a program as one whom PostgreSQL, which refuses root, is run by.

    Not `Popen(user=)`: it copies this process, whose threads in gRPC may bring the copy down.
    """
    if not (user := _other_user()):
        return []
    group = pwd.getpwnam(user).pw_gid
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]


def _wait_until(answers: Callable[[], bool], server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while not answers():
        assert server.poll() is None, "the server has ended"
        assert time.monotonic() < until, "the server does not answer"
        time.sleep(0.02)


class PostgreSQL:
    """A server of its own, with a database for whoever asks."""

    def __init__(self) -> None:
        self._bin = _postgresql_programs()
        self.password = secrets.token_hex(16)
        self.port = 0

    def __enter__(self) -> Self:
        # Not below pytest's folder, where another user may not go.
        self._folder = Path(tempfile.mkdtemp(prefix="codeio-test-postgresql-"))
        if user := _other_user():
            shutil.chown(self._folder, user)
        password = self._folder / "password"
        password.write_text(self.password)
        password.chmod(0o644)
        subprocess.run(
            [
                *_as_other_user(), self._bin / "initdb",
                "--pgdata", self._folder / "data", "--username=codeio",
                "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C",
                "--no-sync",
            ],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            check=True,
        )  # fmt: skip
        self.port = free_port()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *_as_other_user(), *_tied(), self._bin / "postgres",
                    "-D", self._folder / "data",
                    "-h", "127.0.0.1", "-p", str(self.port),
                    "-c", "unix_socket_directories=", "-c", "fsync=off",
                ],
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )  # fmt: skip
        _wait_until(self._answers, self._process)

    def stop(self) -> None:
        """Stop it at once, as in a crash."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    def url(self, database: str, *, port: int = 0, password: str = "") -> str:
        return (
            f"postgresql://codeio:{password or self.password}@127.0.0.1:{port or self.port}"
            f"/{database}"
        )

    def make_database(self) -> str:
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def execute(self, statement: str, *, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def _other_user() -> str:
    """Return the user to run PostgreSQL, which refuses to be run by root; empty: this one."""
    if os.geteuid() != 0:
        return ""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _postgresql_programs() -> Path:
    def found() -> Path | None:
        # Debian keeps the servers of all versions side by side, and none of them on PATH.
        versions = sorted(
            Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name)
        )
        on_path = shutil.which("postgres")
        places = [*versions, *([Path(on_path).resolve().parent] if on_path else [])]
        return next((place for place in reversed(places) if (place / "initdb").exists()), None)

    with alone("postgresql"):
        if place := found():
            return place
        if os.geteuid() != 0:
            pytest.skip("there is no PostgreSQL server here; run: sudo apt-get install postgresql")
        complaint = install_package("postgresql", say=lambda _: None)
        if place := found():
            return place
    pytest.skip(f"there is no PostgreSQL server here: {complaint}")


class S3:
    """An S3 gateway over a folder."""

    access_key = "codeio-test"

    def __init__(self) -> None:
        self._program = _versitygw()
        self.secret_key = secrets.token_hex(16)
        self.port = 0

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="codeio-test-s3-"))
        for name in ("buckets", "metadata"):
            (self._folder / name).mkdir()
        self.port = free_port()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *_tied(), self._program, "--port", f"127.0.0.1:{self.port}", "--quiet",
                "--keep-alive", "--access", self.access_key, "--secret", self.secret_key,
                "posix", "--sidecar", self._folder / "metadata", self._folder / "buckets",
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        _wait_until(self._answers, self._process)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def make_bucket(self) -> str:
        name = f"bucket-{secrets.token_hex(6)}"
        (self._folder / "buckets" / name).mkdir()
        return name

    def objects(self, bucket: str) -> dict[str, bytes]:
        root = self._folder / "buckets" / bucket
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }


def _versitygw() -> Path:
    folder = _HOME / _VERSITYGW.rpartition("/")[2]
    program = folder / "versitygw"
    with alone("versitygw"):
        if program.exists():
            return program
        if not shutil.which("go"):
            pytest.skip("there is no Go here to build an S3 server with")
        built = subprocess.run(
            ["go", "install", _VERSITYGW],
            env={**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    if built.returncode:
        pytest.skip(f"the S3 server cannot be built: {built.stderr.strip()}")
    return program


class Line:
    """A line to a server. It refuses connections while it is cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._carrying: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._refused: asyncio.Queue[None] = asyncio.Queue()
        self._whole = True

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Break all connections that there are and refuse new ones."""
        self._whole = False
        for writer in self._carrying.values():
            writer.close()
        await asyncio.gather(*self._carrying)

    def mend(self) -> None:
        self._whole = True

    async def refused(self, times: int) -> None:
        """Wait until so many connections more have been refused."""
        for _ in range(times):
            await self._refused.get()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._whole:
            task = asyncio.create_task(self._carry(reader, writer))
            self._carrying[task] = writer
            task.add_done_callback(self._carrying.pop)
        else:
            writer.transport.abort()
            self._refused.put_nowait(None)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_connection("127.0.0.1", self._to)
        await asyncio.gather(_pump(reader, here), _pump(there, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
