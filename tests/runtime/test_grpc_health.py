"""What probes are told while a server starts, serves, is in trouble, and stops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from codeio.runtime.errors import UsageError
from codeio.runtime.settings import load_settings
from codeio.v1.execution_pb2 import CallResult, ExecuteRequest
from codeio.v1.executor_service_pb2_grpc import ExecutorServiceStub
from tests.runtime.certificates import Files, server_certificate
from tests.servers import Servicer, listening, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from codeio.runtime.grpc_server import GrpcServer

SERVICE = "codeio.v1.ExecutorService"
OF_USE = ("readiness", SERVICE, "")
SERVING = HealthCheckResponse.SERVING
NOT_SERVING = HealthCheckResponse.NOT_SERVING


async def answer(_: Any) -> CallResult:
    return CallResult(output_json="7")


async def told(address: str) -> tuple[int, int]:
    """Liveness and readiness; the names that say the same as readiness must do so."""
    async with grpc.aio.insecure_channel(address) as channel:
        alive, *ready = [
            (await HealthStub(channel).Check(HealthCheckRequest(service=name))).status
            for name in ("liveness", *OF_USE)
        ]
    assert len(set(ready)) == 1
    return alive, ready[0]


async def test_a_server_is_alive_before_during_and_after_it_is_ready() -> None:
    begun, release, draining = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_: Any) -> CallResult:
        begun.set()
        await release.wait()
        return CallResult()

    async def serve(server: GrpcServer) -> None:
        async with server.accepting():
            await draining.wait()

    async with listening(Servicer(slow)) as server:
        assert await told(server.address) == (SERVING, NOT_SERVING)
        served = asyncio.create_task(serve(server))
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = ExecutorServiceStub(channel)
            running = asyncio.ensure_future(stub.Execute(ExecuteRequest(), wait_for_ready=True))
            await begun.wait()
            assert await told(server.address) == (SERVING, SERVING)
            states = watching(channel, "readiness")
            assert await anext(states) == SERVING
            draining.set()
            assert await anext(states) == NOT_SERVING
            assert await told(server.address) == (SERVING, NOT_SERVING)
            # A part that is well again makes no server ready that stops.
            await server.health.report("kafka", ready=True)
            assert await told(server.address) == (SERVING, NOT_SERVING)
            assert not served.done()
            release.set()
            await running
            await served


async def watching(channel: grpc.aio.Channel, name: str) -> AsyncIterator[int]:
    async for state in HealthStub(channel).Watch(HealthCheckRequest(service=name)):
        yield state.status


async def test_parts_that_are_not_ready_are_told() -> None:
    async with serving(Servicer(answer)) as server:
        await server.health.report("kafka", ready=False)
        assert await told(server.address) == (SERVING, NOT_SERVING)
        await server.health.report("pool", ready=False)
        await server.health.report("kafka")
        assert await told(server.address) == (SERVING, NOT_SERVING)
        await server.health.report("pool")
        assert await told(server.address) == (SERVING, SERVING)


async def test_what_a_part_said_before_the_server_accepts_holds() -> None:
    async with listening(Servicer(answer)) as server:
        await server.health.report("kafka", ready=False)
        async with server.accepting():
            assert await told(server.address) == (SERVING, NOT_SERVING)
            await server.health.report("kafka")
            assert await told(server.address) == (SERVING, SERVING)


async def test_who_watches_hears_of_it() -> None:
    async with (
        serving(Servicer(answer)) as server,
        grpc.aio.insecure_channel(server.address) as channel,
        asyncio.timeout(30),
    ):
        states = {name: watching(channel, name) for name in ("liveness", *OF_USE)}
        assert [await anext(state) for state in states.values()] == [SERVING] * 4
        await server.health.report("kafka", ready=False)
        assert [await anext(states[name]) for name in OF_USE] == [NOT_SERVING] * 3


async def test_an_unknown_name_is_not_found() -> None:
    async with (
        serving(Servicer(answer)) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        call = HealthStub(channel).Check(HealthCheckRequest(service="nothing"))
        assert await call.code() == grpc.StatusCode.NOT_FOUND


async def test_a_port_of_its_own_answers_probes_without_tls_and_nothing_else(
    tmp_path: Path,
) -> None:
    files = Files(tmp_path)
    files.hold(server_certificate("server"))
    async with listening(Servicer(answer), health_port=0, **files.settings()) as server:
        assert server.health_address != server.address
        assert await told(server.health_address) == (SERVING, NOT_SERVING)
        async with server.accepting():
            assert await told(server.health_address) == (SERVING, SERVING)
            async with grpc.aio.insecure_channel(server.health_address) as channel:
                call = ExecutorServiceStub(channel).Execute(ExecuteRequest())
                assert await call.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_there_is_no_such_port_unless_it_is_wanted() -> None:
    async with serving(Servicer(answer)) as server:
        assert server.health_address == ""


async def test_a_health_port_in_use_is_told_in_one_sentence() -> None:
    async with serving(Servicer(answer)) as server:
        port = int(server.address.rpartition(":")[2])
        with pytest.raises(UsageError, match=rf"{port}: Address already in use; .*health_port"):
            async with listening(Servicer(answer), health_port=port):
                pass


def test_the_ports_are_to_differ() -> None:
    with pytest.raises(UsageError, match="port, health_port and metrics_port are to differ"):
        load_settings(flags={"server": {"port": 50051, "health_port": 50051}})
