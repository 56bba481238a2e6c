"""What becomes of an attempt: verdict, sample or revision, feedback."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from codeio.runtime import values
from codeio.runtime.errors import TransientError
from codeio.runtime.settings import VerifierSettings
from codeio.v1.execution_pb2 import CallResult, ExecuteRequest, ExecuteResponse, Outcome
from codeio.v1.records_pb2 import Attempt, Claim, Direction, Program, Sample, Turn, Verdict
from codeio.verifier.feedback import failed_input
from tests.verifier.attempts import (
    INPUT,
    OUTPUT,
    SQUARE,
    ScriptedSandbox,
    attempt,
    outcome_of,
    returning,
    sample_of,
    verifier,
    wrapped,
)
from tests.verifier.test_extract import JSON

CORRECT, WRONG = Verdict.VERDICT_CORRECT, Verdict.VERDICT_WRONG
UNPARSABLE, FAILED = Verdict.VERDICT_UNPARSABLE, Verdict.VERDICT_FAILED
TIMEOUT = Verdict.VERDICT_TIMEOUT


async def verdict_of(given: Attempt, sandbox: object = None, **settings: object) -> Verdict:
    return (await sample_of(verifier(sandbox, **settings), given)).verdict


@given(truth=JSON)
async def test_every_gold_output_is_accepted(truth: Any) -> None:
    text = values.dumps(truth)
    asked = attempt(OUTPUT, wrapped(OUTPUT, text), output_json=text)
    assert await verdict_of(asked) == CORRECT
    asked.turns[0].response = ""
    asked.turns[0].answer_json = text
    assert await verdict_of(asked) == CORRECT


@given(truth=JSON, other=JSON)
async def test_every_other_output_is_refused(truth: Any, other: Any) -> None:
    assume(not values.equal(truth, other))
    asked = attempt(OUTPUT, wrapped(OUTPUT, values.dumps(other)), output_json=values.dumps(truth))
    assert await verdict_of(asked) == WRONG


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, list | dict) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for key, item in items for leaf in _leaves(item, (*path, key))]
    return [path]


def _changed(value: Any) -> Any:
    """Return a value of the same kind that is just another one."""
    match value:
        case bool():
            return int(value)
        case int():
            return value + 1
        case float():
            return value + 1 if value.is_integer() else value + max(abs(value) * 2e-4, 2e-6)
        case str():
            return value + " "
        case None:
            return False
        case _:
            return [value]


@given(truth=JSON, data=st.data())
async def test_one_changed_leaf_is_refused(truth: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(_leaves(truth)))
    box = values.loads(values.dumps([truth]))
    inside, last = box, 0
    for key in path:
        inside, last = inside[last], key
    before = inside[last]
    inside[last] = _changed(before)
    # Where floats lie apart by more than 1, there is no such neighbour.
    assume(not isinstance(before, float) or abs(before) < 2**52)
    answer, text = values.dumps(box[0]), values.dumps(truth)
    assert await verdict_of(attempt(OUTPUT, wrapped(OUTPUT, answer), output_json=text)) == WRONG


async def test_integers_of_any_length_are_compared_exactly() -> None:
    digits = "7" * 10_000
    near = digits[:-1] + "6"
    asked = attempt(OUTPUT, wrapped(OUTPUT, digits), output_json=digits)
    assert await verdict_of(asked) == CORRECT
    asked.turns[0].response = wrapped(OUTPUT, near)
    assert await verdict_of(asked) == WRONG
    found = await sample_of(verifier(), asked)
    assert len(found.turns[0].feedback) < 2000


async def test_the_tolerances_are_settings() -> None:
    asked = attempt(OUTPUT, '{"output": 0.5001}', output_json="0.5")
    assert await verdict_of(asked, relative_tolerance=1e-3) == CORRECT
    assert await verdict_of(asked, relative_tolerance=1e-5) == WRONG
    asked = attempt(OUTPUT, '{"output": 0.0001}', output_json="0")
    assert await verdict_of(asked, absolute_tolerance=1e-3) == CORRECT
    assert await verdict_of(asked) == WRONG


@pytest.mark.parametrize(
    ("truth", "response", "expected"),
    [
        ('{"output": 1}', '{"output": {"output": 1}}', CORRECT),
        ('{"output": 1}', '{"output": 1}', WRONG),
        ("1", '{"output": 1}', CORRECT),
        ("1", '{"output": {"output": 1}}', WRONG),
        ('{"output": 1, "ok": true}', '{"output": 1, "ok": true}', CORRECT),
        ('{"output": 1, "ok": true}', '{"output": {"output": 1, "ok": true}}', CORRECT),
        ('{"output": 1, "ok": true}', '{"output": 1, "ok": false}', WRONG),
        ("1", '{"output": 1, "why": "it is odd"}', CORRECT),
        ("true", '{"output": 1}', WRONG),
        ("1.0", '{"output": 1}', CORRECT),
        ('"4"', '{"output": 4}', WRONG),
        ("4", "It is 3 or 4.", UNPARSABLE),
        ("4", '{"output": 3} or {"output": 4}', UNPARSABLE),
    ],
)
async def test_outputs(truth: str, response: str, expected: Verdict) -> None:
    assert await verdict_of(attempt(OUTPUT, response, output_json=truth)) == expected


async def test_an_output_is_judged_without_running_anything() -> None:
    sandbox = ScriptedSandbox()
    asked = attempt(OUTPUT, wrapped(OUTPUT, "1"), program=Program(), output_json="1")
    assert await verdict_of(asked, sandbox) == CORRECT
    assert not sandbox.requests


async def test_a_predicted_input_is_run_and_its_output_compared() -> None:
    sandbox = returning('{"square": 144.0}')
    given = attempt(INPUT, '{"input": {"n": -12}}')
    assert await verdict_of(given, sandbox) == CORRECT
    [request] = sandbox.requests
    assert (request.code, request.entry_point) == (SQUARE.code, SQUARE.entry_point)
    assert [call.input_json for call in request.calls] == ['{"n": -12}']
    assert request.unlimited_sizes

    assert await verdict_of(given, returning('{"square": 143}')) == WRONG


async def test_the_recorded_input_is_run_like_any_other() -> None:
    given = attempt(INPUT, '{"input": {"n": 12}}')
    assert await verdict_of(given, returning("7")) == WRONG


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.OUTCOME_UNSPECIFIED, FAILED),
        (Outcome.OUTCOME_RAISED, FAILED),
        (Outcome.OUTCOME_NOT_JSON, FAILED),
        (Outcome.OUTCOME_TOO_LARGE, FAILED),
        (Outcome.OUTCOME_CPU_TIMEOUT, TIMEOUT),
        (Outcome.OUTCOME_WALL_TIMEOUT, TIMEOUT),
        (Outcome.OUTCOME_MEMORY, FAILED),
        (Outcome.OUTCOME_OUTPUT_FLOOD, FAILED),
        (Outcome.OUTCOME_EXITED, FAILED),
        (Outcome.OUTCOME_CRASHED, FAILED),
        (Outcome.OUTCOME_LOAD_FAILED, FAILED),
    ],
)
async def test_every_way_to_fail_is_a_verdict_with_its_reason(
    outcome: Outcome, expected: Verdict
) -> None:
    sandbox = ScriptedSandbox(CallResult(outcome=outcome))
    sample = await sample_of(verifier(sandbox), attempt(INPUT, '{"input": {"n": 1}}'))
    assert sample.verdict == sample.turns[0].verdict == expected
    assert '{"n": 1}' in sample.turns[0].feedback


def test_every_outcome_is_told_in_its_own_words() -> None:
    failures = set(Outcome.values()) - {Outcome.OUTCOME_OK, Outcome.OUTCOME_WALL_TIMEOUT}
    ways = {failed_input({"n": 1}, CallResult(outcome=outcome)) for outcome in failures}
    assert len(ways) == len(failures)


async def test_an_output_that_is_no_json_fails() -> None:
    for text in ("", "NaN", '{"a": 1, "a": 2}', "[" * 10_000):
        assert await verdict_of(attempt(INPUT, '{"input": {"n": 1}}'), returning(text)) == FAILED


@pytest.mark.parametrize("response", ['{"input": 4}', '{"input": [1]}', "{", "no idea", ""])
async def test_an_input_that_is_no_object_is_not_run(response: str) -> None:
    sandbox = returning("1")
    assert await verdict_of(attempt(INPUT, response), sandbox) == UNPARSABLE
    assert not sandbox.requests


async def test_an_input_may_be_larger_than_the_limits_but_no_burden() -> None:
    fits, burdens = returning("1"), returning("1")
    given = attempt(INPUT, wrapped(INPUT, '{"n": "' + "x" * 10_000 + '"}'), output_json="1")
    assert await verdict_of(given, fits) == CORRECT
    given = attempt(INPUT, wrapped(INPUT, '{"n": "' + "x" * 100_000 + '"}'), output_json="1")
    assert await verdict_of(given, burdens) == FAILED
    assert not burdens.requests
    # What was recorded is never too large.
    given.task.pair.input_json = '{"n": "' + "x" * 100_000 + '"}'
    assert await verdict_of(given, fits) == CORRECT


class _BrokenSandbox:
    async def execute(self, request: ExecuteRequest) -> ExecuteResponse:
        raise TransientError("the sandbox is gone")


@pytest.mark.parametrize("sandbox", [_BrokenSandbox(), ScriptedSandbox(None)])
async def test_a_failing_sandbox_is_no_verdict(sandbox: object) -> None:
    with pytest.raises(TransientError):
        await verdict_of(attempt(INPUT, '{"input": {"n": 1}}'), sandbox)


async def test_a_sample_carries_everything_untouched() -> None:
    given = attempt(OUTPUT, "first try", wrapped(OUTPUT, '{"square": 144}'), turns_left=2)
    given.turns[0].verdict = WRONG
    given.turns[0].feedback = "as another verifier put it"
    given.turns[1].usage.prompt_tokens = 7
    before = given.SerializeToString(deterministic=True)
    sample = await sample_of(verifier(revise=True), given)
    assert given.SerializeToString(deterministic=True) == before
    assert sample.verdict == CORRECT
    given.turns[1].verdict = CORRECT
    expected = Sample(
        sample_id=given.sample_id,
        sample_index=3,
        prompt_format="plain",
        teacher="somebody",
        task=given.task,
        turns=given.turns,
        verdict=CORRECT,
    )
    assert sample == expected


async def test_a_wrong_answer_with_turns_left_goes_back_with_feedback() -> None:
    given = attempt(OUTPUT, wrapped(OUTPUT, "145"), turns_left=1)
    revision = await outcome_of(verifier(revise=True), given)
    assert isinstance(revision, Attempt)
    assert revision.turns[-1].verdict == WRONG
    assert "145" in revision.turns[-1].feedback
    assert revision.turns_left == 1
    revision.turns[-1].ClearField("verdict")
    revision.turns[-1].ClearField("feedback")
    assert revision == given


@pytest.mark.parametrize("response", ["what?", wrapped(INPUT, '{"n": 1}')])
async def test_unparsable_and_failed_answers_are_revised_too(response: str) -> None:
    sandbox = ScriptedSandbox(CallResult(outcome=Outcome.OUTCOME_RAISED))
    record = await outcome_of(
        verifier(sandbox, revise=True), attempt(INPUT, response, turns_left=1)
    )
    assert isinstance(record, Attempt)


@pytest.mark.parametrize(("revise", "turns_left"), [(False, 1), (True, 0), (True, -1), (False, 0)])
async def test_a_wrong_answer_that_nobody_revises_is_a_sample(
    revise: bool, turns_left: int
) -> None:
    given = attempt(OUTPUT, "7", turns_left=turns_left)
    sample = await sample_of(verifier(revise=revise), given)
    assert sample.verdict == sample.turns[-1].verdict == WRONG
    assert sample.turns[-1].feedback


async def test_a_right_answer_has_no_feedback() -> None:
    given = attempt(OUTPUT, wrapped(OUTPUT, '{"square": 144}'))
    given.turns[0].feedback = "of an earlier judgement"
    assert (await sample_of(verifier(), given)).turns[0].feedback == ""


async def test_the_answer_apart_counts_only_without_a_response() -> None:
    given = attempt(OUTPUT, wrapped(OUTPUT, "7"))
    given.turns[0].answer_json = given.task.pair.output_json
    assert await verdict_of(given) == WRONG
    given.turns[0].response = "no idea"
    assert await verdict_of(given) == UNPARSABLE
    given.turns[0].response = " \n"
    assert await verdict_of(given) == CORRECT
    given.turns[0].answer_json = "{'square': 144"
    assert await verdict_of(given) == UNPARSABLE


async def test_reasoning_is_not_the_answer() -> None:
    given = attempt(OUTPUT, "")
    given.turns[0].reasoning = wrapped(OUTPUT, '{"square": 144}')
    assert await verdict_of(given) == UNPARSABLE


@pytest.mark.parametrize(
    ("finish_reason", "expected"),
    [
        ("", UNPARSABLE),
        ("stop", UNPARSABLE),
        ("length", UNPARSABLE),
        ("error", FAILED),
        ("content_filter", FAILED),
        ("error: 500", FAILED),
    ],
)
async def test_a_teacher_that_failed_is_told_from_one_that_said_nothing(
    finish_reason: str, expected: Verdict
) -> None:
    for direction in (OUTPUT, INPUT):
        given = attempt(direction, "")
        given.turns[0].finish_reason = finish_reason
        assert await verdict_of(given) == expected
    given = attempt(OUTPUT, wrapped(OUTPUT, '{"square": 144}'))
    given.turns[0].finish_reason = finish_reason
    assert await verdict_of(given) == CORRECT


@pytest.mark.parametrize(
    "broken",
    [
        Attempt(),
        Attempt(sample_id="a", turns=[Turn()]),
        Attempt(sample_id="a", turns=[Turn(response='{"output": 1}')]),
        attempt(OUTPUT),
        attempt(Direction.DIRECTION_UNSPECIFIED, '{"output": 1}'),
        attempt(OUTPUT, '{"output": 1}', output_json=""),
        attempt(OUTPUT, '{"output": 1}', output_json="NaN"),
        attempt(INPUT, '{"input": {"n": 1}}', output_json="not JSON"),
        attempt(INPUT, '{"input": {"n": 1}}', program=Program()),
        attempt(INPUT, '{"input": {"n": 1}}', program=Program(code="def f(): 1")),
    ],
)
async def test_what_cannot_be_judged_is_a_failed_sample_that_no_turn_mends(
    broken: Attempt,
) -> None:
    broken.turns_left = 3
    sample = await sample_of(verifier(returning("1"), revise=True), broken)
    assert sample.verdict == FAILED
    assert sample.sample_id == broken.sample_id
    assert len(sample.turns) == len(broken.turns)


@given(
    st.builds(
        attempt,
        st.sampled_from([*Direction.values(), 17]),
        TEXT := st.text(st.characters(exclude_categories=["Cs"])),
        program=st.builds(Program, code=TEXT, entry_point=TEXT),
        input_json=TEXT,
        output_json=TEXT | st.sampled_from(["1", "[1]", '{"a": 1}']),
        turns_left=st.integers(-(2**31), 2**31 - 1),
    ),
    TEXT,
)
async def test_garbage_in_any_field_gives_a_sample(given: Attempt, text: str) -> None:
    given.turns[0].answer_json = text
    given.turns[0].finish_reason = text
    sample = await sample_of(verifier(returning(text)), given)
    assert sample.verdict != Verdict.VERDICT_UNSPECIFIED


async def test_code_that_does_not_parse_leaves_the_verdict_to_the_sandbox() -> None:
    sandbox = ScriptedSandbox(CallResult(outcome=Outcome.OUTCOME_LOAD_FAILED))
    for code in ("def main_solution(:", "x = (" * 5000, "\x00", "main_solution = print"):
        program = Program(code=code, entry_point="main_solution")
        given = attempt(INPUT, '{"input": {"n": 1}}', program=program)
        assert await verdict_of(given, sandbox) == FAILED


@pytest.mark.parametrize(
    ("settings", "refuted", "expected"),
    [
        ({"check_claims": True}, 0, True),
        ({"check_claims": True}, 1, False),
        ({"check_claims": False}, 0, False),
    ],
)
async def test_claims_are_checked_for_the_sample(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], refuted: int, expected: bool
) -> None:
    asked: list[int] = []

    async def check(
        sandbox: object, program: Program, claims: list[Claim], *, trace_steps: int
    ) -> list[Claim]:
        assert program == SQUARE
        asked.append(trace_steps)
        return list(claims)[:refuted]

    monkeypatch.setattr("codeio.verifier.stage.check_claims", check)
    given = attempt(OUTPUT, wrapped(OUTPUT, '{"square": 144}'))
    assert not (await sample_of(verifier(), given)).claims_checked
    assert not asked
    given.turns[0].claims.add(kind=Claim.KIND_OUTPUT)
    assert (await sample_of(verifier(**settings), given)).claims_checked is expected
    assert asked == ([VerifierSettings().trace_steps] if settings["check_claims"] else [])


SECRETS = st.integers(10**6, 10**9).map(str) | st.text("abcxyz", min_size=8).map(values.dumps)


@given(
    secret_input=SECRETS,
    secret_output=SECRETS,
    response=SECRETS | st.just(""),
    printed=SECRETS,
    direction=st.sampled_from([OUTPUT, INPUT]),
    outcome=st.sampled_from(Outcome.values()),
    ending=st.sampled_from(["", " or 7", "]"]),
)
async def test_feedback_never_tells_the_truth(
    *,
    secret_input: str,
    secret_output: str,
    response: str,
    printed: str,
    direction: Direction,
    outcome: Outcome,
    ending: str,
) -> None:
    answer = response if direction == OUTPUT else f'{{"n": {response}}}'
    sandbox = ScriptedSandbox(
        CallResult(
            outcome=outcome, output_json=printed, error_type="ValueError", error_message=printed
        )
    )
    given = attempt(
        direction,
        wrapped(direction, answer) + ending,
        input_json=f'{{"n": {secret_input}}}',
        output_json=secret_output,
    )
    feedback = (await sample_of(verifier(sandbox), given)).turns[0].feedback
    for secret in (secret_input, secret_output):
        if secret not in (response, printed):
            assert secret.strip('"') not in feedback


async def test_feedback_says_what_happened() -> None:
    async def feedback_on(given: Attempt, sandbox: object = None) -> str:
        return (await sample_of(verifier(sandbox), given)).turns[-1].feedback

    assert "[1, 2]" in await feedback_on(attempt(OUTPUT, wrapped(OUTPUT, "[1, 2]")))
    wrong = await feedback_on(attempt(INPUT, wrapped(INPUT, '{"n": 5}')), returning("25"))
    assert '{"n": 5}' in wrong
    assert "25" in wrong
    raised = CallResult(
        outcome=Outcome.OUTCOME_RAISED, error_type="KeyError", error_message="no such key: 'a'"
    )
    told = await feedback_on(attempt(INPUT, wrapped(INPUT, '{"n": 5}')), ScriptedSandbox(raised))
    assert "KeyError: no such key: 'a'" in told
    late = CallResult(outcome=Outcome.OUTCOME_CPU_TIMEOUT)
    told = await feedback_on(attempt(INPUT, wrapped(INPUT, '{"n": 5}')), ScriptedSandbox(late))
    assert "in time" in told
    assert '{"output":' in await feedback_on(attempt(OUTPUT, "no idea"))
    assert '{"input":' in await feedback_on(attempt(INPUT, "no idea"))
    assert "which is final" in await feedback_on(attempt(OUTPUT, '{"output": 1} or 2'))


async def test_feedback_is_short() -> None:
    long = values.dumps("x" * 50_000)
    for asked, sandbox in (
        (attempt(OUTPUT, wrapped(OUTPUT, long)), None),
        (attempt(INPUT, wrapped(INPUT, f'{{"n": {long}}}')), returning(long)),
    ):
        sample = await sample_of(verifier(sandbox), asked)
        assert sample.verdict == WRONG
        assert len(sample.turns[0].feedback) < 3000
