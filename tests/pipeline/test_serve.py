"""`codeio serve`: ready in a line, stopped by a signal, and clear about what it lacks."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from codeio.client import ExecutorClient, Unavailable
from tests.executor.programs import HONEST
from tests.pipeline.conftest import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENDLESS = "def main_solution():\n    while True:\n        pass\n"


@contextmanager
def served(**settings: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server that is ready, and its address."""
    command = [COMMAND, "serve", "executor", "--port", "0"]
    environment = {**os.environ, **settings}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stderr
            line = process.stderr.readline()
            ready = re.fullmatch(r"serving executor on (127\.0\.0\.1:\d+), \d+ jobs .*\n", line)
            assert ready, line + process.stderr.read()
            yield process, ready[1]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_leaves_nothing_behind(number: signal.Signals) -> None:
    with served() as (process, address):
        with ExecutorClient(address) as remote:
            [result] = remote.execute(HONEST, [{"a": 1, "b": 2}])
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert result.output_json == '{"sum": 3}'
        assert (process.returncode, out, err) == (0, "", "")
        _, left = psutil.wait_procs(children, timeout=30)
        assert left == []


def processor_seconds(process: subprocess.Popen[str]) -> float:
    times = [child.cpu_times() for child in psutil.Process(process.pid).children(recursive=True)]
    return sum(time.user + time.system for time in times)


def test_a_second_signal_does_not_wait_for_what_runs() -> None:
    patient = {"CODEIO_SERVER__DRAIN_SECONDS": "600", "CODEIO_LIMITS__CPU_SECONDS": "600"}
    with served(**patient) as (process, address), ExecutorClient(address) as remote:
        failure: list[Unavailable] = []

        def work() -> None:
            try:
                remote.execute(ENDLESS, [{}])
            except Unavailable as error:
                failure.append(error)

        caller = threading.Thread(target=work)
        before = processor_seconds(process)
        caller.start()
        while processor_seconds(process) < before + 0.5:
            # It runs, once it uses time.
            caller.join(0.05)
            assert caller.is_alive()
        process.send_signal(signal.SIGTERM)
        with pytest.raises(Unavailable, match=r"unhealthy|stopping"):
            exhaust(remote.describe)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        caller.join()
    assert process.returncode == 130
    assert err == "codeio: ended at once by a second signal\n"
    assert failure


def exhaust(call: Callable[[], object]) -> None:
    while True:
        call()


def refused(*arguments: str) -> str:
    done = subprocess.run(
        [COMMAND, "serve", "executor", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    return done.stderr


def test_a_port_in_use_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = refused("--port", str(port))
    assert told == (
        f"codeio: cannot listen at 127.0.0.1:{port}: Address already in use; "
        "choose another by --host and --port\n"
    )


def test_what_is_not_installed_is_named_with_its_extra() -> None:
    script = (
        "import sys; sys.modules['grpc_health'] = None; sys.modules['grpc_health.v1'] = None\n"
        "from codeio.cli import main; sys.argv = ['codeio', 'serve', 'executor']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "codeio[executor]" in done.stderr
    assert "grpc_health" in done.stderr
