"""The client of the executor: what it sends, what it retries, and what it says."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from codeio.client import (
    AsyncExecutorClient,
    DeadlineExceeded,
    ExecutorClient,
    ExecutorError,
    InvalidRequest,
    Overloaded,
    Unavailable,
)
from codeio.executor.sandbox.guests import GuestVersion
from codeio.executor.service import ExecutorServicer
from codeio.runtime import errors
from codeio.runtime.grpc_calls import CallInterceptor
from codeio.runtime.settings import load_settings
from codeio.v1.execution_pb2 import CallResult, Outcome, Priority
from tests.executor.programs import HONEST
from tests.servers import FakeSandbox, Servicer, listening, ok, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.runtime.grpc_server import GrpcServer
    from codeio.runtime.stage import StreamingSandbox


@asynccontextmanager
async def executor(sandbox: StreamingSandbox, **flags: Any) -> AsyncIterator[GrpcServer]:
    settings = load_settings(flags=flags)
    guest = GuestVersion("3.11.7", "abc")
    servicer = ExecutorServicer(sandbox, guest=lambda: guest, slots=2, settings=settings)
    async with serving(servicer) as server:
        yield server


class Counting(Servicer):
    """Fails with each of the errors in turn, then answers."""

    def __init__(self, *failures: Exception) -> None:
        self.times: list[float] = []
        self._failures = list(failures)

        async def answer(_: Any) -> CallResult:
            self.times.append(monotonic())
            if self._failures:
                raise self._failures.pop(0)
            return CallResult(output_json="7")

        super().__init__(answer)

    @property
    def tries(self) -> int:
        return len(self.times)


@pytest.fixture
def arrivals(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The interceptor that each call arrives at, refused ones included."""
    seen: list[Any] = []
    original = CallInterceptor.intercept_service

    async def intercept(self: Any, continuation: Any, details: Any) -> Any:
        if details.method.startswith("/codeio."):
            seen.append(self)
        return await original(self, continuation, details)

    monkeypatch.setattr(CallInterceptor, "intercept_service", intercept)
    return seen


async def test_results_come_in_the_order_of_the_inputs() -> None:
    sandbox = FakeSandbox()
    async with executor(sandbox) as server, AsyncExecutorClient(server.address) as remote:
        inputs = [{"n": 1}, '{"n": 2}', {"n": "é"}]
        results = await remote.execute("code", inputs)
        streamed = [result async for result in remote.stream("code", inputs)]
    assert [json.loads(r.output_json)["n"] for r in results] == [1, 2, "é"]
    assert streamed == results


async def test_all_options_reach_the_sandbox() -> None:
    sandbox = FakeSandbox()
    async with executor(sandbox) as server, AsyncExecutorClient(server.address) as remote:
        options: dict[str, Any] = {"priority": "interactive", "replica": 1, "trace_steps": 5}
        await remote.execute("code", [{}], "f", **options)
        [_] = [result async for result in remote.stream("code", [{}], "f", **options)]
        await remote.execute("code", [{}])
    first, second, third = sandbox.requests
    assert first == second
    assert (first.code, first.entry_point, first.replica, first.trace_steps) == ("code", "f", 1, 5)
    assert first.priority == Priority.PRIORITY_INTERACTIVE
    assert (third.entry_point, third.priority) == ("main_solution", Priority.PRIORITY_BATCH)


async def test_threads_have_a_client_too() -> None:
    def work(address: str) -> None:
        with ExecutorClient(address) as remote:
            assert remote.describe().python_version == "3.11.7"
            [result] = remote.execute("code", [{"n": 1}], priority="interactive")
            assert result.output_json == '{"n": 1}'
            assert list(remote.stream("code", [{"n": 1}])) == [result]
            with pytest.raises(InvalidRequest, match="entry_point is empty"):
                remote.execute("code", [{}], "")
            with pytest.raises(InvalidRequest, match="entry_point is empty"):
                list(remote.stream("code", [{}], ""))

    async with executor(FakeSandbox()) as server:
        await asyncio.to_thread(work, server.address)


