"""From a file to programs: what a data engineer finds in the output."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from codeio.normalizer import Normalizer
from codeio.runtime import values
from codeio.runtime.errors import Rejected
from codeio.runtime.records import file_id
from codeio.runtime.settings import ExecutorSettings, LimitsSettings, NormalizerSettings
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, ExecuteResponse, Outcome
from codeio.v1.records_pb2 import Program, RawFile, Rejection

if TYPE_CHECKING:
    from codeio.runtime.stage import Sandbox
    from tests.normalizer.conftest import Normalize, Run


async def only(normalize: Normalize, text: str) -> Program:
    [record] = await normalize(text)
    assert isinstance(record, Program), record
    return record


TWO_SUM = '''
# Input: nums = [2, 7, 11, 15], target = 9
import requests

class Solution:
    def twoSum(self, nums: List[int], target: int) -> List[int]:
        """Return the positions of two numbers that add up to the target."""
        seen = {}
        for i, n in enumerate(nums):
            if target - n in seen:
                return [seen[target - n], i]
            seen[n] = i
        return []

    def unrelated(self):
        return requests.get("http://example.org")
'''


async def test_a_method_becomes_a_self_contained_program(
    normalize: Normalize, execute: Run
) -> None:
    program = await only(normalize, TWO_SUM)
    assert "requests" not in program.code
    assert program.origin.unit == "Solution.twoSum"
    assert await execute(program, '{"nums": [3, 2, 4], "target": 6}') == ["[1, 2]"]
    assert '{"nums": [2, 7, 11, 15], "target": 9}' in program.seed_inputs
    assert "`nums`" in program.problem_statement
    assert "add up to the target" in program.problem_statement
    assert "`target` (int)" in program.io_description


async def test_the_generator_stands_alone_and_repeats_itself(
    normalize: Normalize, sandbox: Sandbox
) -> None:
    program = await only(normalize, TWO_SUM)
    request = ExecuteRequest(
        code=program.input_generator,
        entry_point="generate_inputs",
        calls=[Call(seed=seed) for seed in (1, 2, 3, 4, 5, 1)],
    )
    inputs = [result.output_json for result in (await sandbox.execute(request)).results]
    assert inputs[0] == inputs[5]
    assert len(set(inputs)) >= 4
    assert all(values.loads(text).keys() == {"nums", "target"} for text in inputs)


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        (
            "def reverse(head):\n    prev = None\n    while head:\n"
            "        head.next, prev, head = prev, head, head.next\n    return prev\n",
            '{"head": [1, 2, 3]}',
            "[3, 2, 1]",
        ),
        (
            "def depth(root):\n    if root is None:\n        return 0\n"
            "    return 1 + max(depth(root.left), depth(root.right))\n",
            '{"root": [1, 2, null, 3]}',
            "3",
        ),
        (
            "def divisors(n):\n    return {d for d in range(1, n + 1) if n % d == 0}\n",
            '{"n": 6}',
            "[1, 2, 3, 6]",
        ),
        (
            "def squares(n):\n    for i in range(n):\n        yield i * i\n",
            '{"n": 4}',
            "[0, 1, 4, 9]",
        ),
        (
            "def bubble(arr):\n    for i in range(len(arr)):\n"
            "        for j in range(len(arr) - 1):\n            if arr[j] > arr[j + 1]:\n"
            "                arr[j], arr[j + 1] = arr[j + 1], arr[j]\n",
            '{"arr": [3, 1, 2]}',
            "[1, 2, 3]",
        ),
        (
            "def fizz(n):\n    for i in range(1, n + 1):\n"
            "        print('fizz' if i % 3 == 0 else i)\n",
            '{"n": 3}',
            '["1", "2", "fizz"]',
        ),
        (
            "import numpy as np\ndef scaled(matrix):\n    m = np.array(matrix)\n"
            "    return m * 2 if m.sum() > 3 else m\n",
            '{"matrix": [[1, 2], [3, 4]]}',
            "[[2, 4], [6, 8]]",
        ),
        (
            "memo = {}\ndef count(n):\n    memo[n] = memo.get(n, 0) + 1\n"
            "    if n > 3:\n        memo[n] += n\n    return memo[n]\n",
            '{"n": 5}',
            "6",
        ),
        (
            "def total(f, n):\n    return sum(f(i) for i in range(n) if i % 2)\n",
            '{"f": "square", "n": 4}',
            "10",
        ),
        (
            "def hexadecimal(n):\n    found = ''\n    while n:\n"
            "        found = '0123456789abcdef'[n % 16] + found\n        n /= 16\n"
            "    return found\n",
            '{"n": 500}',
            '"1f4"',
        ),
        (
            "import time\ndef total(n):\n    start = time.time()\n    result = 0\n"
            "    for i in range(n):\n        result += i\n"
            "    print(time.time() - start)\n    return result\n",
            '{"n": 4}',
            "6",
        ),
        (
            "def longest(node):\n    count = 0\n    while node:\n        count += node.data > 1\n"
            "        node = node.next\n    return count\n",
            '{"node": [1, 2, 3]}',
            "2",
        ),
        (
            "def inside(point, r):\n    return point.x ** 2 + point.y ** 2 < r * r\n",
            '{"point": {"x": 1, "y": 1}, "r": 2}',
            "true",
        ),
    ],
    ids=[
        *("linked", "tree", "set", "generator", "in place", "printed", "array", "state"),
        *("function", "division", "stop-watch", "own nodes", "object"),
    ],
)
async def test_results_become_json(
    normalize: Normalize, execute: Run, text: str, given: str, expected: str
) -> None:
    program = await only(normalize, text)
    ast.parse(program.code)
    assert await execute(program, given, given) == [expected, expected]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def f(x):\n    return open(x).read()\n", "impure:file"),
        ("import random\ndef f(n):\n    return random.randint(0, n)\n", "impure:randomness"),
        ("import time\ndef f(n):\n    return time.time() + n\n", "impure:clock"),
        ("import torch\ndef f(n):\n    return torch.ones(n)\n", "missing_package:torch"),
        ("def f(n):\n    return n and 7 or 7\n", "constant_output"),
        ("def f(n):\n    raise ValueError(n)\n", "no_candidate_runs"),
    ],
)
async def test_what_is_refused_says_why(normalize: Normalize, text: str, reason: str) -> None:
    [record] = await normalize(text)
    assert isinstance(record, Rejection)
    assert record.reason == reason
    assert record.origin.path == "file.py"


async def test_an_order_that_depends_on_the_hash_seed_is_refused(normalize: Normalize) -> None:
    text = "def unique(words):\n    return [w for w in set(w.lower() for w in words) if w]\n"
    [record] = await normalize(text)
    assert isinstance(record, Rejection)
    assert record.reason == "nondeterministic"


async def test_the_same_file_gives_the_same_programs(normalize: Normalize) -> None:
    first, second = await normalize(TWO_SUM), await normalize(TWO_SUM)
    assert [r.SerializeToString(deterministic=True) for r in first] == [
        r.SerializeToString(deterministic=True) for r in second
    ]


async def test_no_more_programs_than_asked_for_and_the_richest_first(
    normalize: Normalize,
) -> None:
    text = "\n".join(
        f"def f{k}(n):\n    total = {k}\n    for i in range(n):\n"
        f"        total += i ** {k}\n    return total\n"
        for k in range(2, 10)
    )
    plain = "def plain(n):\n    return n + 1\n"
    programs = await normalize(plain + text)
    assert len(programs) == 4
    assert all(isinstance(p, Program) and p.origin.unit != "plain" for p in programs)


async def test_what_only_gives_its_input_back_is_refused(normalize: Normalize) -> None:
    with pytest.raises(Rejected) as refusal:
        await normalize("def same(x):\n    if x:\n        return x\n    return x\n")
    assert refusal.value.reason == "identity_output"


async def test_a_unit_that_kills_its_process_leaves_the_others_their_turn(
    sandbox: Sandbox,
) -> None:
    class Dying:
        """The first call of the first request crashes and ends the process."""

        requests = 0

        async def execute(self, request: ExecuteRequest, /) -> ExecuteResponse:
            self.requests += 1
            if self.requests > 1:
                return await sandbox.execute(request)
            crashed = CallResult(outcome=Outcome.OUTCOME_CRASHED, error_type="SIGSEGV")
            return ExecuteResponse(results=[crashed, *(CallResult() for _ in request.calls[1:])])

    text = (
        "def bad(n):\n    return [i for i in range(n) if i % 3 if i > 2]\n"
        "def good(n):\n    return [i for i in range(n) if i % 2]\n"
    )
    [record] = await with_bar(Dying(), text)
    assert isinstance(record, Program)
    assert record.origin.unit == "good"


async def with_bar(sandbox: Sandbox, text: str, **bar: int) -> list[Program | Rejection]:
    stage = Normalizer(
        sandbox,
        settings=NormalizerSettings(),
        bar=ExecutorSettings.model_validate(bar),
        limits=LimitsSettings(),
        seed=0,
    )
    raw = RawFile(file_id=file_id(text), content=text)
    return [record async for record in stage.handle(raw)]


TWO_OUTPUTS = "def is_odd(n):\n    return n % 2 == 1 and n != 4\n"


async def test_the_quality_bar_is_the_one_that_was_set(sandbox: Sandbox) -> None:
    [record] = await with_bar(sandbox, TWO_OUTPUTS, min_distinct_outputs=2)
    assert isinstance(record, Program)
    [record] = await with_bar(sandbox, TWO_OUTPUTS, min_distinct_outputs=3)
    assert isinstance(record, Rejection)
    assert record.reason == "constant_output"
    [record] = await with_bar(sandbox, TWO_OUTPUTS, min_pairs=20)
    assert isinstance(record, Program)
    few = "def half(n):\n    assert n % 2 == 0\n    return n // 2 + n % 3\n"
    [record] = await with_bar(sandbox, few, min_pairs=3)
    assert isinstance(record, Program)
    [record] = await with_bar(sandbox, few, min_pairs=30)
    assert isinstance(record, Rejection)
    assert record.reason == "too_few_pairs"


ENDLESS = '{"records": [{}, {}, {}, {"error": "TimeUp"}, {"error": "TimeUp"}]}'


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (CallResult(outcome=Outcome.OUTCOME_CPU_TIMEOUT), "timeout"),
        (CallResult(outcome=Outcome.OUTCOME_MEMORY), "out_of_memory"),
        (CallResult(outcome=Outcome.OUTCOME_OK, output_json=ENDLESS), "timeout"),
        (CallResult(outcome=Outcome.OUTCOME_OK, effects=["clock"]), "impure:clock"),
    ],
)
async def test_what_the_sandbox_says_is_named_as_the_executor_names_it(
    result: CallResult, reason: str
) -> None:
    class Failing:
        async def execute(self, request: ExecuteRequest, /) -> ExecuteResponse:
            return ExecuteResponse(results=[result for _ in request.calls])

    [record] = await with_bar(Failing(), TWO_OUTPUTS)
    assert isinstance(record, Rejection)
    assert record.reason == reason


def deeply_nested() -> str:
    return "def f(x):\n    return " + "(" * 90 + "x" + "+1)" * 90 + "\n"


async def test_deep_nesting_is_no_error_of_ours(normalize: Normalize) -> None:
    assert len(await normalize(deeply_nested())) == 1
    with pytest.raises(Rejected):
        await normalize("x = " + "-" * 40_000 + "1\n")
