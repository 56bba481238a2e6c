"""What the stage makes of tasks and of attempts that were wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.cot_generator import CotGenerator
from codeio.runtime.records import sample_id
from codeio.runtime.settings import TeacherSettings
from codeio.v1.records_pb2 import Direction, IoPair, PredictionTask, Program, Turn, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

TASK = PredictionTask(
    task_id="t",
    program=Program(
        code="def main_solution(n):\n    return n * 2\n",
        entry_point="main_solution",
        problem_statement="Double a number.",
        io_description="Input: `n` (int). Output: int.",
    ),
    pair=IoPair(input_json='{"n": 21}', output_json="42"),
    direction=Direction.DIRECTION_OUTPUT_PREDICTION,
)


class Parrot:
    """Repeats what it was asked."""

    name = "parrot-0"

    async def answer(
        self, task: PredictionTask, *, prompt: str, conversation: Sequence[Turn], sample_index: int
    ) -> Turn:
        return Turn(prompt=prompt, response=f"{sample_index}/{len(conversation)}")


async def test_a_task_becomes_one_attempt_per_sample() -> None:
    settings = TeacherSettings(samples_per_task=3, turns=2)
    attempts = [a async for a in CotGenerator(Parrot(), settings=settings).handle(TASK)]
    assert [a.sample_index for a in attempts] == [0, 1, 2]
    assert [a.turns[0].response for a in attempts] == ["0/0", "1/0", "2/0"]
    assert {a.turns_left for a in attempts} == {2}
    assert attempts[1].sample_id == sample_id(
        task_id="t",
        prompt_format=TeacherSettings().prompt_format,
        teacher="parrot-0",
        sample_index=1,
    )
    assert all(a.task == TASK and len(a.turns) == 1 for a in attempts)


async def test_a_revision_keeps_the_turns_and_shows_the_feedback() -> None:
    generator = CotGenerator(Parrot(), settings=TeacherSettings(turns=1))
    [attempt] = [a async for a in generator.handle(TASK)]
    attempt.turns[-1].verdict = Verdict.VERDICT_WRONG
    attempt.turns[-1].feedback = "41 is not it."
    before = attempt.SerializeToString()
    [revised] = [a async for a in generator.handle(attempt)]
    assert revised.sample_id == attempt.sample_id
    assert revised.turns[0] == attempt.turns[0]
    assert "41 is not it." in revised.turns[1].prompt
    assert (revised.turns_left, len(revised.turns)) == (0, 2)
    assert attempt.SerializeToString() == before


async def test_the_prompt_shows_the_given_side_and_hides_the_other() -> None:
    generator = CotGenerator(Parrot(), settings=TeacherSettings())
    [forward] = [a async for a in generator.handle(TASK)]
    backward_task = PredictionTask()
    backward_task.CopyFrom(TASK)
    backward_task.direction = Direction.DIRECTION_INPUT_PREDICTION
    [backward] = [a async for a in generator.handle(backward_task)]
    assert '{"n": 21}' in forward.turns[0].prompt
    assert "42" not in forward.turns[0].prompt
    assert "\n42\n" in backward.turns[0].prompt
    assert "21" not in backward.turns[0].prompt
    for attempt in (forward, backward):
        assert TASK.program.code.strip() in attempt.turns[0].prompt
        assert "Double a number." in attempt.turns[0].prompt
