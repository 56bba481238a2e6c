"""Which answer is read from which response."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeio.runtime import values
from codeio.v1.records_pb2 import Direction
from codeio.verifier.extract import Answer, NoAnswer, Problem, read_answer_json, read_response
from codeio.verifier.signature import ANY, Parameters

OUTPUT = Direction.DIRECTION_OUTPUT_PREDICTION
INPUT = Direction.DIRECTION_INPUT_PREDICTION
N = Parameters(frozenset({"n"}), required=frozenset({"n"}))
TAKES_INPUT = Parameters(frozenset({"input"}), required=frozenset({"input"}))

# Strings that are made of what the reader looks for.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.lists(
    st.sampled_from(
        (
            *"{}[]()\"'`\\\n,:;.7$*#",
            *("```", "</think>", "<think>", "<answer>", "</answer>", "\\boxed{7}"),
            *('{"output":7}', '{"input":{"n":7}}', "true", "None", "or", "it's"),
            *("final answer: 7", "the output is 7", "returns"),
        )
    ),
    max_size=6,
).map(" ".join)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(TEXT | st.sampled_from(["output", "input"]), inner, max_size=4)
    ),
    max_leaves=12,
)

WRAPPED_FORMS = {
    "alone": "{}",
    "code block": "First I add, then I multiply.\n\n```json\n{}\n```",
    "code block and more": "Thus:\n```json\n{}\n```\nI am sure that this is right.",
    "bare block": "~~~\n{}\n~~~",
    "cut off fence": "So:\n```json\n{}",
    "end of a sentence": "Adding them up, I get {}.",
    "inline code": "The answer is `{}` as shown.",
    "bold": "**{}**",
    "after reasoning": '<think>Is it {{"output": 99}}? No. {{"input": {{"n": 99}}}}?</think>\n{}',
    "after reasoning that the prompt began": 'Is it {{"output": 99}}?</think>{}',
    "after a draft": 'I thought of {{"output": 99, "input": {{"n": 99}}}} but that is wrong: {}',
    "answer element": "Let me see.\n<answer>{}</answer>",
    "answer element and block": "<answer>\n```json\n{}\n```\n</answer>",
    "final answer": "### Final Answer\n{}",
    "box": "Hence \\boxed{{{}}}.",
    "beside prose with brackets": "For x in [0, 5) it doesn't matter, so {} isn't surprising.",
}
BARE_FORMS = {
    "alone": "{}",
    "final answer": "Step by step.\n\n**Final answer:** {}",
    "final answer is": "The final answer is: `{}`.",
    "code block": "I conclude:\n```\n{}\n```\n",
    "answer element": "Hm.\n<answer>{}</answer>",
    "box": "Hence $\\boxed{{{}}}$",
    "last line": "Step by step, I find\n\n{}",
}


def read(response: str, parameters: Parameters = ANY) -> Any:
    answer = read_response(response, direction=OUTPUT, parameters=parameters)
    return answer.value


def read_input(response: str, parameters: Parameters = N) -> Any:
    answer = read_response(response, direction=INPUT, parameters=parameters)
    return answer.value


def problem_of(
    response: str, *, direction: Direction = OUTPUT, parameters: Parameters = N
) -> Problem:
    with pytest.raises(NoAnswer) as caught:
        read_response(response, direction=direction, parameters=parameters)
    return caught.value.problem


def same(left: Any, right: Any) -> bool:
    return values.equal(left, right, relative=0, absolute=0)


@settings(max_examples=300)
@given(form=st.sampled_from(list(WRAPPED_FORMS.values())), value=JSON)
def test_a_wrapped_output_is_read_from_every_form(form: str, value: Any) -> None:
    assert same(read(form.format(values.dumps({"output": value}))), value)


@settings(max_examples=300)
@given(form=st.sampled_from(list(WRAPPED_FORMS.values())), value=JSON)
def test_a_wrapped_input_is_read_from_every_form(form: str, value: Any) -> None:
    assert same(read_input(form.format(values.dumps({"input": {"n": value}}))), {"n": value})


@given(value=JSON)
def test_spread_over_lines_and_in_ascii_it_is_the_same(value: Any) -> None:
    pretty = json.dumps({"output": value}, indent=2)
    assert same(read(f"So it is\n\n{pretty}\n\nand that is all."), value)
    assert same(read(f"```json\n{pretty}\n```"), value)


@given(value=JSON)
def test_python_literals_are_read_as_json(value: Any) -> None:
    assert same(read(f"```python\n{ {'output': value}!r}\n```"), value)


def _is_wrapper(value: Any) -> bool:
    return isinstance(value, dict) and "output" in value


@settings(max_examples=300)
@given(
    form=st.sampled_from(list(BARE_FORMS.values())),
    value=JSON.filter(lambda value: not _is_wrapper(value)),
)
def test_a_bare_output_is_read_where_it_is_marked_or_alone(form: str, value: Any) -> None:
    text = values.dumps(value)
    try:
        found = read(form.format(text))
    except NoAnswer:
        # Outside of brackets a quote, a tag or a fence cannot be told from prose.
        assert isinstance(value, str)
        return
    assert same(found, value) or isinstance(value, str)


@given(value=JSON)
def test_bare_arguments_are_read_where_they_fit(value: Any) -> None:
    text = values.dumps({"n": value})
    for form in BARE_FORMS.values():
        assert same(read_input(form.format(text)), {"n": value})


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("{'output': (1, 2)}", [1, 2]),
        ("{'output': True}", True),
        ("{'output': None,}", None),
        ("{'output': {1: 'a'}}", {"1": "a"}),
        ('{"output": [true, null,],}', [True, None]),
        ('{"output": "two\nlines"}', "two\nlines"),
        ('{"output": "a, ]"}', "a, ]"),
        ('{"output": -5}', -5),
        ("Final answer: -2.5e3.", -2500.0),
        ("Final answer: (1, 2)", [1, 2]),
        ("Final answer: 'it is'", "it is"),
        ("The final answer is therefore $\\boxed{42}$.", 42),
        ("\\boxed{\\text{[1, 2]}}", [1, 2]),
        ('\\[\\boxed{\\{"output": 3\\}}\\]', 3),
        ("The output is 5.", 5),
        ("So the output would be **5**, because it is odd.", 5),
        ("The answer is: `[1, 2]`", [1, 2]),
        ("main_solution returns 12.", 12),
        ('Input:\n```json\n{"n": 3}\n```\nOutput:\n```json\n9\n```', 9),
        ('main_solution(**{"n": 3}) = {"output": 9}', 9),
        ('{"input": {"n": 3}, "output": 9}', 9),
        ('{"explanation": "3 * 3", "output": 9}', 9),
        ("Sorted, [3, 1, 2] becomes [1, 2, 3].", [1, 2, 3]),
        ('I answer as {"output": <value>}.\n\nFinal answer: 7', 7),
        ('The form is {"output": ...}.\n{"output": 7}', 7),
        ('{"output": 1}\nWait, that is wrong.\n{"output": 2}', 2),
        ('{"output": 1}\nFinal answer: 2', 2),
        ('{"output": 4}, that is {"output": 4}', 4),
        ('Either {"output": 1} or {"output": 2}. It must be {"output": 2}', 2),
        ("The output is 3 for the first half. In the end the output is 3.", 3),
    ],
)
def test_usual_slips_and_habits(response: str, expected: Any) -> None:
    found = read(response)
    assert same(found, expected)
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        ("", Problem.MISSING),
        ("I cannot tell.", Problem.MISSING),
        ("Final answer: abc", Problem.MISSING),
        ("Final answer: 3 apples", Problem.MISSING),
        ("Final answer: 1,000", Problem.MISSING),
        ("Final answer: 3/4", Problem.MISSING),
        ("The output is 3 if n is odd.", Problem.MISSING),
        ("The output is 3 or 4.", Problem.MISSING),
        ("The output is not 3.", Problem.MISSING),
        ("The output was 3 at first.\n\nThen I was cut", Problem.MISSING),
        ("x = 5\ny = [1, 2]\nand so on", Problem.MISSING),
        ('<think>{"output": 3}</think>', Problem.MISSING),
        ('<think>It is {"output": 3}, but', Problem.MISSING),
        ('Well.<think>It is {"output": 3}, but', Problem.MISSING),
        ("The output is 3. No, the output is 4.", Problem.AMBIGUOUS),
        ('{"output": 3} or {"output": 4}', Problem.AMBIGUOUS),
        ('{"output": 3}\n{"output": 4}', Problem.AMBIGUOUS),
        ('{"output": 3}, maybe 4? {"output": 4} or 5', Problem.AMBIGUOUS),
        ('Option A: {"output": 3}\nOption B: {"output": 4}', Problem.AMBIGUOUS),
        ('1. {"output": 3}\n2. {"output": 3}\n3. {"output": 4}', Problem.AMBIGUOUS),
        ('Answer 1: {"output": 3}; answer 2: {"output": 4}', Problem.AMBIGUOUS),
        ('```json\n{"output": 3}\n```\n```json\n{"output": 4}\n```', Problem.AMBIGUOUS),
        ("<answer>3</answer> <answer>4</answer>", Problem.AMBIGUOUS),
        ("\\boxed{3} or \\boxed{4}", Problem.AMBIGUOUS),
        ("Candidates:\n3\n4", Problem.AMBIGUOUS),
        ("It is either [1] or [2].", Problem.AMBIGUOUS),
        ("```\n3\n```\nor\n```\n4\n```", Problem.AMBIGUOUS),
        ('{"output": NaN}', Problem.MALFORMED),
        ('{"output": 1e999}', Problem.MALFORMED),
        ('{"output": {1, 2}}', Problem.MALFORMED),
        ('{"output": [1, 2, ...]}', Problem.MALFORMED),
        ('{"output": 1, "output": 2}', Problem.MALFORMED),
        ("{'output': {1: 'a', '1': 'b'}}", Problem.MALFORMED),
        ('{"output": [1, 2', Problem.MALFORMED),
        ('{"output": 3}\nNo, rather {"output": [4', Problem.MALFORMED),
        ('The output is 3.\n{"output": three}', Problem.MALFORMED),
        ("{'output': __import__('os').getpid()}", Problem.MALFORMED),
        ("{'output': 1 + 1}", Problem.MALFORMED),
    ],
)
def test_what_is_no_answer(response: str, problem: Problem) -> None:
    assert problem_of(response) is problem


def test_the_wrapper_is_taken_off_once() -> None:
    assert read('{"output": {"output": 1}}') == {"output": 1}
    assert read('{"output": 1}') == 1


def test_an_object_with_more_keys_may_be_the_value_itself() -> None:
    answer = read_response(
        '{"output": 1, "status": "ok"}',
        direction=OUTPUT,
        parameters=ANY,
    )
    assert answer == Answer(1, alternatives=({"output": 1, "status": "ok"},))


def test_arguments_are_told_from_the_wrapper_by_the_parameters() -> None:
    assert read_input('{"input": {"input": [1]}}', TAKES_INPUT) == {"input": [1]}
    assert read_input('{"input": [1]}', TAKES_INPUT) == {"input": [1]}
    assert read_input('{"input": {"a": 1}}', TAKES_INPUT) == {"input": {"a": 1}}
    assert read_input('{"input": {"n": 1}}', ANY) == {"n": 1}
    # What does not bind is still what was answered; running it says why it fails.
    assert read_input('{"input": {"m": 1}}') == {"m": 1}


@pytest.mark.parametrize(
    "response", ['{"input": 4}', '{"input": [4]}', "Final answer: 4", "```json\n[4]\n```", "4"]
)
def test_an_input_is_an_object(response: str) -> None:
    assert problem_of(response, direction=INPUT) is Problem.NOT_AN_OBJECT


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("The input is {'n': 4}.", {"n": 4}),
        ('I tried {"n": 3}, which gives 9. So I take {"n": 4}.', {"n": 4}),
        ('{"input": {"n": 4}}\nCheck: on {"n": 3} it would be 9.', {"n": 4}),
    ],
)
def test_inputs_in_prose(response: str, expected: Any) -> None:
    assert read_input(response) == expected


def test_inputs_listed_in_prose_are_no_answer() -> None:
    assert problem_of('I tried {"n": 3} and {"n": 4}', direction=INPUT) is Problem.AMBIGUOUS
    assert problem_of('I tried {"n": 3} and it failed', direction=INPUT) is Problem.MISSING


@given(value=JSON)
def test_an_answer_apart_is_read_with_and_without_the_wrapper(value: Any) -> None:
    bare = read_answer_json(values.dumps(value), direction=OUTPUT, parameters=ANY)
    assert same(bare.value, value)
    wrapped = read_answer_json(
        values.dumps({"output": value}),
        direction=OUTPUT,
        parameters=ANY,
    )
    assert any(same(reading, value) for reading in (wrapped.value, *wrapped.alternatives))
    for arguments in ({"n": value}, {"input": {"n": value}}):
        answer = read_answer_json(
            values.dumps(arguments),
            direction=INPUT,
            parameters=N,
        )
        assert same(answer.value, {"n": value})


@given(st.lists(st.sampled_from([*"{}[]()\"'`\\\n,:;.*$ 17", "output", "or", "is", "```\n"])))
def test_garbage_is_read_or_refused(parts: list[str]) -> None:
    for direction in (OUTPUT, INPUT):
        with contextlib.suppress(NoAnswer):
            read_response("".join(parts), direction=direction, parameters=N)


@pytest.mark.parametrize(
    "part",
    [
        "[", "{", '{"a":', "[x]", '["\\"', "[ ' ", '{"', "{ ", "}", "final answer: (",
        "final answer: 1 x ", '{"output": ', "\\boxed{", "```\n", "<think>", "<answer>", "\n", " ",
        "output is ", '{"output": 1} ', "[" + "0," * 500, "\\", '"', "'", "a ",
        "`", "~", "``` ", "y```", "y```\n", "`" * 999 + "!", "<",
    ],
)  # fmt: skip
def test_reading_takes_linear_time(part: str) -> None:
    def seconds(length: int) -> float:
        text = part * (length // len(part))
        taken = []
        for _ in range(3):  # the least of them is what it takes; a busy machine adds to the others
            start = time.process_time()
            with contextlib.suppress(NoAnswer):
                read(text)
            taken.append(time.process_time() - start)
        return min(taken)

    # What is not linear takes sixteen times as long whenever it is measured.
    assert any(seconds(400_000) < 8 * max(seconds(100_000), 0.05) for _ in range(3))


def test_brackets_left_open_in_earlier_paragraphs_do_not_add_up() -> None:
    prose = "For x in [0, 5) it holds.\n\n" * 50
    assert read(prose + 'So it is {"output": 3}.') == 3


def test_large_answers_are_read() -> None:
    large = list(range(100_000))
    text = values.dumps({"output": large})
    assert read(f"So:\n```json\n{text}\n```\n") == large
    assert read(f"{'Thinking. ' * 50_000}\n</think>\n{text}") == large
    digits = "7" * 10_000
    assert values.dumps(read(f'Thus {{"output": {digits}}}.')) == digits
