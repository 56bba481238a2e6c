"""Claims are confirmed by a trace or refuted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codeio.v1.records_pb2 import Claim, Program
from codeio.verifier.claims import check_claims

if TYPE_CHECKING:
    from codeio.runtime.stage import Sandbox
    from codeio.v1.execution_pb2 import ExecuteRequest, ExecuteResponse

PROGRAM = Program(
    code=(
        "def double(x):\n"  # 1
        "    return x * 2\n"  # 2
        "def main_solution(n):\n"  # 3
        "    items = []\n"  # 4
        "    for i in range(n):\n"  # 5
        "        if i % 2 == 0:\n"  # 6
        "            items.append(double(i))\n"  # 7
        "    return items\n"  # 8
    ),
    entry_point="main_solution",
)
INPUT = '{"n": 3}'


def claim(kind: Claim.Kind, step: int, line: int, subject: str, value: str) -> Claim:
    return Claim(
        kind=kind, input_json=INPUT, step=step, line=line, subject=subject, value_json=value
    )


# Steps: 0 call, 1 items, 2 for, 3 if, 4 append, 5-6 double, 7 for, 8 if, 9 for, 10 if, 11 append,
# 12-13 double, 14 for, 15 return.
TRUE = [
    claim(Claim.KIND_VALUE, 0, 3, "n", "3"),
    claim(Claim.KIND_VALUE, 4, 7, "items", "[0]"),
    claim(Claim.KIND_VALUE, 10, 6, "i", "2"),
    claim(Claim.KIND_VALUE, 8, 6, "i % 2", "1"),
    claim(Claim.KIND_VALUE, 11, 7, "double(i)", "4"),
    claim(Claim.KIND_BRANCH, 3, 6, "i % 2 == 0", "true"),
    claim(Claim.KIND_BRANCH, 8, 6, "i % 2 == 0", "false"),
    claim(Claim.KIND_ITERATIONS, 2, 5, "", "3"),
    claim(Claim.KIND_RETURN, 13, 2, "double", "4"),
    claim(Claim.KIND_OUTPUT, 0, 0, "", "[0, 4]"),
]


async def test_true_claims_are_confirmed(sandbox: Sandbox) -> None:
    assert await check_claims(sandbox, PROGRAM, TRUE, trace_steps=100) == []


async def test_every_changed_claim_is_refuted(sandbox: Sandbox) -> None:
    changed = []
    for one in TRUE:
        for field, value in (
            ("value_json", {"true": "false", "false": "true"}.get(one.value_json, "5")),
            ("step", one.step + 1),
            ("line", one.line + 1),
            ("subject", one.subject + " + 1"),
            ("input_json", '{"n": 7}'),
        ):
            unused = one.kind == Claim.KIND_OUTPUT and field in ("step", "line", "subject")
            if unused or (one.kind == Claim.KIND_ITERATIONS and field == "subject"):
                continue
            other = Claim()
            other.CopyFrom(one)
            setattr(other, field, value)
            changed.append(other)
    # Some things stay true on another input.
    still_true = [
        one for one in changed if one.input_json != INPUT and one.kind != Claim.KIND_OUTPUT
    ]
    refuted = await check_claims(sandbox, PROGRAM, changed, trace_steps=100)
    assert [one for one in changed if one not in refuted and one not in still_true] == []


async def test_beyond_the_trace_nothing_is_confirmed(sandbox: Sandbox) -> None:
    late = [one for one in TRUE if one.step > 9]
    assert await check_claims(sandbox, PROGRAM, TRUE, trace_steps=10) == [
        *(one for one in TRUE if one in late or one.kind == Claim.KIND_ITERATIONS),
    ]
    absurd = claim(Claim.KIND_VALUE, -1, 0, "n", "3")
    assert await check_claims(sandbox, PROGRAM, [absurd], trace_steps=100) == [absurd]


@pytest.mark.parametrize("code", ["def main_solution(n: return", "raise ValueError", ""])
async def test_a_program_that_does_not_load_confirms_nothing(sandbox: Sandbox, code: str) -> None:
    broken = Program(code=code, entry_point="main_solution")
    assert await check_claims(sandbox, broken, TRUE, trace_steps=100) == TRUE


async def test_floats_and_texts_are_compared_as_they_were_told(sandbox: Sandbox) -> None:
    program = Program(
        code="def main_solution(n):\n    s = 'a' * n\n    t = (n / 3, None)\n    return s\n",
        entry_point="main_solution",
    )
    claims = [
        claim(Claim.KIND_VALUE, 1, 2, "s", '"aaa"'),
        claim(Claim.KIND_VALUE, 2, 3, "n / 3", "1.0"),
        claim(Claim.KIND_VALUE, 2, 3, "t", "(1.0, None)"),
    ]
    assert await check_claims(sandbox, program, claims, trace_steps=100) == []


async def test_what_other_calls_left_behind_changes_no_trace(sandbox: Sandbox) -> None:
    program = Program(
        code=(
            "memo = {}\n"
            "def main_solution(n):\n"
            "    if n in memo:\n"
            "        return memo[n]\n"
            "    memo[n] = 1 if n < 2 else main_solution(n - 1) + main_solution(n - 2)\n"
            "    return memo[n]\n"
        ),
        entry_point="main_solution",
    )
    claims = [
        Claim(
            kind=Claim.KIND_BRANCH,
            input_json=f'{{"n": {n}}}',
            step=1,
            line=3,
            subject="n in memo",
            value_json="false",
        )
        for n in (3, 5, 4)
    ]
    assert await check_claims(sandbox, program, claims, trace_steps=100) == []
    assert await check_claims(sandbox, program, claims[::-1], trace_steps=100) == []


async def test_without_claims_nothing_is_run() -> None:
    class Untouchable:
        async def execute(self, request: ExecuteRequest) -> ExecuteResponse:
            raise AssertionError

    assert await check_claims(Untouchable(), PROGRAM, [], trace_steps=100) == []
