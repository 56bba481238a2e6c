"""Measures one model by several suites.

Each suite's answers and scores are one file, which appears when it is whole; until then its
answers are kept beside it, batch by batch. So an evaluation that was interrupted goes on with what
is missing.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from codeio.evaluation.answers import Answers, Resuming
from codeio.evaluation.baselines import baselines_of
from codeio.evaluation.execution import check_verifier, grade
from codeio.evaluation.harness import ask, template_of
from codeio.evaluation.held_out import held_out_questions
from codeio.evaluation.model import out_of_memory
from codeio.evaluation.results import (
    Item,
    Result,
    difference,
    read_result,
    write_result,
    write_whole,
)
from codeio.evaluation.room import Fitting
from codeio.evaluation.rows import NotMeasurable, Question, choose, read_questions
from codeio.evaluation.suites import held_out_suites
from codeio.training_run.hub import UNREACHED
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from codeio.evaluation.model import Model, Precision
    from codeio.evaluation.progress import Reporter
    from codeio.evaluation.suites import Suite


_SUMMARY = "summary.json"

_FILES = "by --file SUITE=PATH (in a run: evaluation.files)"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a model is measured by."""

    suites: Sequence[Suite] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    """Local files by suite."""
    held_out: Callable[[], Path] | None = None
    """Gives the place of a snapshot, which may have to be downloaded."""
    held_out_split: str = "test"
    limit: int | None = None
    max_new_tokens: int = 1024
    seed: int = 0
    precision: Precision = "BFloat16"
    """What models compute in."""
    verifier: str = ""
    """Address, in place of that of the environment."""

    @cached_property
    def asked(self) -> Asked:
        """The questions, which are read once, when they are first wanted.

        Raises:
            RunError: a local file cannot be used.
        """
        return _asked(self)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The questions of a plan."""

    suites: dict[str, Suite]
    questions: dict[str, list[Question]]
    """By suite."""
    not_measured: dict[str, str]
    """Reason by suite."""
    left_out: dict[str, str]
    """What of a suite is not asked, and why."""

    def check(self) -> None:
        """Refuse to go on with no questions.

        Raises:
            RunError: there are none.
        """
        if not self.questions:
            reasons = "; ".join(f"{names}: {why}" for why, names in self.by_reason().items())
            raise RunError(
                Reason.EVALUATION_DATA_MISSING,
                f"no suite can be measured; give local files of their data, {_FILES}, or have the"
                f" hub within reach ({reasons})",
            )

    def by_reason(self) -> dict[str, str]:
        """Return the suites that are not measured, by reason."""
        names: dict[str, list[str]] = {}
        for name, why in self.not_measured.items():
            names.setdefault(why, []).append(name)
        return {why: ", ".join(each) for why, each in names.items()}


@dataclass(frozen=True)
class Measured:
    """What came of a plan."""

    results: dict[str, Result]
    not_measured: dict[str, str]
    """Reason by suite."""
    left_out: dict[str, str]
    """What of a suite was not asked, and why."""
    is_new: bool = False
    """Whether any of it was asked now."""


def _asked(plan: Plan) -> Asked:
    suites = {suite.name: suite for suite in plan.suites}
    asked: dict[str, list[Question]] = {}
    missing: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for name, suite in suites.items():
        try:
            questions, complaint = _usable(name, read_questions(suite, file=plan.files.get(name)))
            if complaint:
                left_out[name] = complaint
            if not questions:
                raise NotMeasurable(complaint or "its data holds no rows")  # noqa: TRY301
            asked[name] = questions
        except NotMeasurable as error:
            missing[name] = str(error)
    if plan.held_out is not None:
        ours = held_out_suites()
        suites |= ours
        try:
            found = held_out_questions(plan.held_out(), split=plan.held_out_split, suites=ours)
        except NotMeasurable as error:
            missing |= dict.fromkeys(ours, str(error))
        else:
            asked |= {name: questions for name, questions in found.items() if questions}
            missing |= {
                name: "the split has no questions of this direction"
                for name, questions in found.items()
                if not questions
            }
    chosen = {
        name: choose(questions, limit=plan.limit, seed=plan.seed)
        for name, questions in asked.items()
    }
    return Asked(suites=suites, questions=chosen, not_measured=missing, left_out=left_out)


def measure(
    plan: Plan, folder: Path, *, model: Model, reporter: Reporter, say: Callable[[str], None]
) -> Measured:
    """Have a model answer what a plan asks; write and return answers and scores.

    The model is loaded only if a suite is still missing.

    Raises:
        RunError: a local file cannot be used, nothing can be measured, the verifier or the
            model is missing.
    """
    asked = plan.asked
    measured = Measured({}, asked.not_measured, asked.left_out)
    asked.check()
    for reason, names in asked.by_reason().items():
        advice = f"; give local files of their data, {_FILES}" if reason == UNREACHED else ""
        say(f"{names}: not measured: {reason}{advice}")
    reporter.begin({name: len(questions) for name, questions in asked.questions.items()})
    lm: Fitting | None = None
    for name, questions in asked.questions.items():
        suite = asked.suites[name]
        file = folder / f"{name}.jsonl"
        header = header_of(plan, suite) | model.header
        kept = read_result(file)
        if kept is not None and not difference(kept[0], header):
            result = kept[1]
            reporter.has(name)
        else:
            if suite.grading == "execution":
                check_verifier(plan.verifier)
            lm = lm or Fitting(model.load(), max_new_tokens=plan.max_new_tokens)
            if suite.chat:  # where continuations are compared, nothing is generated
                lm.check()
            say(f"{name}: {len(questions):,} questions")
            reporter.asks(name)
            with Answers(folder / f"{name}.answers.jsonl", header) as answers:
                resuming = Resuming(
                    lm, answers, batch_size=model.batch_size, answered=reporter.answered
                )
                result = _result(resuming, suite, questions, plan)
                write_result(file, header, result)
                answers.drop()
        measured.results[name] = result
        say(f"{name}: {_mean(result)}")
    write_summary(folder, measured)
    return replace(measured, is_new=lm is not None)


def write_summary(folder: Path, measured: Measured) -> None:
    """Note that an evaluation came to its end, with what `read_summary` reads.

    Raises:
        RunError: it cannot be written.
    """
    summary = {
        "suites": list(measured.results),
        "not_measured": measured.not_measured,
        "left_out": measured.left_out,
    }
    write_whole(folder / _SUMMARY, json.dumps(summary, indent=2) + "\n")


def read_summary(folder: Path) -> tuple[list[str], Measured] | None:
    """Return the suites of an evaluation that came to its end, and what it told but for results."""
    try:
        summary = json.loads((folder / _SUMMARY).read_text(encoding="utf-8"))
        told = Measured({}, dict(summary["not_measured"]), dict(summary["left_out"]))
        return list(summary["suites"]), told
    except (OSError, ValueError, TypeError, KeyError):
        return None


def read_measured(folder: Path, plan: Plan, *, model: Mapping[str, str]) -> Measured | None:
    """Return what an earlier evaluation measured by a plan, or None if it came to no end.

    What it measured otherwise, or of another model, was not measured, and the reason says why.
    `model` is what is known of its header.

    Raises:
        RunError: a local file cannot be used.
    """
    told = read_summary(folder)
    if told is None:
        return None
    names, measured = told
    for name in names:
        if name not in plan.asked.suites:
            continue
        kept = read_result(folder / f"{name}.jsonl")
        if kept is None:
            measured.not_measured[name] = "its answers cannot be read any more"
            continue
        header, result = kept
        if why := difference(header, header_of(plan, plan.asked.suites[name]) | dict(model)):
            measured.not_measured[name] = f"it cannot be compared, since {why}"
        else:
            measured.results[name] = result
    return measured


def _usable(name: str, questions: list[Question]) -> tuple[list[Question], str]:
    """Return the questions that can be judged, and what is wrong with the others."""
    reasons = _reasons(name, questions)
    usable = [each for each, reason in zip(questions, reasons, strict=True) if not reason]
    counts = Counter(filter(None, reasons))
    return usable, "; ".join(f"{count:,} questions: {why}" for why, count in counts.items())


def _reasons(name: str, questions: list[Question]) -> list[str]:
    """Return by question why it cannot be asked, or nothing if it can."""
    rows = [question.row for question in questions]
    if name == "livebench":
        from codeio.evaluation.tasks.livebench import judged, withdrawn  # noqa: PLC0415  (slow)

        gone = "withdrawn by LiveBench"
        tasks = {str(row["task"]) for row in rows if not (withdrawn(row) or judged(row))}
        unknown = f"tasks without a rule here: {', '.join(sorted(tasks))}"
        return [gone if withdrawn(row) else "" if judged(row) else unknown for row in rows]
    if name == "zebralogic":
        blank = "puzzles whose solution was taken out"
        return [blank if _is_blank(row["solution"]) else "" for row in rows]
    return [""] * len(rows)


def _is_blank(solution: dict[str, Any]) -> bool:
    """Tell whether the solution's cells are placeholders, as in ZebraLogic's public set."""
    cells = {str(cell) for row in solution["rows"] for cell in row[1:]}
    return not cells or any(not cell.strip("_ ") for cell in cells)


def _result(lm: Resuming, suite: Suite, questions: Sequence[Question], plan: Plan) -> Result:
    with out_of_memory(
        "generation needs more memory; have fewer answers given at a time, by a smaller batch size"
    ):
        answers = ask(lm, suite, questions, max_new_tokens=plan.max_new_tokens, seed=plan.seed)
    scores: list[float | None] = [answer.score for answer in answers]
    verdicts = [""] * len(answers)
    if suite.grading == "execution":
        grades = grade(
            suite.name,
            [question.row for question in questions],
            [answer.response for answer in answers],
            verifier=plan.verifier,
        )
        scores = [each.score for each in grades]
        verdicts = [each.verdict for each in grades]
    items = tuple(
        Item(
            id=answer.id,
            score=score,
            verdict=verdict,
            cluster=suite.cluster_of(question),
            target=answer.target,
            response=answer.response,
            fits=answer.fits,
        )
        for question, answer, score, verdict in zip(
            questions, answers, scores, verdicts, strict=True
        )
    )
    return Result(
        suite=suite.name,
        category=suite.category,
        baselines=baselines_of(suite, questions, [item.target for item in items]),
        items=items,
        template=template_of(lm, suite),
    )


def header_of(plan: Plan, suite: Suite) -> dict[str, Any]:
    """Return what decides how a suite is measured, but for the model."""
    header: dict[str, Any] = {
        "suite": suite.name,
        "category": suite.category,
        "max_new_tokens": plan.max_new_tokens,
        "seed": plan.seed,
        "precision": plan.precision,
        "limit": plan.limit,
    }
    if suite.revision > 1:  # older files do not name the first one
        header["revision"] = suite.revision
    questions = plan.asked.questions.get(suite.name)
    if questions is not None:
        header["questions"] = _digest(suite, questions)
    return header


def _digest(suite: Suite, questions: Sequence[Question]) -> str:
    digest = hashlib.sha256()
    for question in questions:
        row = {name: question.row.get(name) for name in (*suite.columns, *suite.optional)}
        digest.update(json.dumps([question.id, row], sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _mean(result: Result) -> str:
    scores = [item.score for item in result.items if item.score is not None]
    dropped = len(result.items) - len(scores)
    left = f", {dropped} left out: their own pair does not reproduce" if dropped else ""
    unasked = sum(not item.fits for item in result.scored.values())
    if unasked:
        left += f", {unasked:,} wrong: their prompts leave no room for an answer"
    if not scores:
        return f"no score{left}"
    return f"{100 * sum(scores) / len(scores):.1f} %{left}"
