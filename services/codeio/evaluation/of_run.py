"""Evaluates the model of a `TrainingRun`, before or after its training.

evaluation/before/SUITE.jsonl          answers and scores; after/ likewise
evaluation/before/SUITE.answers.jsonl  answers until a suite is whole
evaluation/contamination.json          what the suites share with the training data
evaluation.json                        the table
evaluation.svg, evaluation.png         its picture
"""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from codeio.evaluation.comparison import report
from codeio.evaluation.contamination import contamination
from codeio.evaluation.earlier import TABLE
from codeio.evaluation.held_out import held_out_from_hub
from codeio.evaluation.measurement import Measured, Plan, measure, read_measured
from codeio.evaluation.model import Model, find_model, fingerprint, name_of
from codeio.evaluation.picture import draw
from codeio.evaluation.progress import Reporter
from codeio.evaluation.results import write_whole
from codeio.evaluation.suites import chosen_suites
from codeio.evaluation.table import shared_table, table
from codeio.evaluation.training_rows import training_rows
from codeio.training_run.data.reading import HubError
from codeio.training_run.environment import METRICS_PORT
from codeio.training_run.hub import UNREACHED
from codeio.training_run.outcomes import Outcome, Reason, RunError
from codeio.training_run.scores import MEAN, pack_scores
from codeio.training_run.spec import EVALUATE_AFTER, EVALUATE_BEFORE, STAGES, Located
from codeio.training_run.status import Score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lm_eval.api.model import LM

    from codeio.training_run.data.reading import Values
    from codeio.training_run.manifest import TrainingRun
    from codeio.training_run.places import Places
    from codeio.training_run.spec import Evaluation


def evaluate_run(  # noqa: PLR0913
    run: TrainingRun,
    places: Places,
    *,
    when: Literal["before", "after"],
    verifier: str = "",
    say: Callable[[str], None] = print,
    load: Callable[[], LM] | None = None,
) -> Outcome:
    """Measure the untouched model or the trained one; return what the pod says of it.

    What an interrupted evaluation has had answered is not asked again. While it lasts, its
    progress is served at the port that `METRICS_PORT` names, if it names one.
    `verifier` is the address of who grades predicted outputs and inputs, in place
    of that of the environment; `load` gives another model than the run's.

    Raises:
        RunError: it cannot be done; see `Reason`.
        UsageError: the port cannot be had.
    """
    plan = plan_of(run, places, verifier=verifier)
    reporter = Reporter(EVALUATE_BEFORE if when == "before" else EVALUATE_AFTER)
    port = os.environ.get(METRICS_PORT)
    with reporter.served(int(port)) if port else nullcontext():
        model = _model(run, places, when)
        if load is not None:
            model = replace(model, load=load)
        measured = measure(plan, places.evaluation / when, model=model, reporter=reporter, say=say)
        before = measured if when == "before" else _before(run, places, plan)
        scores = publish(
            places.folder,
            before,
            measured if when == "after" else None,
            settings={
                "before": name_of(*_place(run, places, "before")),
                "after": str(places.last_model),
                "limit": plan.limit,
                "max_new_tokens": plan.max_new_tokens,
                "seed": plan.seed,
                "precision": plan.precision,
            },
            searched=None,
            title=run.metadata.name,
            # Of a run that goes on: what was known is in the table that follows.
            say=say if when == "after" or measured.is_new else _silent,
        )
        if when == "after":
            _add_search(run, places, plan, say)
    return Outcome(Reason.COMPLETED, _message(when, scores, measured), pack_scores(scores))


def _silent(_: str) -> None:
    pass


def plan_of(run: TrainingRun, places: Places, *, verifier: str = "") -> Plan:
    """Return what a run asks of its models.

    Raises:
        RunError: a suite is unknown, or nothing is asked.
    """
    spec = run.spec.evaluation
    if spec is None or not (spec.suites or spec.held_out):
        raise RunError(
            Reason.INVALID_SPEC, "evaluation names nothing to measure: give suites or heldOut"
        )
    return Plan(
        suites=chosen_suites(spec.suites, files=spec.files),
        files={name: _file(spec, places, path) for name, path in spec.files.items()},
        held_out=_held_out(spec, places),
        held_out_split=spec.held_out.split if spec.held_out else "",
        limit=spec.limit,
        max_new_tokens=spec.max_new_tokens,
        seed=run.spec.seed,
        precision=run.spec.execution.precision,
        verifier=verifier,
    )


