"""What every backend keeps to: gVisor on this machine, sandbox pods, and plain processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from codeio.executor.sandbox import frames, make_pool
from codeio.executor.sandbox.backends import RemoteBackend
from codeio.executor.sandbox.guest_environment import guest_environment
from codeio.runtime.errors import TransientError, UsageError
from codeio.runtime.settings import load_settings
from codeio.v1.execution_pb2 import Call, ExecuteRequest
from tests.executor.jobs import ONE_QUICK_CALL, answer, call, outcomes, pool_of, request, works
from tests.executor.pods import Pod, eventually, own_network, pod
from tests.executor.witness import Witness, end_abruptly

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.executor.sandbox.pool import Pool

LIMITS = {"cpu_seconds": 1.5, "load_cpu_seconds": 4.0, "wall_factor": 3.0}


@pytest.fixture(scope="module")
async def a_pod() -> AsyncIterator[Pod]:
    async with pod(workers=3) as running:
        yield running


@pytest.fixture(scope="module", params=["gvisor", "remote", "process"])
async def pool(request: pytest.FixtureRequest, a_pod: Pod) -> AsyncIterator[Pool]:
    sandbox = {"backend": request.param, "workers": 2}
    if request.param == "remote":
        sandbox["address"] = a_pod.address
    settings = load_settings(flags={"sandbox": sandbox, "limits": LIMITS})
    async with make_pool(settings, say=lambda _: None) as running:
        yield running


async def test_results_come_in_the_order_of_the_calls(pool: Pool) -> None:
    results = await call(
        pool, "def main_solution(n):\n    return n * n\n", *({"n": i} for i in range(30))
    )
    assert [json.loads(result.output_json) for result in results] == [i * i for i in range(30)]


async def test_arguments_are_fresh_and_replicas_differ(pool: Pool) -> None:
    code = "def main_solution(xs):\n    xs.append(1)\n    return [len(xs), hash('x')]\n"
    first, again = await call(pool, code, {"xs": []}, {"xs": []})
    [other] = await call(pool, code, {"xs": []}, replica=1)
    assert first.output_json == again.output_json != other.output_json
    assert first.mutated_arguments


async def test_each_ending_has_its_outcome(pool: Pool) -> None:
    code = (
        "import ctypes, os, time\n"
        "def main_solution(how):\n"
        "    if how == 'exit':\n        os._exit(3)\n"
        "    if how == 'crash':\n        ctypes.string_at(0)\n"
        "    if how == 'loop':\n        while True: pass\n"
        "    if how == 'sleep':\n        time.sleep(3600)\n"
        "    if how == 'flood':\n        os.write(1, b'x' * (2 << 20))\n        time.sleep(3600)\n"
        "    if how == 'eat':\n        x = bytearray(4 << 30)\n"
        "    return how\n"
    )
    hows = ("fine", "exit", "crash", "loop", "sleep", "flood", "eat")
    told = [outcomes(await call(pool, code, {"how": how}))[0] for how in hows]
    assert told == [
        "OK",
        "EXITED",
        "CRASHED",
        "CPU_TIMEOUT",
        "WALL_TIMEOUT",
        "OUTPUT_FLOOD",
        "MEMORY",
    ]
    assert await works(pool)


async def test_a_call_that_ends_the_process_costs_no_other_call_its_result(pool: Pool) -> None:
    code = "import os\ndef main_solution(n):\n    n == 1 and os._exit(3)\n    return n\n"
    results = await call(pool, code, *({"n": n} for n in range(4)))
    assert outcomes(results) == ["OK", "EXITED", "OK", "OK"]
    assert [result.output_json for result in results] == ["0", "", "2", "3"]


async def test_traces_seeds_and_standard_input(pool: Pool) -> None:
    [traced] = await call(
        pool, "def main_solution(n):\n    m = n + 1\n    return m\n", {"n": 1}, trace_steps=9
    )
    assert "steps" in json.loads(traced.trace_json)
    drawing = "def generate_inputs(rng):\n    return {'n': rng.randint(0, 10**9)}\n"
    seeds = [Call(seed=seed) for seed in (1, 2, 1)]
    drawn = await pool.execute(
        ExecuteRequest(code=drawing, entry_point="generate_inputs", calls=seeds)
    )
    one, two, again = (result.output_json for result in drawn.results)
    assert one == again != two
    reading = "def main_solution():\n    print(input()[::-1])\n"
    read = await pool.execute(
        ExecuteRequest(code=reading, entry_point="main_solution", calls=[Call(stdin="abc\n")])
    )
    assert read.results[0].stdout == "cba\n"


async def test_results_are_there_while_the_next_call_runs(pool: Pool) -> None:
    async with contextlib.aclosing(pool.stream(request(ONE_QUICK_CALL, {"a": 0}, {"a": 1}))) as job:
        assert json.loads((await anext(job)).output_json) == "quick"
    # What was left has been killed: the slots are free at once.
    async with asyncio.timeout(10):
        assert all(await asyncio.gather(*(works(pool) for _ in range(4))))


async def test_a_cancelled_job_leaves_its_guest_as_it_was(pool: Pool) -> None:
    guests = [slot.starting for slot in pool._slots.all]
    for _ in range(4):
        job = asyncio.create_task(call(pool, ONE_QUICK_CALL, {"a": 1}))
        await asyncio.sleep(0)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        # The next job is not done for the one before, which had perhaps not been read yet.
        assert await works(pool)
    kept = [slot.starting for slot in pool._slots.all]
    assert [guest for guest in guests if guest is not None and guest not in kept] == []


async def test_the_version_is_told(pool: Pool) -> None:
    environment = guest_environment(load_settings().sandbox.home)
    assert pool.version.python_version == environment.python_version
    assert pool.version.lock_hash == environment.lock_hash


async def test_a_guest_that_dies_costs_one_try_and_a_program_two(pool: Pool) -> None:
    witness = Witness(pool._backend)
    async with pool_of(witness, pool._limits) as own:
        running = asyncio.create_task(
            # It sleeps, as work would run into the limit of processor time on a busy machine.
            call(own, "import time\ndef main_solution():\n    time.sleep(0.5)\n    return 7\n", {})
        )
        await asyncio.sleep(0)
        end_abruptly(witness.guests[0])
        [result] = await running
        assert result.output_json == "7"
        assert len(witness.guests) == 2

        witness.dooms = True
        end_abruptly(witness.guests[1])
        [result] = await call(own, "def main_solution():\n    return 1\n", {})
        assert outcomes([result]) == ["CRASHED"]
        assert result.error_message == "its sandbox died of it, twice"
        witness.dooms = False
        assert await works(own)


async def test_what_a_program_sees_in_a_pod(a_pod: Pod) -> None:
    """Neither the pod's network, though the pod has one, nor its processes."""
    settings = load_settings(
        flags={"sandbox": {"backend": "remote", "address": a_pod.address, "workers": 1}}
    )
    port = int(a_pod.address.rpartition(":")[2])
    code = (
        "import os, socket\n"
        "def main_solution(port):\n"
        "    try:\n"
        "        socket.create_connection(('127.0.0.1', port), timeout=2).close()\n"
        "        reached = True\n"
        "    except OSError:\n"
        "        reached = False\n"
        "    pids = [name for name in os.listdir('/proc') if name.isdigit()]\n"
        "    return [reached, pids, os.listdir('/tmp'), sorted(os.environ)]\n"
    )
    async with make_pool(settings, say=lambda _: None) as own:
        reached, pids, files, names = await answer(own, code, port=port)
    assert (reached, pids, files) == (False, ["1"], [])
    assert not [name for name in names if name.startswith("CODEIO")]


