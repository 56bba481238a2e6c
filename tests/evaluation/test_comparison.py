"""The table of scores: what its intervals rest on."""

from __future__ import annotations

from codeio.evaluation.comparison import scores_of
from codeio.evaluation.results import Item, Result
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
        each.suite: result(each.suite, each.category, [0.0] * len(each.items), programs="x")
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


def test_two_suites_of_different_questions_know_more_than_one() -> None:
    different = [
        result("gsm8k", "mathematical", HALF, programs="gsm8k"),
        result("math", "mathematical", HALF, programs="math"),
    ]
    share = width(different, MEAN) / width(different, "gsm8k")
    assert 0.66 < share < 0.76  # one by the root of 2
