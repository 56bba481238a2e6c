"""What the prompt shows and the response holds, in each of the paper's formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from codeio.cot_generator import CotGenerator
from codeio.cot_generator.prompts import Format, question
from codeio.runtime.settings import LimitsSettings, PromptFormat, TeacherSettings, VerifierSettings
from codeio.v1.records_pb2 import Attempt, Direction, IoPair, PredictionTask, Program, Turn, Verdict
from codeio.verifier import Verifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.runtime.stage import Sandbox

FORMATS = get_args(PromptFormat)
CODE = "def main_solution(n):\n    return n * 2\n"
TASK = PredictionTask(
    task_id="t",
    program=Program(
        code=CODE,
        entry_point="main_solution",
        problem_statement="Double a number.",
        io_description="Input: `n` (int). Output: int.",
    ),
    pair=IoPair(input_json='{"n": 21}', output_json="42"),
    direction=Direction.DIRECTION_OUTPUT_PREDICTION,
)


class Recorder:
    """Answers rightly, and notes what it was shown."""

    name = "recorder"

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.conversations: list[Sequence[Turn]] = []

    async def answer(
        self, task: PredictionTask, *, prompt: str, conversation: Sequence[Turn], sample_index: int
    ) -> Turn:
        self.prompts.append(prompt)
        self.conversations.append(conversation)
        return Turn(prompt=prompt, response='Twice 21.\n\n```json\n{"output": 42}\n```')


async def attempt_in(name: str, teacher: Recorder) -> Attempt:
    settings = TeacherSettings.model_validate({"prompt_format": name})
    [attempt] = [a async for a in CotGenerator(teacher, settings=settings).handle(TASK)]
    return attempt


def test_all_nine_combinations_are_there_and_the_papers_best_comes_first() -> None:
    assert len(set(FORMATS)) == 9
    assert TeacherSettings().prompt_format == FORMATS[0] == "query+code/rationale"


@pytest.mark.parametrize("name", FORMATS)
async def test_prompt_and_response_hold_what_the_format_names(name: str) -> None:
    shown, answered = name.split("/")
    teacher = Recorder()
    attempt = await attempt_in(name, teacher)
    [turn] = attempt.turns
    assert attempt.prompt_format == name
    assert ("Double a number." in turn.prompt) == ("query" in shown)
    assert (CODE.strip() in turn.prompt) == ("code" in shown)
    assert (CODE.strip() in turn.response) == ("code" in answered)
    assert ("Twice 21." in turn.response) == ("rationale" in answered)
    assert "42" not in turn.prompt
    assert "n` (int)" in turn.prompt


@pytest.mark.parametrize("name", FORMATS)
async def test_a_teacher_sees_the_code_that_its_rationale_is_put_behind(name: str) -> None:
    shown, answered = name.split("/")
    teacher = Recorder()
    await attempt_in(name, teacher)
    if "rationale" not in answered:
        assert not teacher.prompts
        return
    [prompt] = teacher.prompts
    assert (CODE.strip() in prompt) == ("code" in shown or "code" in answered)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "direction", [Direction.DIRECTION_OUTPUT_PREDICTION, Direction.DIRECTION_INPUT_PREDICTION]
)
async def test_the_answer_of_every_format_can_be_judged(
    sandbox: Sandbox, name: str, direction: Direction
) -> None:
    task = PredictionTask()
    task.CopyFrom(TASK)
    task.direction = direction
    settings = TeacherSettings.model_validate({"prompt_format": name})
    attempts = [a async for a in CotGenerator(Recorder(), settings=settings).handle(task)]
    verifier = Verifier(sandbox, settings=VerifierSettings(), limits=LimitsSettings(), revise=False)
    [sample] = [s async for s in verifier.handle(attempts[0])]
    right = direction == Direction.DIRECTION_OUTPUT_PREDICTION or "rationale" not in name
    assert (sample.verdict == Verdict.VERDICT_CORRECT) == right


async def test_a_revision_shows_the_teacher_the_conversation_as_it_saw_it() -> None:
    teacher = Recorder()
    attempt = await attempt_in("query/code+rationale", teacher)
    attempt.turns[-1].feedback = "Not so."
    settings = TeacherSettings.model_validate({"prompt_format": "query/code+rationale"})
    [revised] = [a async for a in CotGenerator(teacher, settings=settings).handle(attempt)]
    [first] = teacher.conversations[-1]
    assert CODE.strip() in first.prompt
    assert CODE.strip() not in revised.turns[0].prompt
    assert "Not so." in revised.turns[1].prompt


def test_a_format_that_asks_for_code_says_so() -> None:
    assert "First write Python code" in question(TASK, Format.named("query/code+rationale"))
    assert "First write" not in question(TASK, Format.named("code/rationale"))