async def test_a_program_runs_in_a_real_sandbox(sandbox: Any) -> None:
    async with (
        executor(sandbox) as server,
        AsyncExecutorClient(server.address) as remote,
    ):
        bad = "def main_solution(a, b):\n    return a / b\n"
        [good], [zero] = await asyncio.gather(
            remote.execute(HONEST, [{"a": 1, "b": 2}]), remote.execute(bad, [{"a": 1, "b": 0}])
        )
    assert json.loads(good.output_json) == {"sum": 3}
    assert (zero.outcome, zero.error_type) == (Outcome.OUTCOME_RAISED, "ZeroDivisionError")


def both(*servers: GrpcServer) -> str:
    return "ipv4:" + ",".join(server.address for server in servers)


async def test_calls_are_spread_over_all_servers() -> None:
    left, right = FakeSandbox(), FakeSandbox()
    async with (
        executor(left) as first,
        executor(right) as second,
        AsyncExecutorClient(both(first, second)) as remote,
    ):
        # A connection that is not there yet gets no calls.
        async with asyncio.timeout(30):
            while not (left.requests and right.requests):
                await remote.execute("code", [{}])
        left.requests.clear()
        right.requests.clear()
        for _ in range(20):
            await remote.execute("code", [{}])
    assert len(left.requests) == len(right.requests) == 10


async def test_a_server_that_drains_gets_no_more_calls(arrivals: list[Any]) -> None:
    release, running, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_: Any) -> CallResult:
        running.set()
        await release.wait()
        return CallResult()

    async def serve(server: GrpcServer) -> None:
        async with server.accepting():
            await stop.wait()

    async with (
        listening(Servicer(slow)) as draining,
        serving(Counting()) as other,
        AsyncExecutorClient(both(draining, other)) as remote,
    ):
        served = asyncio.create_task(serve(draining))
        reached = asyncio.create_task(running.wait())
        held = []
        while not running.is_set():
            held.append(asyncio.create_task(remote.execute("code", [{}])))
            await asyncio.wait([held[-1], reached], return_when="FIRST_COMPLETED", timeout=30)
        stop.set()
        async with asyncio.timeout(30):
            # Until the client was told.
            calm = 0
            while calm < 10:
                arrivals.clear()
                await remote.describe()
                calm = calm + 1 if len(arrivals) == 1 else 0
        assert len(set(map(id, arrivals))) == 1
        release.set()
        await asyncio.gather(*held)
        await served


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_a_busy_server_is_asked_again_when_it_said(size: int) -> None:
    servicer = Counting(errors.Overloaded("full", retry_after=0.9))
    async with serving(servicer) as server, AsyncExecutorClient(server.address) as remote:
        [result] = await remote.execute("x" * size, [{}])
    assert result.output_json == "7"
    first, second = servicer.times
    # Without the server's word it would be 0.1 s.
    assert second - first >= 0.85


async def test_a_failing_sandbox_is_asked_again() -> None:
    servicer = Counting(errors.TransientError("dead"))
    async with serving(servicer) as server, AsyncExecutorClient(server.address) as remote:
        streamed = [result.output_json async for result in remote.stream("code", [{}])]
    assert streamed == ["7"]
    assert servicer.tries == 2


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (errors.Overloaded("full", retry_after=0.01), Overloaded),
        (errors.TransientError("dead", retry_after=0.01), Unavailable),
    ],
)
async def test_tries_are_bounded(failure: Exception, raised: type[ExecutorError]) -> None:
    servicer = Counting(*[failure] * 100)
    async with serving(servicer) as server, AsyncExecutorClient(server.address) as remote:
        with pytest.raises(raised, match=f"{server.address} .*{failure}"):
            await remote.execute("code", [{}])
    assert servicer.tries == 5


@pytest.mark.parametrize("failure", [errors.UsageError("wrong"), ValueError("a bug")])
async def test_what_would_fail_again_is_not_tried_again(failure: Exception) -> None:
    servicer = Counting(failure)
    async with serving(servicer) as server, AsyncExecutorClient(server.address) as remote:
        with pytest.raises(ExecutorError, match=r"wrong|logged as \w+"):
            await remote.execute("code", [{}])
    assert servicer.tries == 1


