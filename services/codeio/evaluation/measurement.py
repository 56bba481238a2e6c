"""Measures one model by several suites.

Each suite's answers and scores are one file, which appears when it is whole, so
that an evaluation that was interrupted goes on with the suites that are missing.
A file is used again only if its first line says that it is of the same model,
questions and settings.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from codeio.evaluation.baselines import baselines_of
from codeio.evaluation.execution import check_verifier, grade
from codeio.evaluation.harness import ask
from codeio.evaluation.held_out import held_out_questions
from codeio.evaluation.model import out_of_memory
from codeio.evaluation.rows import NotMeasurable, Question, choose, read_questions
from codeio.evaluation.suites import held_out_suites
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from lm_eval.api.model import LM

    from codeio.evaluation.suites import Suite


_SUMMARY = "summary.json"


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


@dataclass(frozen=True, kw_only=True)
class Item:
    """A question, what was answered and what that is worth."""

    id: str
    score: float | None
    """From 0 to 1; None if the question is left out."""
    verdict: str
    cluster: str
    target: str
    response: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """A model's answers to a suite."""

    suite: str
    category: str
    baselines: dict[str, float]
    """Scores that need no model, by what is done."""
    items: tuple[Item, ...]

    @property
    def scored(self) -> dict[str, Item]:
        """By the question's id, without those that are left out."""
        return {item.id: item for item in self.items if item.score is not None}


@dataclass(frozen=True)
class Measured:
    """What came of a plan."""

    results: dict[str, Result]
    not_measured: dict[str, str]
    """Reason by suite."""
    left_out: dict[str, str]
    """What of a suite was not asked, and why."""


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
    plan: Plan,
    folder: Path,
    *,
    model: str,
    load: Callable[[], LM],
    say: Callable[[str], None],
) -> Measured:
    """Have a model answer what a plan asks; write and return answers and scores.

    `model` names it in the files; `load` is called only if a suite is still missing.

    Raises:
        RunError: a local file cannot be used, nothing can be measured, the verifier or the
            model is missing.
    """
    asked = plan.asked
    measured = Measured({}, asked.not_measured, asked.left_out)
    for name, reason in asked.not_measured.items():
        say(f"{name}: not measured: {reason}")
    if not asked.questions:
        reasons = "; ".join(f"{name}: {why}" for name, why in asked.not_measured.items())
        raise RunError(
            Reason.EVALUATION_DATA_MISSING,
            f"no suite can be measured; give local files in evaluation.files ({reasons})",
        )
    lm: LM | None = None
    for name, questions in asked.questions.items():
        suite = asked.suites[name]
        file = folder / f"{name}.jsonl"
        header = _header(suite, questions, plan, model)
        result = _kept(file, header)
        if result is None:
            if suite.grading == "execution":
                check_verifier(plan.verifier)
            lm = lm or load()
            say(f"{name}: {len(questions):,} questions")
            items = _answered(lm, suite, questions, plan)
            result = Result(
                suite=name,
                category=suite.category,
                baselines=baselines_of(suite, questions, [item.target for item in items]),
                items=tuple(items),
            )
            _write(file, header | {"baselines": result.baselines}, items)
        measured.results[name] = result
        say(f"{name}: {_mean(result)}")
    summary = {
        "suites": list(measured.results),
        "not_measured": measured.not_measured,
        "left_out": measured.left_out,
    }
    write_whole(folder / _SUMMARY, json.dumps(summary, indent=2) + "\n")
    return measured


def read_measured(folder: Path) -> Measured | None:
    """Return what an earlier evaluation measured, or None if it came to no end."""
    try:
        summary = json.loads((folder / _SUMMARY).read_text(encoding="utf-8"))
        results = {name: _read(folder / f"{name}.jsonl")[1] for name in summary["suites"]}
        return Measured(results, summary["not_measured"], summary["left_out"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _usable(name: str, questions: list[Question]) -> tuple[list[Question], str]:
    """Return the questions that can be judged, and what is wrong with the others."""
    if name == "livebench":
        from codeio.evaluation.tasks.livebench import judged  # noqa: PLC0415  (slow)

        usable = [each for each in questions if judged(each.row)]
        tasks = {str(each.row["task"]) for each in questions if not judged(each.row)}
        why = f"tasks without a rule here: {', '.join(sorted(tasks))}"
    elif name == "zebralogic":
        usable = [each for each in questions if not _is_blank(each.row["solution"])]
        why = "puzzles whose solution was taken out"
    else:
        return questions, ""
    dropped = len(questions) - len(usable)
    return usable, f"{dropped:,} questions: {why}" if dropped else ""


def _is_blank(solution: dict[str, Any]) -> bool:
    """Tell whether the solution's cells are placeholders, as in ZebraLogic's public set."""
    cells = {str(cell) for row in solution["rows"] for cell in row[1:]}
    return not cells or any(not cell.strip("_ ") for cell in cells)


def _answered(lm: LM, suite: Suite, questions: Sequence[Question], plan: Plan) -> list[Item]:
    with out_of_memory("generation needs more memory; lower evaluation.batchSize"):
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
    return [
        Item(
            id=answer.id,
            score=score,
            verdict=verdict,
            cluster=str(question.row[suite.cluster]) if suite.cluster else answer.id,
            target=answer.target,
            response=answer.response,
        )
        for question, answer, score, verdict in zip(
            questions, answers, scores, verdicts, strict=True
        )
    ]


def _header(suite: Suite, questions: Sequence[Question], plan: Plan, model: str) -> dict[str, Any]:
    digest = hashlib.sha256()
    for question in questions:
        row = {name: question.row.get(name) for name in suite.columns}
        digest.update(json.dumps([question.id, row], sort_keys=True, default=str).encode())
    return {
        "suite": suite.name,
        "category": suite.category,
        "model": model,
        "questions": digest.hexdigest(),
        "max_new_tokens": plan.max_new_tokens,
        "seed": plan.seed,
    }


def _kept(file: Path, header: dict[str, Any]) -> Result | None:
    """Return what an earlier evaluation wrote, if it was the same."""
    try:
        written, result = _read(file)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return result if {name: written.get(name) for name in header} == header else None


def _read(file: Path) -> tuple[dict[str, Any], Result]:
    first, *lines = file.read_text(encoding="utf-8").splitlines()
    written = json.loads(first)
    result = Result(
        suite=written["suite"],
        category=written["category"],
        baselines=written["baselines"],
        items=tuple(Item(**json.loads(line)) for line in lines),
    )
    return written, result


def _write(file: Path, header: dict[str, Any], items: Sequence[Item]) -> None:
    lines = [header, *map(asdict, items)]
    write_whole(file, "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in lines))


def write_whole(file: Path, text: str) -> None:
    """Write a file that appears when it is whole.

    Raises:
        RunError: it cannot be written.
    """
    partial = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        raise RunError(
            Reason.STORAGE_FULL, f"{file} cannot be written: {error.strerror or error}"
        ) from error


def _mean(result: Result) -> str:
    scores = [item.score for item in result.items if item.score is not None]
    dropped = len(result.items) - len(scores)
    left = f", {dropped} left out: their own pair does not reproduce" if dropped else ""
    if not scores:
        return f"no score{left}"
    return f"{100 * sum(scores) / len(scores):.1f} %{left}"
