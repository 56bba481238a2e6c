"""Evaluates the model of a `TrainingRun`, before or after its training.

evaluation/before/SUITE.jsonl   answers and scores; after/ likewise
evaluation/contamination.json   what the suites share with the training data
evaluation.json                 the table
evaluation.svg, evaluation.png  its picture
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from codeio.evaluation.comparison import report
from codeio.evaluation.contamination import contamination
from codeio.evaluation.held_out import held_out_from_hub
from codeio.evaluation.measurement import (
    Measured,
    Plan,
    measure,
    read_measured,
    write_whole,
)
from codeio.evaluation.model import load_model
from codeio.evaluation.picture import draw
from codeio.evaluation.suites import chosen_suites
from codeio.evaluation.table import table
from codeio.evaluation.training_rows import training_rows
from codeio.training_run.data.reading import HubError
from codeio.training_run.outcomes import Outcome, Reason, RunError
from codeio.training_run.scores import MEAN, pack_scores
from codeio.training_run.spec import STAGES, Located
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

    Suites that an interrupted evaluation has measured are not measured again.
    `verifier` is the address of who grades predicted outputs and inputs, in place
    of that of the environment; `load` gives another model than the run's.

    Raises:
        RunError: it cannot be done; see `Reason`.
    """
    plan = plan_of(run, places, verifier=verifier)
    model, load_own = _model(run, places, when)
    measured = measure(plan, places.evaluation / when, model=model, load=load or load_own, say=say)
    before = measured if when == "before" else read_measured(places.evaluation / "before")
    after = measured if when == "after" else None
    settings = {
        "before": _model(run, places, "before")[0],
        "after": str(places.last_model),
        "limit": plan.limit,
        "max_new_tokens": plan.max_new_tokens,
        "seed": plan.seed,
        "precision": run.spec.execution.precision,
    }
    searched = None
    if when == "after":
        searched = search(plan, training_rows(run, places))
        write_report(places.evaluation / "contamination.json", searched)
    scores = publish(
        places.folder,
        before,
        after,
        settings=settings,
        searched=searched,
        title=run.metadata.name,
        say=say,
    )
    return Outcome(Reason.COMPLETED, _message(when, scores, measured), pack_scores(scores))


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
        verifier=verifier,
    )


def search(plan: Plan, rows: Iterable[tuple[str, Values]]) -> dict[str, Any]:
    """Return which of a plan's questions share text with training rows.

    Raises:
        RunError: there are no such rows.
    """
    asked = plan.asked
    try:
        return contamination(asked.suites, asked.questions, rows)
    except HubError as error:
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
    write_report(folder / "evaluation.json", told)
    scores = [Score.model_validate(each) for each in told["scores"]]
    for ending in ("svg", "png"):
        draw(scores, folder / f"evaluation.{ending}", title=title, baselines=told["baselines"])
    say(table(scores, told))
    return scores


def _model(
    run: TrainingRun, places: Places, when: Literal["before", "after"]
) -> tuple[str, Callable[[], LM]]:
    """Return a model's name and how to load it."""
    spec = run.spec.evaluation
    options: dict[str, Any] = {
        "batch_size": spec.batch_size if spec else 1,
        "precision": run.spec.execution.precision,
    }
    first = STAGES[run.spec.recipe][0]
    path = places.last_model if when == "after" else places.model_before(first)
    if path is not None:
        return str(path), partial(load_model, path, **options)
    name, revision = str(run.spec.model.name), run.spec.model.revision
    label = f"{name}@{revision}" if revision else name
    return label, partial(load_model, name, revision=revision, **options)


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
    text = f"{suites} suites measured {when} training"
    if measured.not_measured:
        text += f"; not measured: {', '.join(measured.not_measured)}"
    return text


def write_report(file: Path, value: dict[str, Any]) -> None:
    write_whole(file, json.dumps(value, indent=2) + "\n")
