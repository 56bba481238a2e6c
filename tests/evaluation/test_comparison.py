"""The table of scores: what its intervals rest on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codeio.evaluation.comparison import report, scores_of
from codeio.evaluation.measurement import Measured
from codeio.evaluation.results import Item, Result
from codeio.evaluation.table import table
from codeio.training_run.scores import MEAN


def result(suite: str, category: str, scores: list[float], *, programs: str) -> Result:
    items = tuple(
        Item(
            id=f"{suite}/{number}",
            score=score,
            verdict="",
            cluster=f"{programs}/{number}",
            target="",
            response="",
        )
        for number, score in enumerate(scores)
    )
    return Result(suite=suite, category=category, baselines={}, items=items)


def width(suites: list[Result], suite: str, column: str = "after") -> float:
    before = {
        each.suite: replace(each, items=tuple(replace(item, score=0.0) for item in each.items))
        for each in suites
    }
    after = {each.suite: each for each in suites}
    (score,) = (each for each in scores_of(before, after) if each.suite == suite)
    found = getattr(score, column)
    assert found
    return float(found.high - found.low)


HALF = [1.0, 0.0] * 60


def test_two_suites_of_the_same_programs_know_no_more_than_one() -> None:
    same = [
        result(f"held-out-{direction}", "held-out", HALF, programs="program")
        for direction in ("output", "input")
    ]
    for column in ("after", "gain"):
        alone = width(same, "held-out-output", column)
        assert abs(width(same, MEAN, column) - alone) < 1e-9


def test_questions_about_one_thing_are_told_below_the_table() -> None:
    drop = result("drop", "commonsense", [1.0, 0.0, 1.0, 1.0], programs="passage")
    shared = tuple(replace(item, cluster=f"passage/{n // 2}") for n, item in enumerate(drop.items))
    alone = result("gsm8k", "mathematical", [1.0, 0.0], programs="gsm8k")
    results = {"drop": replace(drop, items=shared), "gsm8k": alone}
    told = report(None, Measured(results, {}, {}), settings={})
    assert told["clusters"] == {"drop": 2}
    said = table(scores_of({}, results), told).splitlines()
    assert said[-1] == "programs, passages or rules asked about, fewer than n: drop 2"
    del results["drop"]
    assert "fewer" not in table([], report(None, Measured(results, {}, {}), settings={}))


def test_two_suites_of_different_questions_know_more_than_one() -> None:
    different = [
        result("gsm8k", "mathematical", HALF, programs="gsm8k"),
        result("math", "mathematical", HALF, programs="math"),
    ]
    share = width(different, MEAN) / width(different, "gsm8k")
    assert 0.66 < share < 0.76  # one by the root of 2


@pytest.mark.parametrize(
    ("before", "after", "values", "questions"),
    [
        ({"gsm8k": 0.0}, {"math": 1.0}, (None, 1.0, None), 10),
        ({"gsm8k": 0.0, "math": 0.5}, {"math": 1.0}, (0.5, 1.0, 0.5), 10),
        ({"gsm8k": 0.0, "math": 0.5}, {"gsm8k": 1.0, "math": 1.0}, (0.25, 1.0, 0.75), 20),
        ({"gsm8k": 0.0}, {}, (0.0, None, None), 10),
    ],
)
def test_a_mean_compares_no_suite_with_another(
    before: dict[str, float],
    after: dict[str, float],
    values: tuple[float | None, ...],
    questions: int,
) -> None:
    sides = [
        {
            name: result(name, "mathematical", [share] * 10, programs=name)
            for name, share in each.items()
        }
        for each in (before, after)
    ]
    (mean,) = (each for each in scores_of(*sides) if each.suite == MEAN)
    found = (mean.before, mean.after, mean.gain)
    assert tuple(each and each.value for each in found) == values
    assert mean.questions == questions


NONE = [0.0] * 10
BOUND = 1 - 0.025 ** (1 / 10)


@pytest.mark.parametrize("column", ["after", "gain"])
def test_a_category_of_suites_that_are_all_alike_is_as_open_as_they_are(column: str) -> None:
    sides = 2 if column == "gain" else 1
    same = [
        result(f"held-out-{direction}", "held-out", NONE, programs="program")
        for direction in ("output", "input")
    ]
    for suite in ("held-out-output", MEAN):
        assert width(same, suite, column) == pytest.approx(sides * BOUND, rel=1e-2)
    different = [result(suite, "mathematical", NONE, programs=suite) for suite in ("gsm8k", "math")]
    assert 0.6 * BOUND < width(different, MEAN, column) / sides < 0.8 * BOUND
    # One of them does not hide what the other leaves open.
    mixed = [
        result("gsm8k", "mathematical", NONE, programs="gsm8k"),
        result("math", "mathematical", HALF * 10, programs="math"),
    ]
    assert width(mixed, MEAN, column) > 0.45 * sides * BOUND
