"""Before beside after: the scores of a run, by suite and by category."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from codeio.evaluation.bootstrap import interval, resampled
from codeio.evaluation.suites import all_suites, held_out_suites
from codeio.training_run.scores import MEAN
from codeio.training_run.status import Estimate, Score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from codeio.evaluation.measurement import Item, Measured, Result


@dataclass(frozen=True)
class _Line:
    """A suite's scores, and their resampled means by column."""

    score: Score
    means: dict[str, NDArray[np.float64]]


def scores_of(
    before: Mapping[str, Result], after: Mapping[str, Result], *, seed: int = 0
) -> list[Score]:
    """Return the scores: of each category its suites, and before them their mean.

    The gain is of the questions that both have answered. The mean weighs suites
    alike, of those that were measured wherever one was.
    """
    order = [*all_suites(), *held_out_suites()]
    names = sorted({*before, *after}, key=order.index)
    lines = [
        line
        for name in names
        if (line := _line(name, before.get(name), after.get(name), seed)) is not None
    ]
    scores = []
    for category in dict.fromkeys(line.score.category for line in lines):
        of_category = [line for line in lines if line.score.category == category]
        scores.append(_mean(category, of_category))
        scores += [line.score for line in of_category]
    return scores


def report(
    before: Measured | None, after: Measured | None, *, settings: Mapping[str, Any], seed: int = 0
) -> dict[str, Any]:
    """Return what `evaluation.json` holds."""
    stages = {"before": before, "after": after}
    done = {stage: each for stage, each in stages.items() if each is not None}
    results = {stage: each.results for stage, each in done.items()}
    scores = scores_of(results.get("before", {}), results.get("after", {}), seed=seed)
    suites = all_suites() | held_out_suites()
    latest = {name: result for each in results.values() for name, result in each.items()}
    named = {score.suite for score in scores} - {MEAN}
    return {
        "settings": dict(settings),
        "scores": [score.model_dump(by_alias=True, exclude_none=True) for score in scores],
        "scored": {name: suites[name].scored for name in suites if name in named},
        "baselines": {
            name: result.baselines for name, result in latest.items() if result.baselines
        },
        "not_measured": _merged({stage: each.not_measured for stage, each in done.items()}),
        "left_out": _left_out(done),
        "verdicts": {
            stage: {
                name: dict(sorted(Counter(item.verdict for item in result.items).items()))
                for name, result in each.items()
                if any(item.verdict for item in result.items)
            }
            for stage, each in results.items()
        },
    }


def _line(name: str, before: Result | None, after: Result | None, seed: int) -> _Line | None:
    # Suites are drawn independently of one another.
    seed = zlib.crc32(f"{seed}/{name}".encode())
    sides = {
        stage: result.scored
        for stage, result in (("before", before), ("after", after))
        if result is not None and result.scored
    }
    if not sides:
        return None
    estimates: dict[str, Estimate] = {}
    means: dict[str, NDArray[np.float64]] = {}
    for stage, items in sides.items():
        values, clusters = _values(list(items.values()))
        means[stage] = resampled(values, clusters=clusters, seed=seed)
        estimates[stage] = interval(means[stage], float(np.mean(values)))
    if len(sides) == 2 and (both := [key for key in sides["before"] if key in sides["after"]]):
        old, clusters = _values([sides["before"][key] for key in both])
        new, _ = _values([sides["after"][key] for key in both])
        gains = [late - early for early, late in zip(old, new, strict=True)]
        means["gain"] = resampled(gains, clusters=clusters, seed=seed)
        estimates["gain"] = interval(means["gain"], float(np.mean(gains)))
    some = after or before
    questions = max(len(items) for items in sides.values())
    return _Line(
        Score(
            category=some.category if some else "",
            suite=name,
            questions=questions,
            **estimates,
        ),
        means,
    )


def _values(items: Sequence[Item]) -> tuple[list[float], list[str]]:
    return [float(item.score or 0.0) for item in items], [item.cluster for item in items]


def _mean(category: str, lines: Sequence[_Line]) -> Score:
    """Return the mean of a category's suites, which must be the same in each column."""
    most = max(len(line.means) for line in lines)
    whole = [line for line in lines if len(line.means) == most]
    estimates = {}
    for column in ("before", "after", "gain"):
        of_column = [line for line in whole if column in line.means]
        if of_column:
            means = np.mean([line.means[column] for line in of_column], axis=0)
            values = [getattr(line.score, column).value for line in of_column]
            estimates[column] = interval(means, float(np.mean(values)))
    return Score(
        category=category,
        suite=MEAN,
        questions=sum(line.score.questions for line in whole),
        **estimates,
    )


def _merged(reasons: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Turn reasons by stage and suite into reasons by suite and stage."""
    merged: dict[str, dict[str, str]] = {}
    for stage, each in reasons.items():
        for name, reason in each.items():
            merged.setdefault(name, {})[stage] = reason
    return merged


def _left_out(done: Mapping[str, Measured]) -> dict[str, str]:
    left: dict[str, str] = {}
    for measured in done.values():
        left |= measured.left_out
        for name, result in measured.results.items():
            dropped = sum(item.score is None for item in result.items)
            if dropped:
                left[name] = f"{dropped:,} questions: their own pair does not reproduce"
    return left