async def test_a_pod_without_room_says_so_and_gives_back_what_is_left() -> None:
    async with pod(workers=1) as own:
        backend = RemoteBackend(own.address, load_settings().limits)
        guest = await backend.start()
        assert guest.in_gvisor
        with pytest.raises(TransientError, match="has a free slot"):
            await backend.start()
        end_abruptly(guest)
        again = await backend.start()
        await again.stop()

        async def alone() -> bool:
            return len(await own.processes()) == 1

        await eventually(alone)


async def test_a_pod_tells_how_many_of_its_guests_are_taken() -> None:
    async with pod(workers=2) as own:
        assert await own.asked("/readyz") == await own.asked("/livez") == "ok\n"
        guest = await RemoteBackend(own.address, load_settings().limits).start()
        told = (await own.asked("/metrics")).splitlines()
        assert {"codeio_sandbox_slots 2.0", "codeio_sandbox_slots_busy 1.0"} <= set(told)
        await guest.stop()


async def test_a_pod_that_is_to_go_lets_its_jobs_end() -> None:
    async with pod(workers=2) as own:
        backend = RemoteBackend(own.address, load_settings().limits)
        async with pool_of(backend, workers=1) as pool:
            code = "def main_solution(n):\n    return sum(i * i for i in range(n))\n"
            job = pool.stream(request(code, {"n": 10}, {"n": 3_000_000}))
            await anext(job)
            await own.terminate()
            result = await anext(job)
            assert outcomes([result]) == ["OK"]
            await job.aclose()
        assert await own.ends() == 0


async def test_a_pod_behind_a_network_of_its_own() -> None:
    with own_network() as network:
        async with pod(workers=1, network=network) as own:
            backend = RemoteBackend(own.address, load_settings().limits)
            async with pool_of(backend, workers=1) as pool:
                assert await works(pool)


async def test_a_guest_that_is_not_in_gvisor_is_refused() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = {"python_version": "3", "lock_hash": "0", "gvisor": False}
        writer.write(frames.encode(frames.READY, 0, json.dumps(told).encode()))
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UsageError, match="not inside gVisor"):
            await RemoteBackend(f"127.0.0.1:{port}", load_settings().limits).start()


async def test_no_sandbox_at_the_address() -> None:
    for address in ("127.0.0.1:1", "nowhere.invalid:50052", "no port"):
        with pytest.raises(TransientError, match="no sandbox"):
            await RemoteBackend(address, load_settings().limits).start()
