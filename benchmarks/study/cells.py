"""Trains and questions what is not there yet, and keeps each result as soon as it is there.

In the study's folder:

    plan.json                  what all of it depends on
    model/                     the untouched model
    run/                       what `codeio run` made: the data
    cells/NAME/train.jsonl     what a cell is trained on
    cells/NAME/run.yaml        its TrainingRun
    cells/NAME/trained.json    that it was, and the figures of it
    cells/NAME/answers.jsonl   its answers, batch by batch
    cells/NAME/verdicts.json   how they were judged
    runs/NAME/                 checkpoints and model, as `codeio train` leaves them

Names are those of the arms with a seed, and `untouched-...` for the model as it was.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from benchmarks.study.answering import answer_all, read_answers
from benchmarks.study.arms import cells_of, manifest, training_chats, write_rows
from benchmarks.study.baselines import shots
from benchmarks.study.grading import Given, grade
from benchmarks.study.plan import Direction
from benchmarks.study.questions import Form, asking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.study.arms import Cell
    from benchmarks.study.plan import Plan
    from benchmarks.study.progress import Progress
    from benchmarks.study.questions import Example, Question
    from benchmarks.study.tokens import Tokens

# About how many seconds on two cores with AVX2; by them the time left is told.
_TRAINED_TOKEN = 0.008
_ANSWER = {Form.RATIONALE: 2.5, Form.ANSWER: 1.0}

_ENVIRONMENT = {
    # Without these a step spends more time on memory than on arithmetic.
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "268435456",
}


@dataclass(frozen=True)
class Untouched:
    """A way to ask the model as it was."""

    form: Form
    shots: int
    """Examples that it is shown."""

    @property
    def name(self) -> str:
        word = "rationale" if self.form is Form.RATIONALE else "answer"
        return f"untouched-{word}-{self.shots}-shot"

    @property
    def title(self) -> str:
        return f"untouched, {self.form}, {self.shots} examples"


def untouched_ways(plan: Plan) -> list[Untouched]:
    """Return the ways: in both forms, with examples and, in the whole study, without."""
    counts = (0, plan.shots) if plan.all_arms else (plan.shots,)
    return [Untouched(form, count) for form in Form for count in counts]


@dataclass(frozen=True)
class Laboratory:
    """Where all cells are made, of the same model, the same pool and the same questions."""

    plan: Plan
    model: Path
    tokens: Tokens
    pool: Sequence[Example]
    questions: Sequence[Question]
    progress: Progress

    def run(self) -> None:
        """Do all that the plan has and that was not done before."""
        self.progress.units = self._work()
        for way in untouched_ways(self.plan):
            self._ask(way.name, self.model, way.form, examples=way.shots)
        for cell in cells_of(self.plan):
            self._ask(cell.name, self.train(cell), cell.arm.form)

    def folder(self, name: str) -> Path:
        return self.plan.folder / "cells" / name

    def figures(self, cell: Cell) -> dict[str, Any]:
        """Return what was noted of a cell's training."""
        noted: dict[str, Any] = json.loads((self.folder(cell.name) / "trained.json").read_text())
        return noted

    def verdicts(self, name: str) -> dict[str, str]:
        """Return the verdict on each answer so far, by the question's id."""
        file = self.folder(name) / "verdicts.json"
        judged: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        return judged

    def train(self, cell: Cell) -> Path:
        """Return the model of a cell; what is left of its training is done.

        Raises:
            CalledProcessError: `codeio train` failed; it said why.
        """
        place, runs = self.folder(cell.name), self.plan.folder / "runs"
        model = runs / cell.name / "models" / "reasoning"
        if (place / "trained.json").exists():
            return model
        chats = training_chats(
            cell, self.pool, budget=self.plan.token_budget, count=self.tokens.of_chat
        )
        file = place / "run.yaml"
        asked = manifest(cell, self.plan, model=self.model, rows=place / "train.jsonl", runs=runs)
        write_rows(chats, place / "train.jsonl")
        file.write_text(yaml.safe_dump(asked, sort_keys=False))
        self.progress.say(f"{cell.name}: trains on {len(chats)} samples")
        begun = time.monotonic()
        told = subprocess.run(
            [Path(sys.executable).with_name("codeio"), "train", "-f", file, "--local", "--json"],
            check=True,
            stdout=subprocess.PIPE,
            env=os.environ | _ENVIRONMENT,
        )
        noted = json.loads(told.stdout) | {
            "samples": len(chats),
            "tokens": sum(map(self.tokens.of_chat, chats)),
            "seconds": round(time.monotonic() - begun, 1),
        }
        (place / "trained.json").write_text(json.dumps(noted))
        shutil.rmtree(runs / cell.name / "checkpoints", ignore_errors=True)
        self.progress.advance(self._training)
        return model

    def _ask(self, name: str, model: Path, form: Form, *, examples: int = 0) -> None:
        """Have a model answer all questions, and have the answers judged."""
        place = self.folder(name)
        place.mkdir(parents=True, exist_ok=True)
        shown = {each: shots(self.pool, each, count=examples) for each in Direction}
        prompts = {
            question.question_id: self.tokens.opened(
                asking(question, form, shots=shown[question.direction])
            )
            for question in self.questions
        }
        answered = len(prompts) - len(self._unanswered(name))

        def done(count: int) -> None:
            nonlocal answered
            answered += count
            self.progress.advance(count * _ANSWER[form])
            self.progress.say(f"{name}: {answered} of {len(prompts)} questions answered")

        plan = self.plan
        answers = answer_all(
            model,
            prompts,
            place / "answers.jsonl",
            tokens=self.tokens,
            most_new=plan.thinking_tokens if form is Form.RATIONALE else plan.answer_tokens,
            done=done,
        )
        self._judge(name, answers)

    def _judge(self, name: str, answers: dict[str, str]) -> None:
        judged = self.verdicts(name)
        new = [each for each in self.questions if each.question_id not in judged]
        if not new:
            return
        verdicts = grade([Given(each, response=answers[each.question_id]) for each in new])
        judged |= {each.question_id: said for each, said in zip(new, verdicts, strict=True)}
        (self.folder(name) / "verdicts.json").write_text(json.dumps(judged))

    def _work(self) -> float:
        """Return about how many seconds there is left to do."""
        cells = cells_of(self.plan)
        training = [c for c in cells if not (self.folder(c.name) / "trained.json").exists()]
        asked = [(way.name, way.form) for way in untouched_ways(self.plan)]
        asked += [(cell.name, cell.arm.form) for cell in cells]
        return len(training) * self._training + sum(
            len(self._unanswered(name)) * _ANSWER[form] for name, form in asked
        )

    @property
    def _training(self) -> float:
        return self.plan.token_budget * _TRAINED_TOKEN

    def _unanswered(self, name: str) -> set[str]:
        known = read_answers(self.folder(name) / "answers.jsonl")
        return {question.question_id for question in self.questions} - known.keys()
