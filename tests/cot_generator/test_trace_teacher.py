"""What the trace teacher writes: right answers, checkable statements, honest reasons."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from codeio.cot_generator import CotGenerator, TraceTeacher
from codeio.cot_generator.tracing.wording import tokens
from codeio.runtime import values
from codeio.runtime.errors import Rejected
from codeio.runtime.records import task_id
from codeio.runtime.settings import TeacherSettings
from codeio.v1.execution_pb2 import Call, ExecuteRequest, ExecuteResponse, Outcome
from codeio.v1.records_pb2 import Claim, Direction, IoPair, PredictionTask, Program, Turn
from codeio.verifier.claims import check_claims

if TYPE_CHECKING:
    from codeio.runtime.stage import Sandbox

OUTPUT = Direction.DIRECTION_OUTPUT_PREDICTION
INPUT = Direction.DIRECTION_INPUT_PREDICTION

TOTAL = (
    "def main_solution(nums, factor):\n"
    '    """Sum the multiples of a list\'s large numbers."""\n'
    "    total = 0\n"
    "    for x in nums:\n"
    "        if x > 2:\n"
    "            total += x * factor\n"
    "    return total\n"
)
FIZZ = (
    "def main_solution(n):\n"
    "    if n % 15 == 0:\n"
    "        return 'FizzBuzz'\n"
    "    elif n % 3 == 0:\n"
    "        return 'Fizz'\n"
    "    elif n % 5 == 0:\n"
    "        return 'Buzz'\n"
    "    return str(n)\n"
)
CIPHER = (
    "def main_solution(text, shift):\n"
    "    out = ''\n"
    "    for c in text:\n"
    "        out += chr((ord(c) - 97 + shift) % 26 + 97)\n"
    "    return out\n"
)
ROTATE = (
    "def main_solution(items, k):\n"
    "    k = k % len(items)\n"
    "    a = items[:]\n"
    "    for i in range(len(items)):\n"
    "        a[(i + k) % len(items)] = items[i]\n"
    "    return a\n"
)
TREE = (
    "class Node:\n"
    "    def __init__(self, value):\n"
    "        self.value = value\n"
    "        self.left = self.right = None\n"
    "    def insert(self, value):\n"
    "        if value < self.value:\n"
    "            if self.left is None:\n"
    "                self.left = Node(value)\n"
    "            else:\n"
    "                self.left.insert(value)\n"
    "        elif self.right is None:\n"
    "            self.right = Node(value)\n"
    "        else:\n"
    "            self.right.insert(value)\n"
    "    def depth(self):\n"
    "        below = [c.depth() for c in (self.left, self.right) if c]\n"
    "        return 1 + max(below, default=0)\n"
    "def main_solution(nums):\n"
    "    root = Node(nums[0])\n"
    "    for x in nums[1:]:\n"
    "        root.insert(x)\n"
    "    return root.depth()\n"
)
DIGEST = (
    "import hashlib\ndef main_solution(s):\n    return hashlib.md5(s.encode()).hexdigest()[:6]\n"
)
LOOPS = (
    "def main_solution(n):\n"
    "    total = 0\n"
    "    for i in range(n):\n"
    "        for j in range(3):\n"
    "            total = (total * 3 + i + j) % 1009\n"
    "    return total\n"
)
GENERATOR = (
    "import random\n"
    "def generate_inputs(rng):\n"
    "    return {'nums': [rng.randint(1, 9) for _ in range(4)], 'factor': rng.randint(1, 4)}\n"
)


async def run(sandbox: Sandbox, code: str, arguments: dict[str, Any]) -> Any:
    response = await sandbox.execute(
        ExecuteRequest(
            code=code,
            entry_point="main_solution",
            calls=[Call(input_json=json.dumps(arguments))],
            unlimited_sizes=True,
        )
    )
    assert response.results[0].outcome == Outcome.OUTCOME_OK
    return values.loads(response.results[0].output_json)


async def ask(
    sandbox: Sandbox,
    code: str,
    arguments: dict[str, Any],
    direction: Direction,
    *,
    output: Any = None,
    seeds: tuple[dict[str, Any], ...] = (),
    generator: str = "",
    settings: TeacherSettings | None = None,
    index: int = 0,
    conversation: tuple[Turn, ...] = (),
) -> tuple[PredictionTask, Turn]:
    pair = IoPair(
        input_json=values.dumps(arguments),
        output_json=values.dumps(
            output if output is not None else await run(sandbox, code, arguments)
        ),
    )
    program = Program(
        program_id=str(hash(code)),
        code=code,
        entry_point="main_solution",
        input_generator=generator,
        seed_inputs=[values.dumps(seed) for seed in seeds],
    )
    task = PredictionTask(
        task_id=task_id(program_id=code, pair=pair, direction=direction),
        program=program,
        pair=pair,
        direction=direction,
    )
    teacher = TraceTeacher(sandbox, settings=settings or TeacherSettings())
    turn = await teacher.answer(task, prompt="?", conversation=conversation, sample_index=index)
    return task, turn


