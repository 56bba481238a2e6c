"""The verifier over real sandboxes and real code."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from codeio.runtime import values
from codeio.v1.execution_pb2 import Call, ExecuteRequest, Outcome
from codeio.v1.records_pb2 import Claim, Program, Verdict
from tests.verifier.attempts import INPUT, OUTPUT, attempt, sample_of, verifier, wrapped
from tests.verifier.test_verifier import _changed

if TYPE_CHECKING:
    from pathlib import Path

    from codeio.runtime.stage import Sandbox

PROGRAMS_TRIED = 12

CODE = """
import os, sys
def main_solution(how, n=0):
    if how == "loop":
        while True: pass
    if how == "raise":
        raise ValueError(f"{n} is odd")
    if how == "exit":
        os._exit(3)
    if how == "eat":
        return len(bytearray(1 << 40))
    if how == "print":
        while True: print("x" * 10_000)
    if how == "set":
        return {1, 2}
    if how == "keys":
        return {1: "a", "1": "b"}
    if how == "grow":
        return list(range(n))
    if how == "huge":
        return 10 ** n
    return n % 7
"""
PROGRAM = Program(code=CODE, entry_point="main_solution")


@pytest.mark.parametrize(
    ("arguments", "truth", "expected"),
    [
        ('{"how": "", "n": 3}', "3", Verdict.VERDICT_CORRECT),
        ('{"how": "", "n": 703}', "3", Verdict.VERDICT_CORRECT),
        ('{"how": "other", "n": 10.0}', "3", Verdict.VERDICT_CORRECT),
        ('{"how": "", "n": 4}', "3", Verdict.VERDICT_WRONG),
        ('{"how": ""}', "0", Verdict.VERDICT_CORRECT),
        ('{"how": "grow", "n": 400}', str(list(range(400))), Verdict.VERDICT_CORRECT),
        ('{"how": "grow", "n": 401}', str(list(range(400))), Verdict.VERDICT_WRONG),
        ('{"how": "loop"}', "3", Verdict.VERDICT_TIMEOUT),
        ('{"how": "raise", "n": 3}', "3", Verdict.VERDICT_FAILED),
        ('{"how": "exit"}', "3", Verdict.VERDICT_FAILED),
        ('{"how": "eat"}', "3", Verdict.VERDICT_FAILED),
        ('{"how": "print"}', "3", Verdict.VERDICT_FAILED),
        ('{"how": "set"}', "[1, 2]", Verdict.VERDICT_FAILED),
        ('{"how": "keys"}', '{"1": "b"}', Verdict.VERDICT_FAILED),
        ('{"who": ""}', "3", Verdict.VERDICT_FAILED),
        ("{}", "3", Verdict.VERDICT_FAILED),
        ('{"how": "huge", "n": 4000}', "1" + "0" * 4000, Verdict.VERDICT_CORRECT),
        ('{"how": "huge", "n": 4001}', "1" + "0" * 4000, Verdict.VERDICT_WRONG),
    ],
)
async def test_predicted_inputs_are_judged_by_what_they_do(
    sandbox: Sandbox, arguments: str, truth: str, expected: Verdict
) -> None:
    given = attempt(INPUT, wrapped(INPUT, arguments), program=PROGRAM, output_json=truth)
    sample = await sample_of(verifier(sandbox), given)
    assert sample.verdict == expected
    assert bool(sample.turns[0].feedback) == (expected != Verdict.VERDICT_CORRECT)


async def test_claims_are_confirmed_and_refuted_by_a_trace(sandbox: Sandbox) -> None:
    given = attempt(OUTPUT, '{"output": 3}', program=PROGRAM, output_json="3")
    claim = given.turns[0].claims.add(
        kind=Claim.KIND_OUTPUT, input_json='{"how": "", "n": 10}', value_json="3"
    )
    found = await sample_of(verifier(sandbox, check_claims=True), given)
    assert found.claims_checked
    assert (found.turns[0].statements.supported, found.turns[0].statements.contradicted) == (1, 0)
    claim.value_json = "4"
    found = await sample_of(verifier(sandbox, check_claims=True), given)
    assert not found.claims_checked
    assert (found.turns[0].statements.supported, found.turns[0].statements.contradicted) == (0, 1)


async def test_what_any_rationale_states_is_compared_with_a_trace(sandbox: Sandbox) -> None:
    code = "def main_solution(n):\n    total = n * 2\n    return total\n"
    given = attempt(
        OUTPUT,
        'With n = 10 the value of `total` becomes 25.\n\n{"output": 20}',
        program=Program(code=code, entry_point="main_solution"),
        input_json='{"n": 10}',
        output_json="20",
    )
    found = await sample_of(verifier(sandbox, check_claims=True), given)
    assert found.verdict == Verdict.VERDICT_CORRECT
    assert not found.claims_checked
    assert found.turns[0].statements.contradicted == 1


def _recorded(path: Path) -> list[tuple[Program, dict[str, Any]]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        (Program(code=row["refcode"], entry_point=row["funcname"]), pair)
        for row in rows[:: max(1, len(rows) // PROGRAMS_TRIED)]
        for pair in row["ios"][:3]
    ]


async def _reproduces(sandbox: Sandbox, program: Program, pair: dict[str, Any]) -> bool:
    """Tell whether the program gives the recorded output; in this collection some do not."""
    for replica in (0, 1):
        response = await sandbox.execute(
            ExecuteRequest(
                code=program.code,
                entry_point=program.entry_point,
                calls=[Call(input_json=values.dumps(pair["input"]))],
                replica=replica,
                unlimited_sizes=True,
            )
        )
        result = response.results[0]
        if result.outcome != Outcome.OUTCOME_OK:
            return False
        if not values.equal(values.loads(result.output_json), pair["output"]):
            return False
    return True


async def test_recorded_answers_are_accepted_and_changed_ones_refused(
    sandbox: Sandbox, data: Path
) -> None:
    stage = verifier(sandbox)

    async def judged(program: Program, pair: dict[str, Any]) -> list[Verdict]:
        if not await _reproduces(sandbox, program, pair):
            return []
        truth, changed = pair["output"], _changed(pair["output"])
        texts = {"input_json": values.dumps(pair["input"]), "output_json": values.dumps(truth)}
        wrong = {**texts, "output_json": values.dumps(changed)}
        return [
            (await sample_of(stage, given)).verdict
            for given in (
                attempt(OUTPUT, wrapped(OUTPUT, texts["output_json"]), program=program, **texts),
                attempt(OUTPUT, wrapped(OUTPUT, wrong["output_json"]), program=program, **texts),
                attempt(INPUT, wrapped(INPUT, texts["input_json"]), program=program, **texts),
                # The recorded input, where another output is asked for.
                attempt(INPUT, wrapped(INPUT, texts["input_json"]), program=program, **wrong),
            )
        ]

    pairs = _recorded(data / "pyedu_parsed.jsonl")
    verdicts = [v for v in await asyncio.gather(*(judged(*pair) for pair in pairs)) if v]
    assert len(verdicts) > len(pairs) / 2
    right, wrong = Verdict.VERDICT_CORRECT, Verdict.VERDICT_WRONG
    assert verdicts == [[right, wrong, right, wrong]] * len(verdicts)


@pytest.mark.parametrize("program", [PROGRAM, Program(), Program(code="(", entry_point="f")])
async def test_garbled_claims_are_not_confirmed(sandbox: Sandbox, program: Program) -> None:
    given = attempt(OUTPUT, '{"output": 3}', program=program, output_json="3")
    for kind in Claim.Kind.values():
        for input_json in ("", "garbage", "[1]", '{"who": 1}', '{"how": "", "n": 3}'):
            given.turns[0].claims.add(
                kind=kind, input_json=input_json, step=-5, line=10**6, subject="(", value_json="{"
            )
    sample = await sample_of(verifier(sandbox), given)
    assert sample.verdict == Verdict.VERDICT_CORRECT
    assert not sample.claims_checked
