"""Bootstrap intervals: how far a score could be another, had other questions been drawn.

Questions that share something, such as their program, are drawn together: they
are not so many independent ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from codeio.training_run.status import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RESAMPLES = 10_000
LEVEL = 0.95

# Numbers drawn at a time: 64 MiB.
_DRAWN = 1 << 23


def estimate(
    scores: Sequence[float], *, clusters: Sequence[str] | None = None, seed: int = 0
) -> Estimate:
    """Return the mean of scores and its percentile interval of 95 %.

    Of paired differences it is that of the gain. With few questions that all
    came out alike the interval has no width: it knows nothing of what was not drawn.

    Raises:
        ValueError: there are no scores.
    """
    return interval(resampled(scores, clusters=clusters, seed=seed), float(np.mean(scores)))


def resampled(
    scores: Sequence[float], *, clusters: Sequence[str] | None = None, seed: int = 0
) -> NDArray[np.float64]:
    """Return the means of `RESAMPLES` samples with replacement.

    Raises:
        ValueError: there are no scores.
    """
    if not scores:
        raise ValueError("there are no scores to resample")
    totals, counts = _by_cluster(scores, clusters)
    number = len(totals)
    rng = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    step = max(1, _DRAWN // number)
    for start in range(0, RESAMPLES, step):
        rows = min(step, RESAMPLES - start)
        drawn = rng.integers(0, number, size=(rows, number))
        means[start : start + rows] = totals[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return means


def interval(means: NDArray[np.float64], value: float) -> Estimate:
    """Return a value with the interval that its resampled ones span."""
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value=value, low=float(low), high=float(high))


def _by_cluster(
    scores: Sequence[float], clusters: Sequence[str] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = np.asarray(scores, dtype=np.float64)
    if clusters is None:
        return values, np.ones_like(values)
    _, places = np.unique(np.asarray(clusters), return_inverse=True)
    totals = np.bincount(places, weights=values).astype(np.float64)
    return totals, np.bincount(places).astype(np.float64)
