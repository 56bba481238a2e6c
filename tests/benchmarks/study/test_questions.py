from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.study.baselines import commonest, shots, trivial_baselines
from benchmarks.study.data import spread
from benchmarks.study.functions import ENTRY_POINT, random_questions
from benchmarks.study.plan import Direction, Origin
from benchmarks.study.questions import Form, asking, prompt, response, without_docstrings
from hypothesis import given, settings
from hypothesis import strategies as st

from codeio.runtime import values
from codeio.v1.records_pb2 import Direction as RecordDirection
from codeio.verifier.extract import read_response
from codeio.verifier.signature import ANY
from tests.benchmarks.study.material import example, question


def test_docstrings_go_and_the_program_stays_the_same() -> None:
    code = '''
"""Module."""
# Comment.
class Box:
    """Only this."""

async def wait():
    """Only this."""

def double(n):
    """Return twice n.

    >>> double(2)
    4
    """
    text = """kept"""
    return n * 2
'''
    shown = without_docstrings(code)
    assert '"""' not in shown
    assert ">>>" not in shown
    assert "Comment" not in shown
    namespace: dict[str, object] = {}
    exec(shown, namespace)
    assert "kept" in shown


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("direction", Direction)
def test_the_verifier_reads_what_is_taught(form: Form, direction: Direction) -> None:
    answer = {"n": 3} if direction is Direction.INPUT else ["a", {"output": 1}]
    read = read_response(
        response(example(1, answer=answer, direction=direction), form),
        direction={
            Direction.OUTPUT: RecordDirection.DIRECTION_OUTPUT_PREDICTION,
            Direction.INPUT: RecordDirection.DIRECTION_INPUT_PREDICTION,
        }[direction],
        parameters=ANY,
    )
    assert read.value == answer


@pytest.mark.parametrize("form", Form)
def test_a_question_does_not_tell_its_answer(form: Form) -> None:
    asked = question(given={"n": 111}, output=222)
    assert "111" in prompt(asked, form)
    assert "222" not in prompt(asked, form)
    backward = replace(asked, direction=Direction.INPUT)
    assert "222" in prompt(backward, form)
    assert "111" not in prompt(backward, form)


def test_examples_are_shown_before_the_question() -> None:
    chat = asking(question(5), Form.ANSWER, shots=[example(1), example(2)])
    assert [message["role"] for message in chat] == ["user", "assistant"] * 2 + ["user"]
    assert chat[1]["content"] == '{"output": 1}'


def test_programs_take_turns() -> None:
    asked = [question(n, program=program) for n, program in enumerate("aaabbc")]
    order = [each.program_id for each in spread(asked)]
    assert order[:3] == ["a", "b", "c"]
    assert sorted(order) == list("aaabbc")
    assert list(spread([])) == []


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from(Direction))
def test_random_functions_give_what_is_recorded(seed: int, direction: Direction) -> None:
    for asked in random_questions(direction, count=3, seed=seed):
        namespace: dict[str, object] = {}
        exec(asked.code, namespace)
        function = namespace[ENTRY_POINT]
        assert callable(function)
        given_input = values.loads(asked.input_json)
        assert values.equal(
            values.loads(values.dumps(function(**given_input))), values.loads(asked.output_json)
        )
        assert values.loads(asked.output_json) not in given_input.values()


def test_fewer_random_questions_are_the_first_of_more() -> None:
    many = random_questions(Direction.OUTPUT, count=8, seed=1)
    assert random_questions(Direction.OUTPUT, count=3, seed=1) == many[:3]
    assert len({each.code for each in many}) == 8


def test_the_commonest_values_come_first() -> None:
    assert commonest([1, True, 1, [2], [2], [2]], 2) == [[2], 1]


def test_trivial_baselines_guess_as_they_say() -> None:
    outputs = [example(n, answer=False) for n in range(3)] + [example(4, answer=7)]
    inputs = [example(5, answer={"n": 0}, direction=Direction.INPUT)]
    asked = question(9, given={"n": [1], "m": 2}, output=8)
    rest = [question(n, output=5) for n in range(2)]
    backward = replace(asked, direction=Direction.INPUT)
    found = {
        each.name: (each.guesses(asked), each.guesses(backward))
        for each in trivial_baselines([*outputs, *inputs], [asked, *rest])
    }
    assert found["commonest answer"] == (["false"], ['{"n": 0, "m": 0}'])
    assert found["copy of an argument"] == (["[1]"], ['{"n": 8, "m": 8}'])
    assert found["commonest answer, oracle"] == (["5"], ['{"n": 0, "m": 0}'])
    assert found["copy of an argument, oracle"][0] == ["[1]", "2"]
    assert '{"n": [8], "m": [8]}' in found["copy of an argument, oracle"][1]


def test_the_oracle_keeps_origins_apart() -> None:
    here = [question(n, output=1) for n in range(3)]
    there = [question(9, output=2, origin=Origin.FUNCTIONS)]
    oracle = trivial_baselines(
        [example(1), example(2, answer={"n": 1}, direction=Direction.INPUT)], [*here, *there]
    )
    assert oracle[2].guesses(there[0]) == ["2"]


def test_shots_are_of_different_programs_and_one_direction() -> None:
    pool = [example(n % 4) for n in range(20)] + [example(9, direction=Direction.INPUT)]
    shown = shots(pool, Direction.OUTPUT, count=3)
    assert len({each.question.program_id for each in shown}) == 3
    assert {each.question.direction for each in shown} == {Direction.OUTPUT}