async def test_a_stream_that_broke_off_is_not_begun_again() -> None:
    tries = 0

    async def act(call: Any) -> CallResult:
        nonlocal tries
        tries += 1
        if tries > 1:
            raise errors.TransientError("dead")
        return await ok(call)

    async with (
        executor(FakeSandbox(act)) as server,
        AsyncExecutorClient(server.address) as remote,
    ):
        results = remote.stream("code", [{"n": 1}, {"n": 2}])
        assert (await anext(results)).output_json == '{"n": 1}'
        with pytest.raises(Unavailable, match="dead"):
            await anext(results)
    assert tries == 2


async def test_a_request_too_large_for_the_server_is_sent_once(arrivals: list[Any]) -> None:
    servicer = Counting()
    async with (
        serving(servicer, max_message_bytes=1000) as server,
        AsyncExecutorClient(server.address) as remote,
    ):
        with pytest.raises(InvalidRequest, match=r"the request has 1,0\d\d bytes, .* is 1,000;"):
            await remote.execute("x" * 1000, [{}])
    assert len(arrivals) == 1


async def test_a_request_too_large_is_not_sent(arrivals: list[Any]) -> None:
    async with (
        serving(Counting()) as server,
        AsyncExecutorClient(server.address, max_message_bytes=1000) as remote,
    ):
        with pytest.raises(InvalidRequest, match=r"the request has 1,0\d\d bytes, .* is 1,000;"):
            await remote.execute("x" * 1000, [{}])
        with pytest.raises(InvalidRequest, match=r"the request has 1,0\d\d bytes, .* is 1,000;"):
            remote.stream("x" * 1000, [{}])
    assert arrivals == []


async def test_an_answer_too_large_can_be_streamed() -> None:
    async def act(_: Any) -> CallResult:
        return CallResult(output_json="x" * 4_500_000)

    guest = GuestVersion("3.11.7", "abc")
    settings = load_settings()
    servicer = ExecutorServicer(FakeSandbox(act), guest=lambda: guest, slots=1, settings=settings)
    async with (
        serving(servicer, max_message_bytes=8_000_000) as server,
        AsyncExecutorClient(server.address) as remote,
    ):
        with pytest.raises(InvalidRequest, match=r"the answer has 9,\d+,\d+ bytes.*streamed"):
            await remote.execute("code", [{}, {}])
        sizes = [len(result.output_json) async for result in remote.stream("code", [{}, {}])]
        # More than gRPC lets a client receive by default.
        assert sizes == [4_500_000] * 2


async def test_a_deadline_ends_the_program_and_is_told() -> None:
    async def act(_: Any) -> CallResult:
        return await asyncio.Future()

    sandbox = FakeSandbox(act)
    async with executor(sandbox) as server, AsyncExecutorClient(server.address) as remote:
        with pytest.raises(DeadlineExceeded, match=r"did not answer within 0.2 s; .* timeout"):
            await remote.execute("code", [{}], timeout=0.2)
        await asyncio.wait_for(sandbox.idle.wait(), 30)


async def test_to_cancel_a_call_ends_the_program() -> None:
    begun = asyncio.Event()

    async def act(_: Any) -> CallResult:
        begun.set()
        return await asyncio.Future()

    sandbox = FakeSandbox(act)
    async with executor(sandbox) as server, AsyncExecutorClient(server.address) as remote:
        call = asyncio.create_task(remote.execute("code", [{}]))
        await begun.wait()
        call.cancel()
        await asyncio.wait_for(sandbox.idle.wait(), 30)
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_to_leave_a_stream_ends_the_program() -> None:
    begun, ended = asyncio.Event(), threading.Event()

    async def act(call: Any) -> CallResult:
        if call.input_json == '{"n": 1}':
            return await ok(call)
        begun.set()
        return await asyncio.Future()

    def work(address: str) -> None:
        with ExecutorClient(address) as remote:
            results = remote.stream("code", [{"n": 1}, {"n": 2}])
            next(results)
            results.close()
            # With the channel it would end anyhow.
            assert ended.wait(30)

    sandbox = FakeSandbox(act)
    async with executor(sandbox) as server:
        async with AsyncExecutorClient(server.address) as remote:
            results = remote.stream("code", [{"n": 1}, {"n": 2}])
            await anext(results)
            await asyncio.wait_for(begun.wait(), 30)
            await results.aclose()
            await asyncio.wait_for(sandbox.idle.wait(), 30)
        begun.clear()
        thread = asyncio.create_task(asyncio.to_thread(work, server.address))
        await asyncio.wait_for(begun.wait(), 30)
        await asyncio.wait_for(sandbox.idle.wait(), 30)
        ended.set()
        await thread


