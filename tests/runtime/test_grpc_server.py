"""The server: statuses, sizes, health, draining, and what ends with a call."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import grpc
import pytest
import structlog
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub
from grpc_status import rpc_status

from codeio.pipeline.services.verifier import service as verifier_service
from codeio.runtime.errors import Overloaded, Rejected, TransientError, UsageError
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest
from codeio.v1.executor_service_pb2 import DescribeEnvironmentRequest, ExecuteStreamRequest
from codeio.v1.executor_service_pb2_grpc import ExecutorServiceStub
from codeio.v1.verifier_service_pb2 import (
    VerifyRequest,
    VerifyStreamRequest,
    VerifyStreamResponse,
)
from codeio.v1.verifier_service_pb2_grpc import VerifierServiceServicer, VerifierServiceStub
from tests.servers import Servicer, listening, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from codeio.runtime.grpc_server import GrpcServer

SERVICE = "codeio.v1.ExecutorService"
SERVING = HealthCheckResponse.SERVING
NOT_SERVING = HealthCheckResponse.NOT_SERVING
# Retries are the client's; here the answer of the server itself is looked at.
PLAIN = [("grpc.enable_retries", 0), ("grpc.max_receive_message_length", -1)]


@asynccontextmanager
async def calling(server: GrpcServer) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(server.address, options=PLAIN) as channel:
        yield channel


def raising(error: BaseException) -> Callable[[Any], Awaitable[CallResult]]:
    async def answer(_: Any) -> CallResult:
        raise error

    return answer


async def failure(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, 30)
    return caught.value


async def failure_of(error: BaseException) -> grpc.aio.AioRpcError:
    async with serving(Servicer(raising(error))) as server, calling(server) as channel:
        return await failure(ExecutorServiceStub(channel).Execute(ExecuteRequest(), timeout=30))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no such thing"), grpc.StatusCode.INVALID_ARGUMENT),
        (Rejected("impure:file", "no such thing"), grpc.StatusCode.FAILED_PRECONDITION),
        (TransientError("no such thing"), grpc.StatusCode.UNAVAILABLE),
        (Overloaded("no such thing"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (
            ExceptionGroup("both", [TransientError("dead"), UsageError("no such thing")]),
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
    ],
)
async def test_an_error_has_its_status_and_its_sentence(
    error: Exception, code: grpc.StatusCode
) -> None:
    failed = await failure_of(error)
    assert failed.code() == code
    assert "no such thing" in (failed.details() or "")


async def test_a_refusal_has_its_reason_for_machines() -> None:
    failed = await failure_of(Rejected("missing_package:torch", "No module named 'torch'"))
    status = rpc_status.from_call(cast("grpc.Call", failed))
    assert status
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == ("missing_package:torch", "codeio")


@pytest.mark.parametrize("kind", [Overloaded, TransientError])
async def test_when_to_come_again_is_told_to_machines(kind: type[TransientError]) -> None:
    failed = await failure_of(kind("busy", retry_after=1.2345))
    status = rpc_status.from_call(cast("grpc.Call", failed))
    assert status
    info = RetryInfo()
    assert status.details[0].Unpack(info)
    assert info.retry_delay.ToMilliseconds() == 1234
    assert dict(failed.trailing_metadata() or ())["grpc-retry-pushback-ms"] == "1235"


async def test_a_bug_is_logged_under_an_id_and_told_by_nothing_but_it() -> None:
    with structlog.testing.capture_logs() as lines:
        failed = await failure_of(KeyError("a secret"))
    assert failed.code() == grpc.StatusCode.INTERNAL
    (line,) = lines
    assert line["error_id"] in (failed.details() or "")
    assert isinstance(line["exc_info"], KeyError)
    assert "secret" not in repr(failed)


@pytest.mark.parametrize("text", ["ab\ud800c\n\0", "€" * 100_000, "x" * 100_000])
async def test_any_message_of_an_error_reaches_the_caller(text: str) -> None:
    failed = await failure_of(Rejected(text, text))
    assert failed.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert (failed.details() or "")[:2] == text[:2]


async def test_a_call_whose_work_was_cancelled_under_it_is_answered() -> None:
    failed = await failure_of(asyncio.CancelledError())
    assert failed.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_status_that_a_handler_chose_itself_stays() -> None:
    class Aborting(Servicer):
        async def Execute(self, request: Any, context: Any) -> Any:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, "twice")

    with structlog.testing.capture_logs() as lines:
        async with serving(Aborting(raising(ValueError()))) as server, calling(server) as channel:
            failed = await failure(ExecutorServiceStub(channel).Execute(ExecuteRequest()))
    assert (failed.code(), failed.details()) == (grpc.StatusCode.ALREADY_EXISTS, "twice")
    assert lines == []


async def test_a_request_that_is_too_large_is_told_so_and_is_no_reason_to_retry() -> None:
    async with (
        serving(Servicer(raising(ValueError())), max_message_bytes=1000) as server,
        calling(server) as channel,
    ):
        request = ExecuteRequest(code="x" * 1000)
        failed = await failure(ExecutorServiceStub(channel).Execute(request))
    assert failed.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert failed.details() == (
        "the request has 1,003 bytes, and the limit is 1,000; ask for less at a time"
    )


async def test_an_answer_that_is_too_large_is_told_so() -> None:
    async def answer(_: Any) -> CallResult:
        return CallResult(output_json="x" * 1000)

    async with (
        serving(Servicer(answer), max_message_bytes=1000) as server,
        calling(server) as channel,
    ):
        stub = ExecutorServiceStub(channel)
        whole = await failure(stub.Execute(ExecuteRequest()))
        request = ExecuteStreamRequest(request=ExecuteRequest(calls=[Call()]))
        streamed = await failure(anext(aiter(stub.ExecuteStream(request))))
    assert whole.code() == streamed.code() == grpc.StatusCode.OUT_OF_RANGE
    assert "the answer has 1,006 bytes, and the limit is 1,000" in (whole.details() or "")
    assert "stream" in (whole.details() or "")
    assert "stream" not in (streamed.details() or "")


async def test_what_is_not_the_message_is_refused() -> None:
    async with serving(Servicer(raising(ValueError()))) as server, calling(server) as channel:
        call = channel.unary_unary(f"/{SERVICE}/Execute")
        failed = await failure(call(b"\xff\xff\xff"))
    assert failed.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_an_unknown_method_is_unimplemented() -> None:
    async with serving(Servicer(raising(ValueError()))) as server, calling(server) as channel:
        failed = await failure(channel.unary_unary(f"/{SERVICE}/Nothing")(b""))
    assert failed.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("name", ["", SERVICE])
async def test_it_serves_once_it_is_ready(name: str) -> None:
    async with (
        listening(Servicer(raising(ValueError()))) as server,
        calling(server) as channel,
    ):
        probe = HealthCheckRequest(service=name)
        health, stub = HealthStub(channel), ExecutorServiceStub(channel)
        assert (await health.Check(probe)).status == NOT_SERVING
        failed = await failure(stub.DescribeEnvironment(DescribeEnvironmentRequest()))
        assert failed.code() == grpc.StatusCode.UNAVAILABLE
        async with server.accepting():
            assert (await health.Check(probe)).status == SERVING
            assert (await stub.DescribeEnvironment(DescribeEnvironmentRequest())).lock_hash


async def test_draining_says_so_refuses_what_is_new_and_finishes_what_runs() -> None:
    begun, release, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def answer(_: Any) -> CallResult:
        begun.set()
        await release.wait()
        return CallResult(output_json="7")

    async def serve(server: GrpcServer) -> None:
        async with server.accepting():
            await stop.wait()

    async with listening(Servicer(answer)) as server, calling(server) as channel:
        health, stub = HealthStub(channel), ExecutorServiceStub(channel)
        served = asyncio.create_task(serve(server))
        watch = health.Watch(HealthCheckRequest(service=SERVICE), wait_for_ready=True)
        states = aiter(watch)
        while (await anext(states)).status != SERVING:
            pass
        running = asyncio.ensure_future(stub.Execute(ExecuteRequest()))
        await begun.wait()
        stop.set()
        assert (await anext(states)).status == NOT_SERVING
        refused = await failure(stub.Execute(ExecuteRequest()))
        assert refused.code() == grpc.StatusCode.UNAVAILABLE
        assert not served.done()
        release.set()
        assert (await running).results[0].output_json == "7"
        await served
        watch.cancel()


async def test_what_outlasts_the_draining_is_ended_with_an_answer() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def answer(_: Any) -> CallResult:
        begun.set()
        try:
            return await asyncio.Future()
        finally:
            ended.set()

    async with (
        listening(Servicer(answer), drain_seconds=0.05) as server,
        calling(server) as channel,
    ):
        async with server.accepting():
            running = asyncio.ensure_future(ExecutorServiceStub(channel).Execute(ExecuteRequest()))
            await begun.wait()
        assert ended.is_set()
        failed = await failure(running)
        assert failed.code() == grpc.StatusCode.UNAVAILABLE
        assert failed.details() == "the server is stopping"


async def test_a_draining_that_is_cut_off_ends_what_runs_at_once() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def answer(_: Any) -> CallResult:
        begun.set()
        try:
            return await asyncio.Future()
        finally:
            ended.set()

    async with listening(Servicer(answer), drain_seconds=1e6) as server, calling(server) as channel:
        draining = asyncio.Event()

        async def serve() -> None:
            async with server.accepting():
                await begun.wait()
                draining.set()

        served = asyncio.create_task(serve())
        stub = ExecutorServiceStub(channel)
        running = asyncio.ensure_future(stub.Execute(ExecuteRequest(), wait_for_ready=True))
        await draining.wait()
        served.cancel()
        with pytest.raises(asyncio.CancelledError):
            await served
        assert ended.is_set()
        assert (await failure(running)).code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("by", ["cancel", "deadline"])
@pytest.mark.parametrize("streaming", [False, True])
async def test_a_client_that_leaves_ends_the_handler(by: str, streaming: bool) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def answer(_: Any) -> CallResult:
        begun.set()
        try:
            return await asyncio.Future()
        finally:
            ended.set()

    async with serving(Servicer(answer)) as server, calling(server) as channel:
        stub = ExecutorServiceStub(channel)
        timeout = 0.2 if by == "deadline" else None
        request = ExecuteRequest(calls=[Call()])
        call: Any
        if streaming:
            call = stub.ExecuteStream(ExecuteStreamRequest(request=request), timeout=timeout)
        else:
            call = stub.Execute(request, timeout=timeout)
        await begun.wait()
        if by == "cancel":
            call.cancel()
        await asyncio.wait_for(ended.wait(), 30)


async def test_a_client_that_leaves_amid_a_flood_of_answers_ends_the_stream() -> None:
    """The handler is then at its yield, not at an await of its own."""
    closed = asyncio.Event()

    class Flood(Servicer):
        async def ExecuteStream(self, request: Any, context: Any) -> AsyncIterator[Any]:
            try:
                while True:
                    async for answer in super().ExecuteStream(request, context):
                        yield answer
            finally:
                closed.set()

    async def answer(_: Any) -> CallResult:
        return CallResult(output_json="x" * 100_000)

    with structlog.testing.capture_logs() as lines:
        async with serving(Flood(answer)) as server, calling(server) as channel:
            request = ExecuteStreamRequest(request=ExecuteRequest(calls=[Call()]))
            call = ExecutorServiceStub(channel).ExecuteStream(request)
            await anext(aiter(call))
            call.cancel()
            await asyncio.wait_for(closed.wait(), 30)
    assert lines == []


SILENT_CLIENT = """
import sys, grpc
from codeio.v1.execution_pb2 import Call, ExecuteRequest
from codeio.v1.executor_service_pb2 import ExecuteStreamRequest
from codeio.v1.executor_service_pb2_grpc import ExecutorServiceStub

