"""Predicted outputs and inputs, graded by running programs in real sandboxes."""

from __future__ import annotations

import ast
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeio.evaluation.baselines import COMMONEST, COPY, baselines_of
from codeio.evaluation.execution import check_verifier, grade
from codeio.evaluation.harness import ask
from codeio.evaluation.literals import read_input, read_output
from codeio.training_run.outcomes import ExitCode, Reason, RunError
from tests.evaluation.conftest import Scripted, ten_questions


def scores(suite: str, answers: list[str], verifier: str) -> list[float | None]:
    """Have a scripted model answer the ten rows in order, and grade it."""
    found, questions = ten_questions(suite)
    remaining = iter(answers)
    said = ask(Scripted(lambda _: next(remaining)), found, questions, max_new_tokens=8, seed=0)
    rows = [question.row for question in questions]
    grades = grade(suite, rows, [each.response for each in said], verifier=verifier)
    return [each.score for each in grades]


def test_cruxeval_outputs(verifier: str) -> None:
    _, questions = ten_questions("cruxeval-o")
    right = [
        f"Then...\nassert f({row['input']}) == {row['output']}"
        for row in (question.row for question in questions)
    ]
    answers = [
        *right[:6],
        "```python\nassert 'hohoho' == f('ho', k=3)\n```",  # the other way round
        'So:\n```json\n{"output": 2.5}\n```',  # this project's form
        "assert f([5]) == [5, 1]",  # a list is no tuple
        "The function returns True.",
    ]
    assert scores("cruxeval-o", answers, verifier) == [1.0] * 8 + [0.0] * 2


def test_cruxeval_inputs_may_be_others_than_the_recorded(verifier: str) -> None:
    answers = [
        "assert f('abc') == 'cbaa'",
        "assert f(4, 3) == (7, 12)",  # not as recorded
        "assert f(['x', 'c', 'bb']) == {1: 'c', 2: 'bb'}",
        "assert f({1, 2}) == {1, 2}",
        '```json\n{"input": {"n": 6}}\n```',
        "assert f({'x': 1, 'y': 'any'}, 'x') == (1, ['y'])",
        "assert f('ho', 2) == 'hohoho'",  # gives another output
        "assert f('ten') == 2.5",  # fails
        "assert f(*[[5]]) == (5, 1)",  # no literals
        "anything empty",
    ]
    assert scores("cruxeval-i", answers, verifier) == [1.0] * 6 + [0.0] * 4


def test_leetcode_outputs_and_a_record_that_does_not_reproduce(verifier: str) -> None:
    _, questions = ten_questions("leetcode-o")
    right = [f'So.\n```json\n{{"output": {question.row["output"]}}}\n```' for question in questions]
    answers = [*right[:6], '{"output": 0}', '{"output": "1.5"}', "none", right[9]]
    assert scores("leetcode-o", answers, verifier) == [1.0] * 6 + [0.0] * 3 + [None]


@pytest.mark.parametrize(
    "said",
    [
        "assert f(1) == f(1)",
        "assert f(1) == type('A', (), {'__eq__': lambda *_: True})()",
        "assert g(1) == 1",
        "assert f(1) != 2",
        "assert f(",
        '{"output": ',
        "",
        "assert",
    ],
)
def test_only_literals_are_read(said: str) -> None:
    assert read_output(said) is None


def test_the_last_answer_counts() -> None:
    assert read_output("assert f(1) == 2\nNo:\nassert f(1) == (3,\n  4)\nDone.") == "(3, 4)"
    assert read_output("[ANSWER]assert f(1) == 2[/ANSWER]") == "2"
    assert read_output("so `assert f(1) == {'a': 1}`.\nassert f(1) == ??") == "{'a': 1}"
    assert read_output("{'output': {1, 2}}") == "{1, 2}"
    assert read_input('{"input": {"a": [1], "b": null}}') == "f(a=[1], b=None)"
    assert read_input('{"input": [1, 2]}') == "f([1, 2])"
    assert read_input("assert f(-1, x='?') == 3") == "f(-1, x='?')"


literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers() | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=40)
@given(literals)
def test_every_literal_comes_through(value: object) -> None:
    source = read_output(f"Thinking...\nassert f(1) == {value!r}")
    assert source is not None
    assert ast.literal_eval(source) == value


@given(st.text(max_size=200))
def test_nothing_that_a_model_writes_breaks_the_reading(text: str) -> None:
    read_output(f"{text} assert f(1) == {text} {{'output': {text}")
    read_input(f"assert f({text}) == 1 {text} {{'input': {text}}}")


def test_baselines_need_no_model() -> None:
    suite, questions = ten_questions("leetcode-o")
    found = baselines_of(suite, questions, [""] * 10)
    outputs = [json.loads(question.row["output"]) for question in questions]
    assert found == {COMMONEST: outputs.count([0, 1]) / 10, COPY: 2 / 10}


def test_no_verifier_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODEIO_VERIFIER_ADDRESS", raising=False)
    with pytest.raises(RunError, match="set CODEIO_VERIFIER_ADDRESS to HOST:PORT") as error:
        check_verifier()
    assert error.value.reason is Reason.INVALID_SPEC


def test_a_verifier_that_is_away_may_come_back() -> None:
    with pytest.raises(RunError, match="cannot grade") as error:
        check_verifier("127.0.0.1:1")
    assert error.value.exit_code is ExitCode.FAILED
