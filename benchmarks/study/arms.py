"""What each arm is trained on, and the TrainingRun that does it.

The budget is the tokens of the main arm's samples, so that its cell is the same
at equal tokens and at equal examples. Shuffled answers are as many tokens as
before: that arm has one cell too. The answer alone is shorter, and has two: the
same examples, or more of them up to the budget.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from benchmarks.study.model import precision
from benchmarks.study.plan import Direction
from benchmarks.study.questions import Example, Form, chat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.study.plan import Plan
    from benchmarks.study.questions import Chat


class Arm(StrEnum):
    """What the model learns to say, and on how much of it."""

    RATIONALE = "rationale"
    SHUFFLED = "shuffled"
    ANSWER_EXAMPLES = "answer-examples"
    ANSWER_TOKENS = "answer-tokens"

    @property
    def form(self) -> Form:
        return Form.RATIONALE if self in {Arm.RATIONALE, Arm.SHUFFLED} else Form.ANSWER

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    Arm.RATIONALE: "rationale, then answer",
    Arm.SHUFFLED: "rationale, then another's answer",
    Arm.ANSWER_EXAMPLES: "answer alone, equal examples",
    Arm.ANSWER_TOKENS: "answer alone, equal tokens",
}


@dataclass(frozen=True)
class Cell:
    """One arm with one seed."""

    arm: Arm
    seed: int

    @property
    def name(self) -> str:
        return f"{self.arm.value}-{self.seed}"


def cells_of(plan: Plan) -> list[Cell]:
    """Return all that is trained; a seed is whole before the next begins."""
    arms = list(Arm) if plan.all_arms else [Arm.RATIONALE]
    return [Cell(arm, seed) for seed in plan.seeds for arm in arms]


def training_chats(
    cell: Cell, pool: Sequence[Example], *, budget: int, count: Callable[[Chat], int]
) -> list[Chat]:
    """Return the samples of a cell, drawn from the pool by its seed.

    `count` gives a chat's tokens. Where the pool is smaller than the budget it
    is gone through again, in another order.
    """
    if cell.arm is Arm.ANSWER_TOKENS:
        return _drawn(pool, Form.ANSWER, seed=cell.seed, budget=budget, count=count)[1]
    chosen, chats = _drawn(pool, Form.RATIONALE, seed=cell.seed, budget=budget, count=count)
    if cell.arm is Arm.RATIONALE:
        return chats
    if cell.arm is Arm.SHUFFLED:
        chosen = with_answers_shuffled(chosen, seed=cell.seed)
    return [chat(example, cell.arm.form) for example in chosen]


def _drawn(
    pool: Sequence[Example], form: Form, *, seed: int, budget: int, count: Callable[[Chat], int]
) -> tuple[list[Example], list[Chat]]:
    rng = random.Random(seed)
    chosen: list[Example] = []
    chats: list[Chat] = []
    used = 0
    while pool:
        for example in rng.sample(pool, k=len(pool)):
            sample = chat(example, form)
            used += count(sample)
            if used > budget:
                return chosen, chats
            chosen.append(example)
            chats.append(sample)
    raise ValueError("there is no example to train on")


def with_answers_shuffled(examples: Sequence[Example], *, seed: int) -> list[Example]:
    """Return the examples with each other's answers, those of a direction among themselves.

    Answers go round a random circle: none stays where it was, but for equal ones.
    """
    shuffled = list(examples)
    for direction in Direction:
        places = [p for p, e in enumerate(examples) if e.question.direction is direction]
        random.Random(f"{seed} {direction}").shuffle(places)
        for place, other in zip(places, places[1:] + places[:1], strict=True):
            mine = examples[place]
            shuffled[place] = Example(mine.question, mine.rationale, examples[other].answer_json)
    return shuffled


def write_rows(chats: Sequence[Chat], file: Path) -> None:
    """Write samples as the rows that a TrainingRun reads."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = (json.dumps({"messages": messages}, ensure_ascii=False) for messages in chats)
    file.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def manifest(cell: Cell, plan: Plan, *, model: Path, rows: Path, runs: Path) -> dict[str, Any]:
    """Return the TrainingRun of a cell: one pass over its rows."""
    return {
        "apiVersion": "codeio.dev/v1alpha1",
        "kind": "TrainingRun",
        "metadata": {"name": cell.name},
        "spec": {
            "model": {"path": str(model.resolve())},
            "data": {"reasoning": [{"path": str(rows.resolve()), "format": "Messages"}]},
            "recipe": "OneStage",
            "hyperparameters": {
                "learningRate": plan.learning_rate,
                "schedule": "Constant",
                "warmupSteps": 5,
                "batchSize": plan.batch_size,
                "epochs": 1,
                # Another's answer may be longer.
                "maxLength": plan.longest_sample + plan.longest_answer,
                "longSamples": "Fail",
            },
            "execution": {
                "precision": precision(),
                "tokensPerDevice": plan.tokens_per_device,
            },
            "checkpoints": {"path": str(runs.resolve()), "everySteps": 20, "keep": 1},
            "seed": cell.seed,
        },
    }