def test_nobody_there_is_told_with_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with (
        ExecutorClient(f"127.0.0.1:{port}") as remote,
        pytest.raises(Unavailable, match=rf"dns:///127.0.0.1:{port} is not available: .*refused"),
    ):
        remote.execute("code", [{}])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"inputs": {"n": 1}}, "give a list"),
        ({"inputs": '{"n": 1}'}, "give a list"),
        ({"inputs": [{"n": float("nan")}]}, "cannot be sent"),
        ({"inputs": [{"n": object()}]}, "cannot be sent"),
        ({"inputs": [7]}, "cannot be sent"),
        ({"code": "\ud800"}, "cannot be sent"),
        ({"code": 7}, "cannot be sent"),
        ({"priority": "urgent"}, "urgent.*choose batch or interactive"),
        ({"replica": 2**40}, "cannot be sent"),
    ],
)
def test_what_cannot_be_sent_is_told_at_once(change: dict[str, Any], sentence: str) -> None:
    with (
        ExecutorClient("127.0.0.1:1") as remote,
        pytest.raises(InvalidRequest, match=sentence),
    ):
        remote.execute(**{"code": "code", "inputs": [{}]} | change)


def test_an_unknown_option_is_not_swallowed() -> None:
    with ExecutorClient("127.0.0.1:1") as remote, pytest.raises(TypeError, match="urgency"):
        remote.execute("code", [{}], urgency="high")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("target", "dialled"),
    [
        ("executor.codeio:50051", "dns:///executor.codeio:50051"),
        ("127.0.0.1:50051", "dns:///127.0.0.1:50051"),
        ("ipv4:127.0.0.1:50051", "ipv4:127.0.0.1:50051"),
        ("dns:///executor:50051", "dns:///executor:50051"),
        ("unix:/run/executor.sock", "unix:/run/executor.sock"),
    ],
)
def test_a_name_may_stand_for_many_servers(target: str, dialled: str) -> None:
    with ExecutorClient(target) as remote:
        assert remote._target == dialled


ALONE = """
import sys

class OnlyWhatItMayNeed:
    def find_spec(self, name, path=None, target=None):
        root, _, rest = name.partition(".")
        allowed = root in sys.stdlib_module_names or name == "codeio" or name.startswith(
            ("grpc.", "google.protobuf", "google._upb", "codeio.client", "codeio.v1")
            + ("codeio.rewards",)
        )
        if not allowed and name not in ("grpc", "google", "typing_extensions"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, OnlyWhatItMayNeed())
from codeio.client import ExecutorClient, VerifierClient
import codeio.rewards.trl, codeio.rewards.verl, codeio.rewards.verifiers
with ExecutorClient("127.0.0.1:1"), VerifierClient("127.0.0.1:1"):
    print("fine")
"""


def test_it_needs_grpc_and_protobuf_and_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE], capture_output=True, text=True, check=False
    )
    assert done.stdout == "fine\n", done.stderr


async def test_results_may_be_large_when_that_is_asked_for(sandbox: StreamingSandbox) -> None:
    async with executor(sandbox) as server, AsyncExecutorClient(server.address) as client:
        code = "def main_solution(n):\n    return list(range(n))\n"
        [refused] = await client.execute(code, [{"n": 3000}])
        [whole] = await client.execute(code, [{"n": 3000}], unlimited_sizes=True)
        assert refused.outcome == Outcome.OUTCOME_TOO_LARGE
        assert json.loads(whole.output_json) == list(range(3000))
        with pytest.raises(InvalidRequest, match="choose batch or interactive"):
            await client.execute(code, [{"n": 1}], priority="high")  # type: ignore[typeddict-item]
