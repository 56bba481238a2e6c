"""The pool with real gVisor: what a program is told, and what is said of those that misbehave."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from codeio.executor.sandbox import make_pool
from codeio.executor.sandbox.backends import GUEST
from codeio.executor.sandbox.job import interpreter_for
from codeio.runtime.settings import load_settings
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, Outcome
from tests.executor.programs import ENDLESS, HONEST

if TYPE_CHECKING:
    from codeio.executor.sandbox.pool import Pool
    from codeio.runtime.stage import Sandbox


async def call(sandbox: Sandbox, code: str, *inputs: Any, **options: Any) -> list[CallResult]:
    request = ExecuteRequest(
        code=code,
        entry_point="main_solution",
        calls=[Call(input_json=json.dumps(given)) for given in inputs],
        **options,
    )
    return list((await sandbox.execute(request)).results)


async def answer(sandbox: Sandbox, code: str, **arguments: Any) -> Any:
    [result] = await call(sandbox, code, arguments, unlimited_sizes=True)
    assert result.outcome == Outcome.OUTCOME_OK, result
    return json.loads(result.output_json)


async def test_results_come_in_the_order_of_the_calls(sandbox: Pool) -> None:
    results = await call(sandbox, HONEST, *({"a": i, "b": i} for i in range(20)))
    assert [json.loads(r.output_json) for r in results] == [{"sum": 2 * i} for i in range(20)]


async def test_a_call_that_ends_the_process_costs_no_other_call_its_result(sandbox: Pool) -> None:
    code = "import os\ndef main_solution(a):\n    if a == 1:\n        os._exit(3)\n    return a\n"
    results = await call(sandbox, code, *({"a": i} for i in range(4)))
    assert [r.outcome for r in results] == [
        Outcome.OUTCOME_OK,
        Outcome.OUTCOME_EXITED,
        Outcome.OUTCOME_OK,
        Outcome.OUTCOME_OK,
    ]
    assert [r.output_json for r in results] == ["0", "", "2", "3"]


async def test_arguments_are_fresh_for_each_call_and_changes_to_them_are_seen(
    sandbox: Pool,
) -> None:
    code = "def main_solution(xs):\n    xs.append(1)\n    return len(xs)\n"
    results = await call(sandbox, code, {"xs": []}, {"xs": []})
    assert [r.output_json for r in results] == ["1", "1"]
    assert results[0].mutated_arguments
    assert json.loads(results[0].arguments_after_json) == {"xs": [1]}


async def test_replicas_differ_in_hash_seed_clock_and_randomness(sandbox: Pool) -> None:
    code = (
        "import datetime, random, time\n"
        "def main_solution():\n"
        "    return [hash('x'), str(datetime.date.today()), int(time.time() / 1e6),"
        " random.random(), list({'a', 'b', 'c', 'd', 'e'})]\n"
    )
    [first] = await call(sandbox, code, {}, replica=0)
    [second] = await call(sandbox, code, {}, replica=1)
    for left, right in zip(
        json.loads(first.output_json), json.loads(second.output_json), strict=True
    ):
        assert left != right


async def test_the_hash_seed_is_the_same_in_every_child(sandbox: Pool) -> None:
    code = "def main_solution():\n    return list({'a', 'b', 'c', 'd', 'e'})\n"
    answers = await asyncio.gather(*(answer(sandbox, code) for _ in range(6)))
    assert all(each == answers[0] for each in answers)


async def test_a_shifted_clock_prints_itself_as_the_real_one(sandbox: Pool) -> None:
    code = (
        "import datetime\n"
        "def main_solution():\n"
        "    moment = datetime.datetime(2020, 2, 3, 4)\n"
        "    return [repr(moment), isinstance(moment.date(), datetime.date),"
        " repr(moment - datetime.datetime(2020, 2, 3))]\n"
    )
    for replica in (0, 1):
        [result] = await call(sandbox, code, {}, replica=replica)
        assert json.loads(result.output_json) == [
            "datetime.datetime(2020, 2, 3, 4, 0)",
            True,
            "datetime.timedelta(seconds=14400)",
        ]


async def test_a_program_sees_neither_host_nor_environment(sandbox: Pool) -> None:
    code = (
        "import os\n"
        "def main_solution():\n"
        "    places = ['/etc/passwd', '/root', '/home', os.path.expanduser('~/.cache'), '/opt']\n"
        "    return [[p for p in places if os.path.exists(p) and not p == '/root'],"
        " sorted(os.environ), os.getpid()]\n"
    )
    places, names, pid = await answer(sandbox, code)
    assert places == []
    assert not {name for name in names if "CODEIO" in name or "KEY" in name or "TOKEN" in name}
    assert pid == 1


async def test_jobs_leave_nothing_for_the_next_one(sandbox: Pool) -> None:
    leave = (
        "import builtins, json, os\n"
        "def main_solution():\n"
        "    builtins.left = 1\n"
        "    json.left = 1\n"
        "    open('/tmp/left', 'w').close()\n"
        "    open('left', 'w').close()\n"
        "    return os.getcwd()\n"
    )
    look = (
        "import builtins, json, os\n"
        "def main_solution():\n"
        "    return [hasattr(builtins, 'left'), hasattr(json, 'left'), os.path.exists('left')]\n"
    )
    await asyncio.gather(*(answer(sandbox, leave) for _ in range(4)))
    for _ in range(4):
        assert await answer(sandbox, look) == [False, False, False]


async def test_effects_are_named(sandbox: Pool) -> None:
    code = (
        "import os, socket, time\n"
        "def main_solution(a):\n"
        "    time.time()\n"
        "    open('x', 'w').close()\n"
        "    try:\n"
        "        os.fork()\n"
        "    except OSError:\n"
        "        pass\n"
        "    socket.socket()\n"
        "    return 1\n"
    )
    [result] = await call(sandbox, code, {"a": 1})
    assert list(result.effects) == ["clock", "file:write", "process", "network"]


async def test_imports_are_no_effects(sandbox: Pool) -> None:
    code = "import wave, colorsys, sortedcontainers\ndef main_solution(a):\n    return 1\n"
    [result] = await call(sandbox, code, {"a": 1})
    assert list(result.effects) == []


async def test_generators_are_given_a_seeded_random(sandbox: Pool) -> None:
    code = "def generate_inputs(rng):\n    return {'n': rng.randint(0, 10**9)}\n"
    old = "import random\ndef generate_inputs():\n    return {'n': random.randint(0, 10**9)}\n"
    for source in (code, old):
        request = ExecuteRequest(
            code=source, entry_point="generate_inputs", calls=[Call(seed=s) for s in (1, 2, 1)]
        )
        one, two, again = (await sandbox.execute(request)).results
        assert one.output_json == again.output_json != two.output_json


async def test_standard_input_is_given_and_output_taken(sandbox: Pool) -> None:
    request = ExecuteRequest(
        code="def main_solution():\n    print(int(input()) + 1)\n",
        entry_point="main_solution",
        calls=[Call(stdin="41\n"), Call(stdin="1\n")],
    )
    results = (await sandbox.execute(request)).results
    assert [r.stdout for r in results] == ["42\n", "2\n"]


@pytest.mark.parametrize("module", ["numpy", "scipy.stats", "sympy", "pandas", "networkx"])
async def test_the_packages_of_the_guest_are_there(sandbox: Pool, module: str) -> None:
    code = f"import {module} as m\ndef main_solution():\n    return m.__name__\n"
    assert await answer(sandbox, code) == module


async def test_a_forged_report_speaks_for_its_own_job_only(sandbox: Pool) -> None:
    forger = (
        "import json, os, struct\n"
        "def main_solution(a):\n"
        "    for fd in range(3, 10):\n"
        "        for payload in (json.dumps({'outcome': 'OK', 'output_json': '666'}).encode(),"
        " b'{', b'[]', b'{\"outcome\": \"OK\", \"output_json\": 5}'):\n"
        "            try:\n"
        "                os.write(fd, struct.pack('>IBB', len(payload), 3, 0) + payload)\n"
        "            except OSError:\n"
        "                pass\n"
        "    return a\n"
    )
    forged, honest = await asyncio.gather(
        call(sandbox, forger, {"a": 1}), call(sandbox, HONEST, {"a": 1, "b": 1})
    )
    assert len(forged) == 1
    assert json.loads(honest[0].output_json) == {"sum": 2}


async def test_garbage_instead_of_reports_ends_the_job(sandbox: Pool) -> None:
    code = "import os\ndef main_solution(a):\n    os.write(3, b'garbage' * 100)\n    return a\n"
    [result] = await call(sandbox, code, {"a": 1})
    assert result.outcome == Outcome.OUTCOME_OUTPUT_FLOOD
    [result] = await call(sandbox, HONEST, {"a": 1, "b": 1})
    assert result.outcome == Outcome.OUTCOME_OK


async def test_a_dead_sandbox_is_replaced_and_its_job_done_elsewhere() -> None:
    settings = load_settings(flags={"sandbox": {"workers": 1}})
    pool = make_pool(settings, say=lambda _: None)
    others = set(psutil.Process().children(recursive=True))
    async with pool:
        guest = set(psutil.Process().children(recursive=True)) - others
        running = asyncio.create_task(
            call(pool, "def main_solution(a):\n    return sum(range(a))\n", {"a": 10**7})
        )
        await asyncio.sleep(0)
        for process in guest:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        [result] = await running
        assert result.output_json == str(sum(range(10**7)))
        [result] = await call(pool, HONEST, {"a": 1, "b": 1})
        assert result.outcome == Outcome.OUTCOME_OK


async def test_a_cancelled_job_frees_its_sandbox() -> None:
    settings = load_settings(flags={"sandbox": {"workers": 1}})
    pool = make_pool(settings, say=lambda _: None)
    others = set(psutil.Process().children(recursive=True))
    async with pool:
        endless = asyncio.create_task(call(pool, ENDLESS, {"a": 1}))
        await asyncio.wait({endless}, timeout=0.5)
        endless.cancel()
        with pytest.raises(asyncio.CancelledError):
            await endless
        [result] = await asyncio.wait_for(call(pool, HONEST, {"a": 1, "b": 1}), timeout=60)
        assert result.outcome == Outcome.OUTCOME_OK
    left = set(psutil.Process().children(recursive=True)) - others
    assert not [process for process in left if process.is_running()]


async def test_a_sleeper_is_tried_once_more_alone_and_then_out_of_time() -> None:
    settings = load_settings(
        flags={"sandbox": {"workers": 2}, "limits": {"cpu_seconds": 0.5, "wall_factor": 1}}
    )
    pool = make_pool(settings, say=lambda _: None)
    async with pool:
        code = "import time\ndef main_solution(a):\n    time.sleep(60)\n"
        sleeping, *honest = await asyncio.gather(
            call(pool, code, {"a": 1}), *(call(pool, HONEST, {"a": i, "b": 0}) for i in range(5))
        )
        assert sleeping[0].outcome == Outcome.OUTCOME_WALL_TIMEOUT
        assert all(result.outcome == Outcome.OUTCOME_OK for [result] in honest)


async def test_processor_time_is_judged_by_the_hosts_clock(sandbox: Pool) -> None:
    """Work of two seconds is done in time however busy the host is."""
    code = (
        "import time\n"
        "def main_solution(n):\n"
        "    x = 0\n"
        "    for i in range(n):\n"
        "        x += i\n"
        "    return x\n"
    )
    results = await asyncio.gather(*(call(sandbox, code, {"n": 25_000_000}) for _ in range(4)))
    assert all(result.outcome == Outcome.OUTCOME_OK for [result] in results)


def test_each_module_that_only_some_interpreters_have_leads_to_one_that_has_it() -> None:
    """The guest's list and the host's rule know nothing of each other."""
    source = ast.parse((GUEST / "child.py").read_text())
    [library] = (
        ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LIBRARY"
    )
    for module in library:
        for statement in (f"import {module}", f"from {module} import x", f"import os, {module}"):
            assert interpreter_for(ExecuteRequest(code=statement)) >> 2 == 1, statement
    assert interpreter_for(ExecuteRequest(code="import json, math")) == 0
