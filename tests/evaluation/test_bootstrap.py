from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from codeio.evaluation.bootstrap import Sample, interval, resampled

if TYPE_CHECKING:
    from codeio.training_run.status import Estimate


def estimate(
    scores: list[float], *, clusters: list[str] | None = None, least: float = 0.0, seed: int = 0
) -> Estimate:
    """Return the mean of scores and its interval; without clusters each question is one."""
    names = clusters or [str(number) for number in range(len(scores))]
    means = resampled({"suite": Sample(scores, names, least)}, seed=seed)
    return interval(means["suite"], float(np.mean(scores or [0.0])))


shares = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@settings(max_examples=25)
@given(shares)
def test_the_mean_lies_in_its_interval(scores: list[float]) -> None:
    found = estimate(scores)
    assert found.value == pytest.approx(np.mean(scores))
    assert -1e-9 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1 + 1e-9
    assert found.low < found.high


@pytest.mark.parametrize(("right", "questions"), [(1, 10), (60, 200), (3, 4), (299, 300)])
def test_the_interval_is_the_exact_one_of_the_binomial(right: int, questions: int) -> None:
    found = estimate([1.0] * right + [0.0] * (questions - right))
    exact = binomtest(right, questions).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-3, rel=0.02)


@pytest.mark.parametrize(
    ("gained", "lost", "questions", "shown"),
    [
        (1, 0, 10, False),
        (1, 0, 1000, False),
        (5, 0, 100, False),
        (6, 0, 100, True),
        (6, 0, 6, True),
        (10, 2, 100, True),
        (10, 5, 100, False),
    ],
)
def test_a_gain_is_shown_where_mcnemars_exact_test_shows_it(
    gained: int, lost: int, questions: int, *, shown: bool
) -> None:
    assert (binomtest(gained, gained + lost).pvalue < 0.05) == shown
    gains = [1.0] * gained + [-1.0] * lost + [0.0] * (questions - gained - lost)
    assert (estimate(gains, least=-1.0).low > 0) is shown
    assert (estimate([-gain for gain in gains], least=-1.0).high < 0) is shown


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for number in range(150):
        found = estimate(list(rng.binomial(1, 0.4, size=80).astype(float)), seed=number)
        held += found.low <= 0.4 <= found.high
    assert 0.88 <= held / 150 <= 0.99


def test_questions_of_one_program_are_drawn_together() -> None:
    scores = [1.0] * 50 + [0.0] * 50
    alone = estimate(scores)
    together = estimate(scores, clusters=[str(number // 10) for number in range(100)])
    assert together.value == alone.value
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_a_seed_gives_the_same_again() -> None:
    scores = [0.0, 1.0, 1.0, 0.5]
    assert estimate(scores, seed=5) == estimate(scores, seed=5)
    with pytest.raises(ValueError, match="no scores"):
        estimate([])


def test_samples_of_the_same_clusters_go_up_and_down_together() -> None:
    scores = [1.0] * 30 + [0.0] * 50
    clusters = [str(number) for number in range(80)]
    sample = Sample(scores, clusters)
    means = resampled({"output": sample, "input": sample})
    assert np.array_equal(means["output"], means["input"])
    others = [f"other {number}" for number in range(80)]
    means = resampled({"output": sample, "input": Sample(scores, others)})
    assert abs(np.corrcoef(means["output"][0], means["input"][0])[0, 1]) < 0.05


def test_samples_that_share_some_clusters_miss_the_same_one() -> None:
    ten, nine = (Sample([0.0] * n, [str(number) for number in range(n)]) for n in (10, 9))
    means = resampled({"output": ten, "input": nine})
    together = interval(np.mean([means["output"], means["input"]], axis=0), 0.0)
    ours, theirs = interval(means["output"], 0.0).high, interval(means["input"], 0.0).high
    assert together.high == pytest.approx((ours + theirs) / 2)


def test_a_small_sample_among_many_clusters_has_a_mean_in_each_resample() -> None:
    many = Sample([1.0] * 300, [str(number) for number in range(300)])
    means = resampled({"many": many, "few": Sample([0.0, 1.0], ["0", "1"])})
    assert np.isfinite(means["few"]).all()
    assert np.std(means["few"]) > 0.2


@pytest.mark.parametrize("questions", [1, 8, 10, 300])
def test_where_all_is_alike_the_bound_is_the_exact_one(questions: int) -> None:
    bound = pytest.approx(1 - 0.025 ** (1 / questions), rel=2e-3)
    none = estimate([0.0] * questions)
    assert (none.low, none.high) == (0.0, bound)
    every = estimate([1.0] * questions)
    assert (1 - every.low, every.high) == (bound, 1.0)
    no_gain = estimate([0.0] * questions, least=-1.0)
    assert (-no_gain.low, no_gain.high) == (bound, bound)


def test_questions_of_one_program_that_are_alike_are_no_more_than_the_program() -> None:
    alone = estimate([0.1] * 10)
    # Twice 0.1 and once nothing, for each of ten programs.
    programs = [str(number) for number in range(10)]
    together = estimate([0.1, 0.2, 0.0] * 10, clusters=[each for each in programs for _ in "abc"])
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    assert alone.low < 0.1 < alone.high
