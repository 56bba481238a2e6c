"""Programs that somebody normalised already are validated and completed, not changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codeio.normalizer.adopted import adapt_generator, adopt
from codeio.runtime import values
from codeio.runtime.errors import Rejected
from codeio.v1.execution_pb2 import Call, ExecuteRequest, Outcome
from codeio.v1.records_pb2 import Program, RawFile

if TYPE_CHECKING:
    from codeio.runtime.stage import Sandbox

CODE = "def main_solution(n):\n    return n + 1\n"


def raw(**fields: Any) -> RawFile:
    program = Program(code=CODE, entry_point="main_solution")
    program.MergeFrom(Program(**fields))
    return RawFile(file_id="f", content=CODE, source="s", path="p", program=program)


def test_the_code_stays_and_the_origin_is_filled_in() -> None:
    program = adopt(raw(seed_inputs=['{"n": 1}'], problem_statement="Add one."))
    assert program.code == CODE
    assert program.problem_statement == "Add one."
    assert program.origin.file_id == "f"
    assert program.origin.unit == "main_solution"
    assert program.program_id


def test_a_generator_is_written_from_recorded_inputs_of_clear_types() -> None:
    program = adopt(raw(seed_inputs=['{"n": 1}', '{"n": 7}']))
    assert "def generate_inputs(rng: random.Random) -> dict:" in program.input_generator


@pytest.mark.parametrize(
    "inputs", [['{"n": {"a": 1}}'], ['{"n": 1}', '{"n": "x"}'], ['{"n": [[1], [2]]}']]
)
def test_recorded_inputs_of_unclear_types_are_left_as_they_are(inputs: list[str]) -> None:
    program = adopt(raw(seed_inputs=inputs))
    assert program.input_generator == ""
    assert list(program.seed_inputs) == inputs


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"code": "def main_solution(:\n"}, "not_parseable"),
        ({"code": "def other(n):\n    return n\n"}, "no_entry_point"),
        ({}, "no_inputs"),
        ({"input_generator": "x = ("}, "bad_generator"),
        ({"input_generator": "x = 1"}, "bad_generator"),
    ],
)
def test_what_cannot_be_used_is_refused(change: dict[str, str], reason: str) -> None:
    with pytest.raises(Rejected) as refusal:
        adopt(raw(**change))
    assert refusal.value.reason == reason


FORMS = {
    "with a generator it did not import": (
        "def generate_inputs(rng: Random) -> dict:\n    return {'n': rng.randint(0, 10**9)}\n"
    ),
    "without argument": (
        "import random\ndef generate_inputs():\n    return {'n': random.randint(0, 10**9)}\n"
    ),
    "with numpy": (
        "import numpy as np\ndef generate_inputs():\n"
        "    return {'n': int(np.random.randint(0, 10**9))}\n"
    ),
    "under another name": (
        "import random\ndef input_generator():\n    return {'n': random.randint(0, 10**9)}\n"
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
async def test_every_form_of_generator_becomes_ours(sandbox: Sandbox, form: str) -> None:
    check = """
import random as r
SPACE = {}
exec(SOURCE, SPACE)
def draws(seed):
    return [SPACE["generate_inputs"](r.Random(seed))["n"] for _ in range(3)]
"""
    request = ExecuteRequest(
        code=f"SOURCE = {adapt_generator(form)!r}\n{check}",
        entry_point="draws",
        calls=[Call(input_json=f'{{"seed": {seed}}}') for seed in (1, 1, 2)],
    )
    results = (await sandbox.execute(request)).results
    assert [result.outcome for result in results] == [Outcome.OUTCOME_OK] * 3, results
    first, again, other = (values.loads(result.output_json) for result in results)
    assert first == again != other