stub = ExecutorServiceStub(grpc.insecure_channel(sys.argv[1]))
answers = stub.ExecuteStream(ExecuteStreamRequest(request=ExecuteRequest(calls=[Call()])))
next(answers)
print("reads no more", flush=True)
sys.stdin.read()
"""


async def test_a_client_that_dies_while_an_answer_waits_for_it_is_no_error() -> None:
    waiting, closed = asyncio.Event(), asyncio.Event()

    class Flood(Servicer):
        async def ExecuteStream(self, request: Any, context: Any) -> AsyncIterator[Any]:
            loop = asyncio.get_running_loop()
            try:
                while True:
                    stuck = loop.call_later(0.5, waiting.set)
                    async for answer in super().ExecuteStream(request, context):
                        yield answer
                    stuck.cancel()
            finally:
                closed.set()

    async def answer(_: Any) -> CallResult:
        return CallResult(output_json="x" * 1_000_000)

    with structlog.testing.capture_logs() as lines:
        async with serving(Flood(answer)) as server:
            client = await asyncio.create_subprocess_exec(
                sys.executable, "-c", SILENT_CLIENT, server.address,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            await asyncio.wait_for(waiting.wait(), 30)
            client.kill()
            await client.wait()
            await asyncio.wait_for(closed.wait(), 30)
    assert lines == []


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_call_that_takes_too_long_is_ended_with_a_sentence(streaming: bool) -> None:
    ended = asyncio.Event()

    async def answer(_: Any) -> CallResult:
        try:
            return await asyncio.Future()
        finally:
            ended.set()

    async with (
        serving(Servicer(answer), longest_call_seconds=0.2) as server,
        calling(server) as channel,
    ):
        stub, request = ExecutorServiceStub(channel), ExecuteRequest(calls=[Call()])
        if streaming:
            stream = stub.ExecuteStream(ExecuteStreamRequest(request=request))
            failed = await failure(anext(aiter(stream)))
        else:
            failed = await failure(stub.Execute(request))
    assert ended.is_set()
    assert failed.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert failed.details() == (
        "the call took longer than the 0.2 s that this server gives; ask for less at a time"
    )


async def test_a_stream_of_requests_lasts_as_long_as_its_client_likes() -> None:
    class Both(VerifierServiceServicer):
        async def Verify(self, request: Any, context: Any) -> Any:
            return await asyncio.Future()

        async def VerifyStream(self, requests: Any, context: Any) -> AsyncIterator[Any]:
            async for _ in requests:
                yield VerifyStreamResponse()

    async with (
        serving(Both(), service=verifier_service, longest_call_seconds=0.1) as server,
        calling(server) as channel,
        asyncio.timeout(30),
    ):
        stub = VerifierServiceStub(channel)
        stream = stub.VerifyStream()
        await stream.write(VerifyStreamRequest())
        assert await stream.read() == VerifyStreamResponse()
        # One that began later is over time.
        failed = await failure(stub.Verify(VerifyRequest()))
        assert failed.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        await stream.write(VerifyStreamRequest())
        assert await stream.read() == VerifyStreamResponse()
        await stream.done_writing()
        assert await stream.code() == grpc.StatusCode.OK


async def test_a_time_out_of_the_handler_is_not_taken_for_the_servers() -> None:
    assert (await failure_of(TimeoutError())).code() == grpc.StatusCode.INTERNAL


async def test_a_connection_is_renewed_and_what_runs_on_the_old_one_ends_in_peace() -> None:
    release, peers = asyncio.Event(), []

    class Peers(Servicer):
        async def Execute(self, request: Any, context: Any) -> Any:
            peers.append(context.peer())
            return await super().Execute(request, context)

    async def answer(request: Any) -> CallResult:
        if request.code == "slow":
            await release.wait()
        return CallResult()

    async with (
        serving(Peers(answer), connection_age_seconds=0.2) as server,
        calling(server) as channel,
    ):
        stub = ExecutorServiceStub(channel)
        slow = asyncio.ensure_future(stub.Execute(ExecuteRequest(code="slow")))
        async with asyncio.timeout(30):
            while len(set(peers)) < 2:
                # A call that meets the very moment of renewal may have to be made again.
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await stub.Execute(ExecuteRequest(), wait_for_ready=True)
        release.set()
        assert len((await slow).results) == 1


async def test_the_services_can_be_discovered() -> None:
    async with serving(Servicer(raising(ValueError()))) as server, calling(server) as channel:
        stub = ServerReflectionStub(channel)
        asked = iter([ServerReflectionRequest(list_services="")])
        answer = await anext(aiter(stub.ServerReflectionInfo(asked)))
        names = {service.name for service in answer.list_services_response.service}
    assert names == {
        SERVICE,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_a_port_in_use_is_told_in_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    async with serving(Servicer(raising(ValueError()))) as server:
        port = int(server.address.rpartition(":")[2])
        with pytest.raises(UsageError, match=rf"127.0.0.1:{port}: Address already in use; .*port"):
            async with listening(Servicer(raising(ValueError())), port=port):
                pass
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("192.0.2.1", "Cannot assign requested address"),
        ("no.such.host.invalid", "there is no host no.such.host.invalid"),
    ],
)
async def test_an_address_of_another_machine_is_told_in_one_sentence(host: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"cannot listen at {host}:0: {why}; choose another"):
        async with listening(Servicer(raising(ValueError())), host=host):
            pass


async def test_ipv6_addresses_are_served() -> None:
    async with serving(Servicer(raising(ValueError())), host="::1") as server:
        assert server.address.startswith("[::1]:")
        async with calling(server) as channel:
            probe = HealthCheckRequest()
            assert (await HealthStub(channel).Check(probe)).status == SERVING
