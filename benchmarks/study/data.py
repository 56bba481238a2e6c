"""Runs the recipe on packages of PyPI; chooses examples and held-out questions.

The split is the data set's own: by program, after near duplicates were removed.
What is asked has prompts and answers no longer than what was learnt. It is a
sample too: a question whose answer the teacher found, though not in how many words.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from benchmarks.study.functions import random_questions
from benchmarks.study.plan import PACKAGES, RUN_SETTINGS, Direction, Origin, Plan
from benchmarks.study.questions import Example, Form, Question, chat, response

from codeio.cot_generator.prompts import split_final_answer
from codeio.runtime import values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.study.tokens import Tokens

_DIRECTIONS = {
    "DIRECTION_OUTPUT_PREDICTION": Direction.OUTPUT,
    "DIRECTION_INPUT_PREDICTION": Direction.INPUT,
}
_FUNCTIONS_SEED = 20
# How many functions are made for each that is asked about: some are too long.
_SURPLUS = 1.2


def make_data_set(folder: Path) -> Path:
    """Return the data set that the recipe makes of the packages; an interrupted run goes on.

    Raises:
        CalledProcessError: the recipe failed; it said why.
    """
    made = folder / "dataset"
    if not made.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        settings = folder.with_suffix(".yaml")
        settings.write_text(yaml.safe_dump(RUN_SETTINGS))
        command = Path(sys.executable).with_name("codeio")
        sources = [f"pypi:{package}" for package in PACKAGES]
        subprocess.run(
            [command, "run", *sources, "--out", folder, "--config", settings], check=True
        )
    return made


def examples(data_set: Path, split: str, *, tokens: Tokens, plan: Plan) -> list[Example]:
    """Return what can be learnt of a split, within the plan's limits, in no telling order."""
    return [each for each in _samples(data_set, split) if _fits(each, tokens, plan)]


def held_out(
    data_set: Path, split: str, *, tokens: Tokens, plan: Plan
) -> dict[tuple[Origin, Direction], list[Question]]:
    """Return the questions that are asked, by origin and direction.

    A smaller plan asks the first of a larger plan's.
    """
    found = [example.question for example in _samples(data_set, split)]
    questions = [question for question in found if _short(question, tokens, plan)]
    asked: dict[tuple[Origin, Direction], list[Question]] = {}
    for (origin, direction), count in plan.questions.items():
        if origin is Origin.PROGRAMS:
            of_direction = [each for each in questions if each.direction is direction]
            asked[origin, direction] = list(spread(of_direction))[:count]
        else:
            made = random_questions(
                direction, count=int(_SURPLUS * count) + 1, seed=_FUNCTIONS_SEED
            )
            asked[origin, direction] = [each for each in made if _short(each, tokens, plan)][:count]
    return asked


def spread(questions: Iterable[Question]) -> Iterator[Question]:
    """Yield one question of each program, then a second of each, and so on."""
    by_program: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        by_program[question.program_id].append(question)
    for place in range(max(map(len, by_program.values()), default=0)):
        yield from (each[place] for each in by_program.values() if place < len(each))


def _samples(data_set: Path, split: str) -> list[Example]:
    with (data_set / "messages" / f"{split}.jsonl").open(encoding="utf-8") as rows:
        found = [_example(json.loads(row)) for row in rows]
    return sorted(
        (each for each in found if each is not None),
        key=lambda example: _shuffled(example.question.question_id),
    )


def _example(row: dict[str, Any]) -> Example | None:
    """Return a row as an example, or None if it took more than one answer."""
    if row["turns"] != 1:
        return None
    about = json.loads(row["verification_info"])
    direction = _DIRECTIONS[about["direction"]]
    rationale, final = split_final_answer(row["messages"][-1]["content"])
    answer = values.loads(final.removeprefix("```json").removesuffix("```"))[direction.value]
    question = Question(
        question_id=row["task_id"],
        program_id=row["program_id"],
        origin=Origin.PROGRAMS,
        direction=direction,
        code=about["code"],
        entry_point=about["entry_point"],
        input_json=about["input_json"],
        output_json=about["output_json"],
    )
    return Example(question, rationale, values.dumps(answer))


def _fits(example: Example, tokens: Tokens, plan: Plan) -> bool:
    return (
        tokens.of_text(example.rationale) <= plan.longest_rationale
        and tokens.of_text(response(example, Form.ANSWER)) <= plan.longest_answer
        and tokens.of_chat(chat(example, Form.RATIONALE)) <= plan.longest_sample
    )


def _short(question: Question, tokens: Tokens, plan: Plan) -> bool:
    """Whether prompt and answer are no longer than those that were learnt."""
    alone = Example(question, "", question.gold_json)
    return (
        tokens.of_text(response(alone, Form.ANSWER)) <= plan.longest_answer
        and tokens.of_chat(chat(alone, Form.RATIONALE))
        <= plan.longest_sample - plan.longest_rationale
    )


def _shuffled(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()
