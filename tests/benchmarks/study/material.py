"""Questions and examples to test with."""

from __future__ import annotations

from benchmarks.study.plan import Direction, Origin
from benchmarks.study.questions import Example, Question

from codeio.runtime import values


def question(
    number: int = 0,
    *,
    direction: Direction = Direction.OUTPUT,
    origin: Origin = Origin.PROGRAMS,
    program: str = "",
    given: object = None,
    output: object = 0,
) -> Question:
    return Question(
        question_id=f"q{number}",
        program_id=program or f"p{number}",
        origin=origin,
        direction=direction,
        code="def main_solution(n):\n    return n",
        entry_point="main_solution",
        input_json=values.dumps(given or {"n": number}),
        output_json=values.dumps(output),
    )


def example(
    number: int = 0, *, answer: object = None, direction: Direction = Direction.OUTPUT
) -> Example:
    asked = question(number, direction=direction, output=number)
    told = number if answer is None else answer
    return Example(asked, f"rationale {number}", values.dumps(told))