def answered(turn: Turn) -> Any:
    text = turn.response.rsplit("```json\n", 1)[1]
    assert text.endswith("\n```")
    return values.loads(text.removesuffix("\n```"))


CASES = {
    "total": (TOTAL, {"nums": [1, 3, 5, 2, 8], "factor": 2}),
    "fizz": (FIZZ, {"n": 25}),
    "cipher": (CIPHER, {"text": "hello", "shift": 7}),
    "rotate": (ROTATE, {"items": [4, 8, 15, 16, 23], "k": 7}),
    "tree": (TREE, {"nums": [5, 2, 9, 1, 7, 6]}),
    "digest": (DIGEST, {"s": "abc"}),
    "loops": (LOOPS, {"n": 40}),
}


@pytest.mark.parametrize("name", CASES)
async def test_an_output_is_predicted_and_every_claim_holds(sandbox: Sandbox, name: str) -> None:
    code, arguments = CASES[name]
    task, turn = await ask(sandbox, code, arguments, OUTPUT)
    assert answered(turn) == {"output": values.loads(task.pair.output_json)}
    assert turn.finish_reason == "stop"
    assert turn.claims
    assert await check_claims(sandbox, task.program, turn.claims, trace_steps=5000) == []
    assert turn.usage.completion_tokens <= TeacherSettings().token_budget


@pytest.mark.parametrize("budget", [250, 500, 2000])
async def test_the_budget_is_kept_by_telling_less(sandbox: Sandbox, budget: int) -> None:
    settings = TeacherSettings(token_budget=budget)
    _, turn = await ask(sandbox, LOOPS, {"n": 60}, OUTPUT, settings=settings)
    assert tokens(turn.response) <= budget
    assert turn.finish_reason == "stop"


async def test_a_large_output_is_not_repeated(sandbox: Sandbox) -> None:
    code = "def main_solution(n):\n    return [[i * j for j in range(19)] for i in range(n)]\n"
    for direction in (OUTPUT, INPUT):
        _, turn = await ask(sandbox, code, {"n": 15}, direction, seeds=({"n": 14}, {"n": 16}))
        assert turn.usage.completion_tokens <= TeacherSettings().token_budget + 300


async def test_values_are_put_into_expressions(sandbox: Sandbox) -> None:
    _, turn = await ask(sandbox, TOTAL, {"nums": [1, 3], "factor": 4}, OUTPUT)
    assert "total = 0 + (3 * 4) = 0 + 12 = 12" in turn.response
    assert "`x > 2` (`1 > 2`) is false" in turn.response
    assert "(2 rounds)" in turn.response
    kinds = {claim.kind for claim in turn.claims}
    assert kinds >= {
        Claim.KIND_VALUE,
        Claim.KIND_BRANCH,
        Claim.KIND_ITERATIONS,
        Claim.KIND_RETURN,
        Claim.KIND_OUTPUT,
    }


async def test_the_same_question_gets_the_same_answer(sandbox: Sandbox) -> None:
    for direction in (OUTPUT, INPUT):
        turns = [
            (await ask(sandbox, *CASES["total"], direction, generator=GENERATOR, index=index))[1]
            for index in (0, 0, 1)
        ]
        assert turns[0] == turns[1]
        assert turns[0].response != turns[2].response


DERIVED = {
    "sum": (TOTAL, {"nums": [1, 9, 4], "factor": 3}, ({"nums": [5, 2, 7], "factor": 3},)),
    "branch": (FIZZ, {"n": 25}, ({"n": 7}, {"n": 8})),
    "text": (CIPHER, {"text": "hello", "shift": 7}, ({"text": "abcde", "shift": 3},)),
    "moved": (ROTATE, {"items": [4, 8, 15, 16, 23], "k": 7}, ({"items": [1, 2, 3], "k": 1},)),
}


@pytest.mark.parametrize("name", DERIVED)
async def test_an_input_is_derived_from_the_output(sandbox: Sandbox, name: str) -> None:
    code, arguments, seeds = DERIVED[name]
    task, turn = await ask(sandbox, code, arguments, INPUT, seeds=seeds)
    assert turn.finish_reason == "derived"
    answer = answered(turn)["input"]
    assert await run(sandbox, code, answer) == values.loads(task.pair.output_json)
    assert await check_claims(sandbox, task.program, turn.claims, trace_steps=5000) == []
    rejected = [
        claim
        for claim in turn.claims
        if claim.kind == Claim.KIND_OUTPUT and claim.value_json != task.pair.output_json
    ]
    assert rejected, "a trial with another output is executed and told"
    assert all(claim.input_json in turn.response for claim in rejected)


