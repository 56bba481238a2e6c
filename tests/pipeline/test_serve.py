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

import grpc
import psutil
import pytest

from codeio.client import (
    Answer,
    CotGeneratorClient,
    ExecutorClient,
    NormalizerClient,
    Unavailable,
    VerifierClient,
)
from codeio.v1.trainer_launcher_service_pb2 import ListTrainingRunsRequest
from codeio.v1.trainer_launcher_service_pb2_grpc import TrainerLauncherServiceStub
from tests.cot_generator.test_generator import TASK
from tests.executor.programs import HONEST
from tests.pipeline.conftest import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENDLESS = "def main_solution():\n    while True:\n        pass\n"


@contextmanager
def served(
    name: str = "executor", *flags: str, **settings: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server that is ready, and its address."""
    command = [COMMAND, "serve", name, "--port", "0", "--metrics-port", "0", *flags]
    environment = {**os.environ, **settings}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stderr
            line = process.stderr.readline()
            ready = re.fullmatch(rf"serving {name} on (127\.0\.0\.1:\d+), .*\n", line)
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


def normalizes(address: str) -> None:
    with NormalizerClient(address) as remote:
        response = remote.normalize("def double(n: int) -> int:\n    return n * 2 + len(str(n))\n")
        assert response.programs or response.rejections


def generates(address: str) -> None:
    with CotGeneratorClient(address) as remote:
        [attempt] = remote.generate(TASK)
        assert '"output": 42' in attempt.turns[0].response


def verifies(address: str) -> None:
    with VerifierClient(address) as remote:
        output = Answer('{"output": {"sum": 3}}', output_json='{"sum": 3}')
        found = Answer(
            '{"input": {"a": 3, "b": 0}}', predicts="input", output_json='{"sum": 3}', code=HONEST
        )
        assert [judged.reward for judged in remote.verify_many([output, found])] == [1.0, 1.0]


def refuses_to_train(address: str) -> None:
    with grpc.insecure_channel(address, options=[("grpc.enable_retries", 0)]) as channel:
        stub = TrainerLauncherServiceStub(channel)
        with pytest.raises(grpc.RpcError, match="need a cluster and an image of the trainer"):
            stub.ListTrainingRuns(ListTrainingRunsRequest())


@pytest.mark.parametrize(
    ("name", "works", "flags"),
    [
        ("normalizer", normalizes, ["--normalizer", "static"]),
        ("cot-generator", generates, ["--teacher", "trace"]),
        ("verifier", verifies, ["--sandbox", "gvisor"]),
        ("trainer-launcher", refuses_to_train, []),
    ],
)
def test_every_stage_is_served_and_ends_in_peace(
    name: str, works: Callable[[str], None], flags: list[str]
) -> None:
    with served(name, *flags) as (process, address):
        works(address)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, "", "")


def test_a_stage_that_would_ask_a_model_needs_one() -> None:
    done = subprocess.run(
        [COMMAND, "serve", "cot-generator", "--teacher", "openai", "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith("CODEIO_TEACHER")},
    )
    assert done.returncode == 2
    assert "CODEIO_TEACHER__" in done.stderr


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


ALONE = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[2].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import importlib
importlib.import_module("codeio.cli")
importlib.import_module("codeio.pipeline.serving")
importlib.import_module(f"codeio.pipeline.services.{sys.argv[1]}")
"""
OTHERS = ["fissix", "pyarrow", "unearth", "license_expression", "datasketch", "jinja2", "datasets"]
TEACHER = ["openai", "aiolimiter", "tenacity", "psycopg", "fsspec", "aiohttp"]


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("normalizer", OTHERS),
        ("executor", [*OTHERS, *TEACHER]),
        ("cot_generator", OTHERS),
        ("verifier", [*OTHERS, *TEACHER]),
        ("trainer_launcher", [*OTHERS, *(set(TEACHER) - {"aiohttp"}), "psutil"]),
    ],
)
def test_a_service_needs_no_library_of_another(name: str, missing: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, name, ",".join(missing)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
