"""What a language model is shown, and what becomes of its replies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codeio.cot_generator import GroundedTeacher, ModelTeacher, TraceTeacher
from codeio.language_model import ContextTooLong, Message, Question, Reply
from codeio.runtime.settings import TeacherSettings
from codeio.v1.records_pb2 import Direction, IoPair, PredictionTask, Program, Turn
from codeio.verifier import RationaleCheck

if TYPE_CHECKING:
    from codeio.runtime.stage import Sandbox

TASK = PredictionTask(
    task_id="t",
    program=Program(
        code=(
            "def main_solution(numbers):\n    total = 0\n    for number in numbers:\n"
            "        total = total + number\n    return total\n"
        ),
        entry_point="main_solution",
        problem_statement="Add up numbers.",
        io_description="Input: `numbers` (list of int). Output: int.",
    ),
    pair=IoPair(input_json='{"numbers": [3, 4]}', output_json="7"),
    direction=Direction.DIRECTION_OUTPUT_PREDICTION,
)


class ScriptedModel:
    """Answers every question alike, and keeps the questions."""

    name = "scripted-1"

    def __init__(self, *answers: str, finish_reason: str = "stop") -> None:
        self._answers = answers
        self._finish_reason = finish_reason
        self.questions: list[Question] = []

    async def ask(self, question: Question) -> Reply:
        self.questions.append(question)
        if not self._answers:
            raise ContextTooLong("9,000 tokens are more than 2,048")
        content = self._answers[min(len(self.questions), len(self._answers)) - 1]
        return Reply(
            content,
            reasoning="Hm.",
            finish_reason=self._finish_reason,
            prompt_tokens=11,
            completion_tokens=7,
            cost_usd=0.25,
        )


async def test_a_reply_becomes_a_turn_with_all_that_is_known_of_it() -> None:
    turn = await ModelTeacher(ScriptedModel("Seven.")).answer(
        TASK, prompt="What?", conversation=(), sample_index=2
    )
    assert (turn.prompt, turn.response, turn.reasoning) == ("What?", "Seven.", "Hm.")
    assert (turn.usage.prompt_tokens, turn.usage.completion_tokens) == (11, 7)
    assert turn.usage.cost_usd == 0.25
    assert turn.finish_reason == "stop"


async def test_the_model_is_shown_the_conversation_without_its_thoughts() -> None:
    model = ScriptedModel("Seven.")
    before = (
        Turn(prompt="What?", response="Six.", reasoning="Three and four is six."),
        Turn(prompt="Not so.", response=""),
    )
    await ModelTeacher(model).answer(TASK, prompt="Still not.", conversation=before, sample_index=4)
    [question] = model.questions
    assert question.messages == (
        Message("user", "What?"),
        Message("assistant", "Six."),
        Message("user", "Not so."),
        Message("assistant", "(no answer)"),
        Message("user", "Still not."),
    )
    assert question.sample_index == 4


async def test_a_question_that_does_not_fit_is_a_turn_that_says_so() -> None:
    turn = await ModelTeacher(ScriptedModel()).answer(
        TASK, prompt="What?", conversation=(), sample_index=0
    )
    assert (turn.response, turn.finish_reason) == ("", "context_too_long")


def grounded(sandbox: Sandbox, model: ScriptedModel) -> GroundedTeacher:
    return GroundedTeacher(
        TraceTeacher(sandbox, settings=TeacherSettings()),
        model,
        check=RationaleCheck(sandbox, trace_steps=500),
    )


async def test_a_rewrite_whose_statements_hold_is_taken(sandbox: Sandbox) -> None:
    text = (
        "We add the numbers one by one. At the start total is 0. With number = 3 total becomes 3, "
        "and with number = 4 total becomes 7. So the function returns 7."
    )
    model = ScriptedModel(text)
    turn = await grounded(sandbox, model).answer(
        TASK, prompt="What?", conversation=(), sample_index=0
    )
    assert turn.finish_reason == "rewritten"
    assert turn.response == f'{text}\n\n```json\n{{"output": 7}}\n```'
    assert not turn.claims
    assert turn.usage.cost_usd == 0.25
    assert "total" in model.questions[0].messages[0].content


@pytest.mark.parametrize(
    "text",
    [
        "At the start total is 0. With number = 3 total becomes 5, and then total becomes 7.",
        "The notes say that total is 0, then total becomes 3, then total becomes 7.",
        "It is easy to see what happens here.",
        "",
    ],
    ids=["refuted", "of notes", "nothing stated", "empty"],
)
async def test_any_other_rewrite_is_dropped_for_what_it_was_made_of(
    sandbox: Sandbox, text: str
) -> None:
    plain = await TraceTeacher(sandbox, settings=TeacherSettings()).answer(
        TASK, prompt="What?", conversation=(), sample_index=0
    )
    turn = await grounded(sandbox, ScriptedModel(text)).answer(
        TASK, prompt="What?", conversation=(), sample_index=0
    )
    assert (turn.response, turn.finish_reason) == (plain.response, plain.finish_reason)
    assert turn.claims == plain.claims
    assert turn.usage.cost_usd == 0.25


async def test_a_rewrite_that_was_cut_is_dropped(sandbox: Sandbox) -> None:
    model = ScriptedModel("At the start total is 0, then 3, then", finish_reason="length")
    turn = await grounded(sandbox, model).answer(
        TASK, prompt="What?", conversation=(), sample_index=0
    )
    assert turn.finish_reason == "stop"
    assert turn.claims