async def test_a_search_says_that_it_is_one(sandbox: Sandbox) -> None:
    seeds = ({"s": "x"}, {"s": "yz"})
    task, turn = await ask(sandbox, DIGEST, {"s": "abc"}, INPUT, seeds=seeds)
    assert turn.finish_reason == "search"
    assert answered(turn) == {"input": {"s": "abc"}}
    assert "try" in turn.response
    outputs = {claim.value_json for claim in turn.claims if claim.kind == Claim.KIND_OUTPUT}
    assert len(outputs) > 1
    assert await check_claims(sandbox, task.program, turn.claims, trace_steps=5000) == []


async def test_one_number_is_closed_in_on(sandbox: Sandbox) -> None:
    code = "def main_solution(n):\n    return sum(divmod(k * k, 7)[0] for k in range(n))\n"
    task, turn = await ask(sandbox, code, {"n": 41}, INPUT, seeds=({"n": 3}, {"n": 90}))
    assert turn.finish_reason == "search"
    assert "Halfway between" in turn.response
    assert await run(sandbox, code, answered(turn)["input"]) == values.loads(task.pair.output_json)


async def test_a_program_without_known_inputs_gets_made_up_ones(sandbox: Sandbox) -> None:
    task, turn = await ask(sandbox, TOTAL, {"nums": [6, 9, 4], "factor": 3}, INPUT)
    answer = answered(turn)["input"]
    assert await run(sandbox, TOTAL, answer) == values.loads(task.pair.output_json)
    assert await check_claims(sandbox, task.program, turn.claims, trace_steps=5000) == []


async def test_an_output_that_does_not_come_again_is_refused(sandbox: Sandbox) -> None:
    for direction in (OUTPUT, INPUT):
        with pytest.raises(Rejected, match="not_reproducible"):
            await ask(sandbox, DIGEST, {"s": "abc"}, direction, output="nonsense")


async def test_a_program_that_cannot_be_parsed_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(Rejected, match="unparsable_program"):
        await ask(sandbox, "def main_solution(n: return", {"n": 1}, OUTPUT, output=1)


async def test_a_cut_trace_is_told_as_far_as_it_goes(sandbox: Sandbox) -> None:
    settings = TeacherSettings(trace_steps=60)
    task, turn = await ask(sandbox, LOOPS, {"n": 500}, OUTPUT, settings=settings)
    assert turn.finish_reason == "abridged"
    assert answered(turn) == {"output": values.loads(task.pair.output_json)}
    assert await check_claims(sandbox, task.program, turn.claims, trace_steps=60) == []


async def test_a_call_too_slow_to_trace_is_still_answered() -> None:
    class SlowWhenTraced:
        async def execute(self, request: ExecuteRequest) -> ExecuteResponse:
            response = ExecuteResponse()
            for _ in request.calls:
                if request.trace_steps:
                    response.results.add(outcome=Outcome.OUTCOME_CPU_TIMEOUT)
                else:
                    response.results.add(outcome=Outcome.OUTCOME_OK, output_json="7")
            return response

    _, turn = await ask(SlowWhenTraced(), TOTAL, {"nums": [], "factor": 1}, OUTPUT, output=7)
    assert turn.finish_reason == "abridged"
    assert answered(turn) == {"output": 7}
    _, turn = await ask(SlowWhenTraced(), TOTAL, {"nums": [], "factor": 1}, INPUT, output=7)
    assert turn.finish_reason == "search"


async def test_a_revision_starts_from_the_feedback(sandbox: Sandbox) -> None:
    first = Turn(response='```json\n{"output": 1}\n```', feedback="1 is not it.")
    _, turn = await ask(sandbox, *CASES["total"], OUTPUT, conversation=(first,))
    assert turn.response.startswith("My answer was not right")
    assert answered(turn) == {"output": 32}


async def test_the_name_tells_the_parameters() -> None:
    class Never:
        async def execute(self, request: ExecuteRequest) -> ExecuteResponse:
            raise AssertionError

    names = {
        TraceTeacher(Never(), settings=settings).name
        for settings in (
            TeacherSettings(),
            TeacherSettings(token_budget=99),
            TeacherSettings(trace_steps=99),
            TeacherSettings(samples_per_task=4),
        )
    }
    assert len(names) == 3


async def test_an_output_with_the_answers_own_key_is_still_read(sandbox: Sandbox) -> None:
    code = "def main_solution(a):\n    return {'output': a % 3}\n"
    _, turn = await ask(sandbox, code, {"a": 7}, OUTPUT)
    assert answered(turn) == {"output": {"output": 1}}
    before = turn.response.rsplit("\n\n```json", 1)[0]
    assert before.rsplit("\n\n", 1)[1] == "That is the result asked for."


async def test_the_generator_stage_carries_the_teacher(sandbox: Sandbox) -> None:
    task, _ = await ask(sandbox, *CASES["fizz"], OUTPUT)
    settings = TeacherSettings(samples_per_task=2)
    stage = CotGenerator(TraceTeacher(sandbox, settings=settings), settings=settings)
    attempts = [attempt async for attempt in stage.handle(task)]
    assert len({attempt.sample_id for attempt in attempts}) == 2