def search(plan: Plan, rows: Iterable[tuple[str, Values]]) -> dict[str, Any]:
    """Return which of a plan's questions share text with training rows, and which were not sought.

    Raises:
        RunError: there are no such questions, or no such rows.
    """
    asked = plan.asked
    asked.check()
    try:
        found = contamination(asked.suites, asked.questions, rows)
    except HubError as error:
        return not_searched(error)
    return found | {"not_searched": asked.not_measured, "left_out": asked.left_out}


def not_searched(error: Exception) -> dict[str, Any]:
    """Return what tells that there is no such report, and why."""
    return {"not_measured": str(error), "suites": {}}


def publish(  # noqa: PLR0913
    folder: Path,
    before: Measured | None,
    after: Measured | None,
    *,
    settings: Mapping[str, Any],
    searched: dict[str, Any] | None,
    title: str,
    say: Callable[[str], None],
) -> list[Score]:
    """Write `evaluation.json` and its pictures, say the table, and return the scores."""
    told = report(before, after, settings=settings, seed=settings["seed"])
    told["contamination"] = searched
    write_report(folder / TABLE, told)
    scores = [Score.model_validate(each) for each in told["scores"]]
    for ending in ("svg", "png"):
        draw(
            scores,
            folder / f"evaluation.{ending}",
            title=title,
            models={stage: settings[stage] for stage in ("before", "after")},
            baselines=told["baselines"],
        )
    say(table(scores, told))
    return scores


def _model(run: TrainingRun, places: Places, when: Literal["before", "after"]) -> Model:
    spec = run.spec.evaluation
    model, revision = _place(run, places, when)
    return find_model(
        model,
        revision=revision,
        batch_size=spec.batch_size if spec else 1,
        precision=run.spec.execution.precision,
    )


def _place(
    run: TrainingRun, places: Places, when: Literal["before", "after"]
) -> tuple[str | Path, str | None]:
    """Return a model's folder, or its name and revision at the hub."""
    first = STAGES[run.spec.recipe][0]
    path = places.last_model if when == "after" else places.model_before(first)
    return (path, None) if path is not None else (str(run.spec.model.name), run.spec.model.revision)


def _before(run: TrainingRun, places: Places, plan: Plan) -> Measured | None:
    """Return what was measured of the untouched model, which need not be within reach any more."""
    model, revision = _place(run, places, "before")
    known = {"model": name_of(model, revision)}
    if isinstance(model, Path) and model.is_dir():
        known["fingerprint"] = fingerprint(model)
    return read_measured(places.evaluation / "before", plan, model=known)


def _add_search(run: TrainingRun, places: Places, plan: Plan, say: Callable[[str], None]) -> None:
    """Add to the table what the suites share with the training data, which takes a while."""
    try:
        searched = search(plan, training_rows(run, places))
    except RunError as error:
        # The scores stand, whatever has become of the data since.
        searched = not_searched(error)
    write_report(places.evaluation / "contamination.json", searched)
    file = places.folder / TABLE
    told = json.loads(file.read_text(encoding="utf-8"))
    write_report(file, told | {"contamination": searched})
    say(shared_table(searched))


def _file(spec: Evaluation, places: Places, path: str) -> Path:
    return places.path(Located(path=path, volume=spec.volume)) or Path(path)


def _held_out(spec: Evaluation, places: Places) -> Callable[[], Path] | None:
    held_out = spec.held_out
    if held_out is None:
        return None
    path = places.path(held_out)
    if path is not None:
        return lambda: path
    return partial(
        held_out_from_hub,
        str(held_out.name),
        revision=held_out.revision,
        split=held_out.split,
    )


def _message(when: str, scores: list[Score], measured: Measured) -> str:
    suites = sum(score.suite != MEAN and getattr(score, when) is not None for score in scores)
    text = f"{suites} suite{'' if suites == 1 else 's'} measured {when} training"
    if measured.not_measured:
        text += f"; not measured: {', '.join(measured.not_measured)}"
    if UNREACHED in measured.not_measured.values():
        # Of a run on a cluster nothing else is looked at again.
        text += f" ({UNREACHED}: a change of evaluation, such as of batchSize, tries again)"
    return text


def write_report(file: Path, value: dict[str, Any]) -> None:
    write_whole(file, json.dumps(value, indent=2) + "\n")
