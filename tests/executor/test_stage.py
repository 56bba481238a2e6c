"""The executor: which programs pass, with which pairs, and why the others do not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from codeio.executor.sandbox.guests import GuestVersion
from codeio.executor.stage import Executor
from codeio.runtime import values
from codeio.runtime.errors import Rejected
from codeio.runtime.settings import ExecutorSettings, LimitsSettings
from codeio.v1.execution_pb2 import Call, ExecuteRequest
from codeio.v1.records_pb2 import Direction, ExecutedProgram, PredictionTask, Program

if TYPE_CHECKING:
    from pathlib import Path

    from codeio.executor.sandbox.pool import Pool

GENERATOR = "def generate_inputs(rng):\n    return {'n': rng.randint(1, 1000)}\n"


def program(body: str, *, generator: str = GENERATOR, seeds: tuple[str, ...] = ()) -> Program:
    return Program(
        program_id="p1",
        code=body,
        entry_point="main_solution",
        input_generator=generator,
        seed_inputs=seeds,
    )


def executor(sandbox: Pool) -> Executor:
    return Executor(
        sandbox,
        guest=GuestVersion(python_version="3", lock_hash="0"),
        settings=ExecutorSettings(),
        limits=LimitsSettings(),
        seed=0,
    )


async def execute(sandbox: Pool, given: Program) -> tuple[ExecutedProgram, list[PredictionTask]]:
    first, *rest = [record async for record in executor(sandbox).handle(given)]
    assert isinstance(first, ExecutedProgram)
    return first, [task for task in rest if isinstance(task, PredictionTask)]


async def refusal(sandbox: Pool, body: str, **options: str) -> str:
    with pytest.raises(Rejected) as caught:
        await execute(sandbox, program(body, **options))
    return caught.value.reason


async def test_a_program_becomes_pairs_and_a_task_for_each_direction(sandbox: Pool) -> None:
    executed, tasks = await execute(
        sandbox, program("def main_solution(n):\n    return n * 2\n", seeds=('{"n": 0}',))
    )
    assert len(executed.pairs) == ExecutorSettings().pairs_per_program
    assert executed.pairs[0].input_json == '{"n": 0}'
    for pair in executed.pairs:
        assert json.loads(pair.output_json) == 2 * json.loads(pair.input_json)["n"]
    assert len({pair.input_json for pair in executed.pairs}) == len(executed.pairs)
    assert [t.direction for t in tasks[:2]] == [
        Direction.DIRECTION_OUTPUT_PREDICTION,
        Direction.DIRECTION_INPUT_PREDICTION,
    ]
    assert len({task.task_id for task in tasks}) == ExecutorSettings().tasks_per_program


async def test_the_same_program_gives_the_same_pairs(sandbox: Pool) -> None:
    given = program("def main_solution(n):\n    return n % 7\n")
    assert (await execute(sandbox, given))[0] == (await execute(sandbox, given))[0]


async def test_new_outputs_are_kept_before_known_ones(sandbox: Pool) -> None:
    inputs = tuple(json.dumps({"n": n}) for n in [*range(1, 21), 100, 200])
    executed, _ = await execute(
        sandbox,
        program("def main_solution(n):\n    return n >= 100\n", generator="", seeds=inputs),
    )
    assert executed.distinct_outputs == 2
    assert '{"n": 100}' in [pair.input_json for pair in executed.pairs]


async def test_inputs_are_kept_as_they_were_before_the_call(sandbox: Pool) -> None:
    executed, _ = await execute(
        sandbox,
        program(
            "def main_solution(xs):\n    xs.sort()\n    xs.append(len(xs))\n    return xs\n",
            generator="def generate_inputs(rng):\n"
            "    return {'xs': [rng.randint(0, 99) for _ in range(5)]}\n",
        ),
    )
    assert all(len(json.loads(pair.input_json)["xs"]) == 5 for pair in executed.pairs)


REFUSED = {
    "def main_solution(n):\n    while True:\n        pass\n": "timeout",
    "def main_solution(n):\n    return len(bytearray(10**10))\n": "out_of_memory",
    "import os\ndef main_solution(n):\n    return os.fork()\n": "impure:process",
    "def main_solution(n):\n    open('x', 'w').write('1')\n    return n\n": "impure:file",
    "import socket\ndef main_solution(n):\n    socket.socket()\n    return n\n": "impure:network",
    "def main_solution(n):\n    while True:\n        print('x' * 10**6)\n": "output_flood",
    "def main_solution(n):\n    raise KeyError(n)\n": "raised:KeyError",
    "import os\ndef main_solution(n):\n    os._exit(0)\n": "exited",
    "def main_solution(n):\n    return {n}\n": "not_json",
    "def main_solution(n):\n    return 'x' * 100\n": "output_too_large",
    "def main_solution(n):\n    return list(range(20))\n": "output_too_large",
    "import random\ndef main_solution(n):\n    return random.random()\n": "nondeterministic",
    "import time\ndef main_solution(n):\n    return time.time_ns()\n": "nondeterministic",
    "import datetime\ndef main_solution(n):\n    return str(datetime.date.today())\n": (
        "nondeterministic"
    ),
    "def main_solution(n):\n    return list({str(n), 'a', 'b', 'c'})\n": "nondeterministic",
    "def main_solution(n):\n    return id(object())\n": "nondeterministic",
    "calls = 0\ndef main_solution(n):\n    global calls\n    calls += 1\n    return calls\n": (
        "stateful"
    ),
    "def main_solution(n):\n    return 5\n": "constant_output",
    "import tensorflow\ndef main_solution(n):\n    return n\n": "missing_package:tensorflow",
    "def main_solution(n) return n\n": "load_failed:SyntaxError",
    "def main_solution(m):\n    return m\n": "raised:TypeError",
}


@pytest.mark.parametrize("body", REFUSED)
async def test_what_makes_no_pairs_is_named(sandbox: Pool, body: str) -> None:
    assert await refusal(sandbox, body) == REFUSED[body]


async def test_a_result_left_in_an_argument_is_named(sandbox: Pool) -> None:
    generator = "def generate_inputs(rng):\n    return {'xs': [rng.randint(0, 9)]}\n"
    body = "def main_solution(xs):\n    xs.append(1)\n"
    assert await refusal(sandbox, body, generator=generator) == "mutates_argument"


@pytest.mark.parametrize(
    ("generator", "reason"),
    [
        ("", "no_inputs"),
        ("def generate_inputs(rng):\n    return [1]\n", "no_inputs"),
        ("def generate_inputs(rng):\n    return {'n': 'x' * 2000}\n", "input_too_large"),
        (
            "def generate_inputs(rng):\n    return 1 // 0\n",
            "generator_failed:raised:ZeroDivisionError",
        ),
        ("def generate_inputs(rng):\n    return {'n': 1}\n", "too_few_inputs"),
    ],
)
async def test_generators_that_give_nothing_are_named(
    sandbox: Pool, generator: str, reason: str
) -> None:
    body = "def main_solution(n):\n    return n\n"
    assert await refusal(sandbox, body, generator=generator) == reason


async def test_the_pairs_of_real_programs_reproduce(sandbox: Pool, data: Path) -> None:
    """On recorded inputs, a later run in the other replica gives what was kept."""
    with (data / "pyedu_parsed.jsonl").open() as lines:
        rows = [json.loads(next(lines)) for _ in range(25)]
    kept = 0
    for row in rows:
        given = program(
            row["refcode"],
            generator="",
            seeds=tuple(json.dumps(pair["input"]) for pair in row["ios"]),
        )
        try:
            executed, _ = await execute(sandbox, given)
        except Rejected:
            continue
        again = await sandbox.execute(
            ExecuteRequest(
                code=given.code,
                entry_point=given.entry_point,
                calls=[Call(input_json=pair.input_json) for pair in reversed(executed.pairs)],
                replica=1,
            )
        )
        for pair, result in zip(executed.pairs, reversed(again.results), strict=True):
            assert values.loads(result.output_json) == values.loads(pair.output_json)
            kept += 1
    assert kept > 100
