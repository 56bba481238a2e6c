"""Before beside after: the scores of a run, by suite and by category."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from codeio.evaluation.bootstrap import Sample, interval, resampled
from codeio.evaluation.suites import all_suites, held_out_suites
from codeio.training_run.scores import MEAN
from codeio.training_run.status import Score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from codeio.evaluation.measurement import Measured
    from codeio.evaluation.results import Item, Result

T = TypeVar("T")


@dataclass(frozen=True)
class _Compared:
    """A suite's scores by column."""

    name: str
    category: str
    questions: int
    columns: dict[str, Sample]


@dataclass(frozen=True)
class _Line:
    """A suite's scores, and their resampled means by column: see `resampled`."""

    score: Score
    means: dict[str, NDArray[np.float64]]


def scores_of(
    before: Mapping[str, Result], after: Mapping[str, Result], *, seed: int = 0
) -> list[Score]:
    """Return the scores: of each category its suites, and before them their mean.

    The gain is of the questions that both have answered. The mean weighs suites
    alike, of those that were measured in the same columns, which are the most.
    """
    order = [*all_suites(), *held_out_suites()]
    names = sorted({*before, *after}, key=order.index)
    compared = [
        each
        for name in names
        if (each := _compared(name, before.get(name), after.get(name))) is not None
    ]
    scores = []
    for category, suites in groupby(compared, key=lambda each: each.category):
        lines = _lines(category, list(suites), seed)
        scores += [_mean(category, lines), *(line.score for line in lines)]
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
        "clusters": _clusters(latest),
        "not_measured": _merged({stage: each.not_measured for stage, each in done.items()}),
        "left_out": _left_out(done),
        "no_room": _merged({stage: _no_room(each) for stage, each in results.items()}),
        "templates": _templates(results),
        "verdicts": {
            stage: {
                name: dict(sorted(Counter(item.verdict for item in result.items).items()))
                for name, result in each.items()
                if any(item.verdict for item in result.items)
            }
            for stage, each in results.items()
        },
    }


def _compared(name: str, before: Result | None, after: Result | None) -> _Compared | None:
    sides = {
        stage: result
        for stage, result in (("before", before), ("after", after))
        if result is not None and result.scored
    }
    if not sides:
        return None
    items = {stage: result.scored for stage, result in sides.items()}
    columns = {stage: _sample(list(each.values())) for stage, each in items.items()}
    if len(items) == 2 and (both := [key for key in items["before"] if key in items["after"]]):
        old = _sample([items["before"][key] for key in both])
        new = _sample([items["after"][key] for key in both])
        gains = [late - early for early, late in zip(old.scores, new.scores, strict=True)]
        columns["gain"] = Sample(gains, old.clusters, least=-1.0)
    return _Compared(
        name=name,
        category=next(iter(sides.values())).category,
        questions=max(map(len, items.values())),
        columns=columns,
    )


def _sample(items: Sequence[Item]) -> Sample:
    return Sample([float(item.score or 0.0) for item in items], [item.cluster for item in items])


def _lines(category: str, suites: Sequence[_Compared], seed: int) -> list[_Line]:
    """Return a category's suites, resampled together: some ask about the same programs."""
    samples = {
        (suite.name, column): sample for suite in suites for column, sample in suite.columns.items()
    }
    # Categories share nothing, and are drawn independently of one another.
    drawn = resampled(samples, seed=zlib.crc32(f"{seed}/{category}".encode()))
    lines = []
    for suite in suites:
        means = {column: drawn[suite.name, column] for column in suite.columns}
        estimates = {
            column: interval(means[column], float(np.mean(sample.scores)))
            for column, sample in suite.columns.items()
        }
        score = Score(category=category, suite=suite.name, questions=suite.questions, **estimates)
        lines.append(_Line(score, means))
    return lines


def _mean(category: str, lines: Sequence[_Line]) -> Score:
    """Return the mean of a category's suites, which must be the same in each column."""
    columns = Counter(frozenset(line.means) for line in lines)
    most = max(columns, key=lambda each: (len(each), columns[each], "after" in each))
    whole = [line for line in lines if line.means.keys() == most]
    estimates = {}
    for column in most:
        means = np.mean([line.means[column] for line in whole], axis=0)
        values = [getattr(line.score, column).value for line in whole]
        estimates[column] = interval(means, float(np.mean(values)))
    return Score(
        category=category,
        suite=MEAN,
        questions=sum(line.score.questions for line in whole),
        **estimates,
    )


def _merged(told: Mapping[str, Mapping[str, T]]) -> dict[str, dict[str, T]]:
    """Turn what is told by stage and suite into the same by suite and stage."""
    merged: dict[str, dict[str, T]] = {}
    for stage, each in told.items():
        for name, value in each.items():
            merged.setdefault(name, {})[stage] = value
    return merged


def _clusters(results: Mapping[str, Result]) -> dict[str, int]:
    """Return by suite how many things its questions are about, where several are about one."""
    counts = {
        name: len({item.cluster for item in result.scored.values()})
        for name, result in results.items()
    }
    return {name: count for name, count in counts.items() if count < len(results[name].scored)}


def _no_room(results: Mapping[str, Result]) -> dict[str, int]:
    """Return by suite how many questions were not asked, if any, for want of room."""
    counts = {
        name: sum(not item.fits for item in result.scored.values())
        for name, result in results.items()
    }
    return {name: count for name, count in counts.items() if count}


def _templates(results: Mapping[str, Mapping[str, Result]]) -> dict[str, dict[str, str]]:
    """Return by suite the chat templates of both models, where it is known that they differ."""
    found = _merged(
        {
            stage: {name: result.template for name, result in each.items() if result.template}
            for stage, each in results.items()
        }
    )
    return {name: each for name, each in found.items() if len(set(each.values())) > 1}


def _left_out(done: Mapping[str, Measured]) -> dict[str, str]:
    left: dict[str, str] = {}
    for measured in done.values():
        left |= measured.left_out
        for name, result in measured.results.items():
            dropped = sum(item.score is None for item in result.items)
            if dropped:
                left[name] = f"{dropped:,} questions: their own pair does not reproduce"
    return left
