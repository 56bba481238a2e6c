"""The executor behind gRPC: what it refuses, who gets a place, and what ends with a call."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from codeio.executor.sandbox import make_pool
from codeio.executor.sandbox.guests import GuestVersion
from codeio.executor.service import ExecutorServicer
from codeio.runtime.settings import Settings, load_settings
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, Outcome, Priority
from codeio.v1.executor_service_pb2 import DescribeEnvironmentRequest, ExecuteStreamRequest
from codeio.v1.executor_service_pb2_grpc import ExecutorServiceStub
from tests.executor.programs import HONEST
from tests.servers import FakeSandbox, ok, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.runtime.stage import StreamingSandbox

BATCH, INTERACTIVE = Priority.PRIORITY_BATCH, Priority.PRIORITY_INTERACTIVE
GUEST = GuestVersion("3.11.7", "abc")
ENDLESS = "def main_solution(n):\n    while True:\n        pass\n"


@asynccontextmanager
async def executor(
    sandbox: StreamingSandbox, *, slots: int = 1, settings: Settings | None = None
) -> AsyncIterator[Any]:
    """A stub of an executor that is served, without retries."""
    servicer = ExecutorServicer(
        sandbox, guest=lambda: GUEST, slots=slots, settings=settings or load_settings()
    )
    options = [("grpc.enable_retries", 0)]
    async with (
        serving(servicer) as server,
        grpc.aio.insecure_channel(server.address, options=options) as channel,
    ):
        yield ExecutorServiceStub(channel)


def request(*calls: Call, code: str = HONEST, **fields: Any) -> ExecuteRequest:
    given = calls or (Call(input_json='{"a": 1, "b": 2}'),)
    return ExecuteRequest(**{"code": code, "entry_point": "main_solution", "calls": given} | fields)


async def failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


WRONG = {
    "entry_point is empty": request(entry_point=""),
    "the request has no calls": request(calls=[]),
    "the request has 4 calls, and the limit is 3": request(*[Call(seed=1)] * 4),
    "input_json of call 1 is no JSON object": request(Call(seed=1), Call(input_json="[1]")),
    "input_json of call 0 is not JSON": request(Call(input_json="{")),
    "input_json of call 0 is not JSON: nested": request(Call(input_json="[" * 10**5)),
    "trace_steps is -1": request(trace_steps=-1),
    "there is no replica 2": request(replica=2),
    "there is no priority 9": request(priority=9),
}


@pytest.mark.parametrize("sentence", WRONG)
async def test_a_wrong_request_is_told_so_before_it_costs_anything(sentence: str) -> None:
    sandbox = FakeSandbox()
    settings = load_settings(flags={"executor": {"max_calls": 3}})
    async with executor(sandbox, settings=settings) as stub:
        whole = await failure(stub.Execute(WRONG[sentence]))
        streamed = stub.ExecuteStream(ExecuteStreamRequest(request=WRONG[sentence]))
        one_by_one = await failure(anext(aiter(streamed)))
    for failed in (whole, one_by_one):
        assert failed.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert (failed.details() or "").startswith(sentence)
    assert sandbox.requests == []


async def test_a_request_reaches_the_sandbox_as_it_is() -> None:
    sandbox = FakeSandbox()
    calls = (Call(input_json="{}"), Call(seed=3), Call(stdin="x"), Call())
    asked = request(*calls, replica=1, trace_steps=9, unlimited_sizes=True, priority=INTERACTIVE)
    async with executor(sandbox) as stub:
        response = await stub.Execute(asked)
    assert sandbox.requests == [asked]
    assert [result.output_json for result in response.results] == ["{}", "", "", ""]


async def test_the_environment_is_described() -> None:
    settings = load_settings(flags={"executor": {"max_calls": 3}, "limits": {"cpu_seconds": 2.5}})
    async with executor(FakeSandbox(), slots=7, settings=settings) as stub:
        told = await stub.DescribeEnvironment(DescribeEnvironmentRequest())
    assert (told.python_version, told.lock_hash) == (GUEST.python_version, GUEST.lock_hash)
    assert (told.slots, told.max_calls, told.cpu_seconds) == (7, 3, 2.5)
    assert told.max_message_bytes == settings.server.max_message_bytes
    assert told.memory_bytes == settings.limits.memory_bytes


async def test_a_result_is_there_while_the_next_call_still_runs() -> None:
    release = asyncio.Event()

    async def act(call: Call) -> CallResult:
        if call.seed == 1:
            await release.wait()
        return CallResult(error_line=call.seed)

    async with executor(FakeSandbox(act)) as stub:
        asked = ExecuteStreamRequest(request=request(Call(seed=0), Call(seed=1), Call(seed=2)))
        answers = aiter(stub.ExecuteStream(asked))
        first = await anext(answers)
        release.set()
        rest = [answer async for answer in answers]
    assert [(a.index, a.result.error_line) for a in (first, *rest)] == [(0, 0), (1, 1), (2, 2)]


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_line_is_bounded_for_each_priority_and_moves_on(streaming: bool) -> None:
    release, running = asyncio.Event(), asyncio.Semaphore(0)

    async def act(call: Call) -> CallResult:
        running.release()
        await release.wait()
        return await ok(call)

    async def ask(stub: Any, priority: Priority) -> None:
        if streaming:
            asked = ExecuteStreamRequest(request=request(priority=priority))
            async for _ in stub.ExecuteStream(asked):
                pass
        else:
            await stub.Execute(request(priority=priority))

    flags = {"executor": {"waiting_batch": 1, "waiting_interactive": 0}}
    settings = load_settings(flags=flags)
    async with executor(FakeSandbox(act), slots=2, settings=settings) as stub:
        held = []
        for priority in (BATCH, Priority.PRIORITY_UNSPECIFIED, BATCH, INTERACTIVE, INTERACTIVE):
            held.append(asyncio.create_task(ask(stub, priority)))
            await asyncio.wait_for(running.acquire(), 30)
        for priority, name in ((BATCH, "batch"), (INTERACTIVE, "interactive")):
            failed = await failure(ask(stub, priority))
            assert failed.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert f"the line of {name} jobs is full" in (failed.details() or "")
            pushback = dict(failed.trailing_metadata() or ())["grpc-retry-pushback-ms"]
            assert int(pushback) > 0
        release.set()
        await asyncio.gather(*held)
        await ask(stub, BATCH)
        await ask(stub, INTERACTIVE)


@pytest.mark.parametrize("by", ["cancel", "deadline"])
@pytest.mark.parametrize("streaming", [False, True])
async def test_a_client_that_leaves_gives_its_place_and_sandbox_back(
    by: str, streaming: bool
) -> None:
    begun = asyncio.Event()

    async def act(call: Call) -> CallResult:
        if call.input_json == "{}":
            begun.set()
            await asyncio.Future()
        return await ok(call)

    sandbox = FakeSandbox(act)
    settings = load_settings(flags={"executor": {"waiting_batch": 0}})
    async with executor(sandbox, settings=settings) as stub:
        asked = request(Call(seed=1), Call(input_json="{}"))
        timeout = 0.2 if by == "deadline" else None
        call = (
            stub.ExecuteStream(ExecuteStreamRequest(request=asked), timeout=timeout)
            if streaming
            else stub.Execute(asked, timeout=timeout)
        )
        await begun.wait()
        if by == "cancel":
            call.cancel()
        await asyncio.wait_for(sandbox.idle.wait(), 30)
        assert (await stub.Execute(request())).results[0].outcome == Outcome.OUTCOME_OK


@pytest.mark.parametrize("streaming", [False, True])
async def test_an_endless_loop_dies_with_its_deadline_in_a_real_sandbox(streaming: bool) -> None:
    # Left alone, the loop would hold the only sandbox for ten minutes.
    flags = {"sandbox": {"workers": 1}, "limits": {"cpu_seconds": 600}}
    settings = load_settings(flags=flags)
    pool = make_pool(settings, say=lambda _: None)
    async with pool, executor(pool, settings=settings) as stub:
        await stub.Execute(request())
        loop = request(Call(input_json='{"n": 1}'), code=ENDLESS)
        if streaming:
            call = stub.ExecuteStream(ExecuteStreamRequest(request=loop), timeout=1)
            failed = await failure(anext(aiter(call)))
        else:
            failed = await failure(stub.Execute(loop, timeout=1))
        assert failed.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        response = await stub.Execute(request(), timeout=60)
    assert json.loads(response.results[0].output_json) == {"sum": 3}
