"""Runs the study, or goes on with it."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

# What imports torch must find these set.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from benchmarks.study.arms import Arm, cells_of
from benchmarks.study.baselines import trivial_baselines
from benchmarks.study.cells import Laboratory, untouched_ways
from benchmarks.study.data import examples, held_out, make_data_set
from benchmarks.study.grading import Given, grade
from benchmarks.study.model import precision, prepare_model
from benchmarks.study.page import print_tables, write_page
from benchmarks.study.plan import DEMO, PACKAGES, STUDY, Plan
from benchmarks.study.progress import Progress
from benchmarks.study.report import CORRECT, Asked, Outcome, evaluate
from benchmarks.study.tokens import Tokens

_POLITE = 10


def study(plan: Plan, *, page: Path) -> None:
    """Do what is left of a plan and write what came out."""
    begun = time.monotonic()
    plan.claim(precision=precision())
    model = prepare_model(plan.folder / "model")
    data_set = make_data_set(plan.folder / "run")
    tokens = Tokens(model)
    pool = examples(data_set, "train", tokens=tokens, plan=plan)
    by_part = held_out(data_set, "test", tokens=tokens, plan=plan)
    questions = [question for part in by_part.values() for question in part]
    laboratory = Laboratory(plan, model, tokens, pool, questions, Progress())
    laboratory.run()
    outcome = evaluate(_asked(laboratory), questions, resamples=plan.resamples)
    found = {
        "plan": _settings(plan) | {"precision": precision()},
        "data": {
            "packages": PACKAGES,
            "training_examples": len(pool),
            "training_programs": len({each.question.program_id for each in pool}),
            "training_directions": Counter(each.question.direction for each in pool),
            "programs_asked": len({each.program_id for each in questions}),
            "questions": {f"{o}, {d}": len(part) for (o, d), part in by_part.items()},
        },
        "trained": _trained(laboratory),
    }
    _write(found, outcome, page=page, plan=plan)
    print_tables(outcome)
    print(f"{page} after {(time.monotonic() - begun) / 60:.0f} minutes")


def _asked(laboratory: Laboratory) -> list[Asked]:
    """Return all who answered, arms first."""
    plan = laboratory.plan
    arms = []
    for arm in Arm:
        names = [cell.name for cell in cells_of(plan) if cell.arm is arm]
        if names:
            verdicts = tuple(map(laboratory.verdicts, names))
            arms.append(Asked(arm.label, "arm", verdicts, arm))
    untouched = [
        Asked(way.title, "untouched", (laboratory.verdicts(way.name),))
        for way in untouched_ways(plan)
    ]
    return [*arms, *untouched, *_guessed(laboratory)]


def _guessed(laboratory: Laboratory) -> list[Asked]:
    """Return the trivial baselines, all of their guesses judged."""
    baselines = trivial_baselines(laboratory.pool, laboratory.questions)
    guesses = [
        (number, Given(question, answer_json=guess))
        for number, baseline in enumerate(baselines)
        for question in laboratory.questions
        for guess in baseline.guesses(question)
    ]
    verdicts = grade([given for _, given in guesses])
    right: set[tuple[int, str]] = {
        (number, given.question.question_id)
        for (number, given), verdict in zip(guesses, verdicts, strict=True)
        if verdict == CORRECT
    }
    return [
        Asked(
            baseline.name,
            "oracle" if baseline.oracle else "trivial",
            (
                {
                    q.question_id: CORRECT if (number, q.question_id) in right else "WRONG"
                    for q in laboratory.questions
                },
            ),
        )
        for number, baseline in enumerate(baselines)
    ]


def _trained(laboratory: Laboratory) -> list[dict[str, Any]]:
    rows = []
    for cell in cells_of(laboratory.plan):
        noted = laboratory.figures(cell)
        rows.append(
            {
                "title": cell.arm.label,
                "seed": cell.seed,
                "samples": noted["samples"],
                "tokens": noted["tokens"],
                "steps": noted["steps"],
                "loss": noted["stages"]["reasoning"]["loss"],
                "seconds": noted["seconds"],
            }
        )
    return rows


def _settings(plan: Plan) -> dict[str, Any]:
    settings = asdict(plan)
    settings["folder"] = str(plan.folder)
    settings["questions"] = {f"{o}, {d}": count for (o, d), count in plan.questions.items()}
    return settings


def _write(found: dict[str, Any], outcome: Outcome, *, page: Path, plan: Plan) -> None:
    kept = plan.folder / page.with_suffix(".json").name
    kept.write_text(json.dumps(found | outcome.to_json(), indent=2))
    write_page(found, outcome, page)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="one seed of the main arm")
    parser.add_argument("--folder", type=Path, default=STUDY.folder, help="where all of it lies")
    arguments = parser.parse_args()
    os.nice(_POLITE)
    plan = replace(DEMO if arguments.demo else STUDY, folder=arguments.folder)
    page = arguments.folder / "demo.md" if arguments.demo else Path("docs/study.md")
    try:
        study(plan, page=page)
    except FileExistsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
