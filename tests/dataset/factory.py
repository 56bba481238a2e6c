"""Samples as the pipeline makes them, without running it."""

from __future__ import annotations

import json
import random

from codeio.runtime import records
from codeio.v1.records_pb2 import (
    Claim,
    Direction,
    IoPair,
    Origin,
    PredictionTask,
    Program,
    Sample,
    StatementCounts,
    Turn,
    Verdict,
)

CORRECT, WRONG = Verdict.VERDICT_CORRECT, Verdict.VERDICT_WRONG
OUTPUT = Direction.DIRECTION_OUTPUT_PREDICTION
INPUT = Direction.DIRECTION_INPUT_PREDICTION


def code(number: int, *, lines: int = 12) -> str:
    """Return a program that resembles no other number's."""
    rng = random.Random(number)
    body = "".join(
        f"    {rng.choice('abcdefg')}{rng.randrange(99)} = "
        f"{rng.choice(['len', 'sum', 'max', 'sorted'])}(values) "
        f"{rng.choice('+-*')} {rng.randrange(10_000)} if {rng.randrange(1000)} in values else "
        f"{rng.randrange(1000)}\n"
        for _ in range(lines)
    )
    return f"def main_solution(values):\n{body}    return {number}\n"


def program(number: int = 0, *, text: str | None = None, **origin: str) -> Program:
    text = code(number) if text is None else text
    place = Origin(
        **{
            "source": "pypi:example==1.0",
            "path": f"example/module_{number}.py",
            "licence": "MIT",
            "repository": "example",
            "file_id": records.file_id(f"{number}"),
            "unit": "f",
            **origin,
        }
    )
    return Program(
        program_id=records.program_id(code=text, entry_point="main_solution", origin=place),
        code=text,
        entry_point="main_solution",
        io_description="Input:\n  values (list of int)\nOutput:\n  int",
        problem_statement=f"Problem {number}: combine the values.",
        origin=place,
    )


def sample(
    of: Program | int = 0,
    *,
    pair: int = 0,
    direction: Direction = OUTPUT,
    verdicts: tuple[Verdict, ...] = (CORRECT,),
    index: int = 0,
    finish_reason: str = "stop",
) -> Sample:
    """Return a sample with one turn per verdict."""
    made_of = of if isinstance(of, Program) else program(of)
    io = IoPair(input_json=json.dumps({"values": [pair, 2, 3]}), output_json=str(pair + 10**20))
    task = PredictionTask(
        task_id=records.task_id(program_id=made_of.program_id, pair=io, direction=direction),
        program=made_of,
        pair=io,
        direction=direction,
    )
    turns = [
        Turn(
            prompt=f"{made_of.problem_statement}\n\nGiven {io.input_json}, what comes out?"
            if number == 1
            else "Your answer was not right. Think again.",
            response=f"Step {number}: the list has three items.\n\nAnswer: {io.output_json}",
            feedback="" if verdict == CORRECT else "The answer is not what the program gives.",
            verdict=verdict,
            claims=[Claim(kind=Claim.KIND_OUTPUT, value_json=io.output_json)],
            statements=StatementCounts(
                supported=int(verdict == CORRECT), contradicted=int(verdict != CORRECT)
            ),
            finish_reason=finish_reason,
        )
        for number, verdict in enumerate(verdicts, start=1)
    ]
    return Sample(
        sample_id=records.sample_id(
            task_id=task.task_id, prompt_format="plain", teacher="trace", sample_index=index
        ),
        sample_index=index,
        prompt_format="plain",
        teacher="trace",
        task=task,
        turns=turns,
        verdict=verdicts[-1],
        claims_checked=verdicts[-1] == CORRECT,
    )


def samples(programs: int, *, pairs: int = 2) -> list[Sample]:
    """Return samples of many programs: both directions, some of them wrong or revised."""
    made = []
    for number in range(programs):
        for pair in range(pairs):
            verdicts = {0: (CORRECT,), 1: (WRONG, CORRECT), 2: (WRONG, WRONG)}[(number + pair) % 3]
            made += [
                sample(number, pair=pair, direction=direction, verdicts=verdicts)
                for direction in (OUTPUT, INPUT)
            ]
    return made
