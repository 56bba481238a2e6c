"""Intervals of 95 %: how far a score could be another, had other questions been drawn.

Each resample gives random weights to clusters of questions: those that share something, such as
their program, are not so many independent ones. The weights are those of the Bayesian bootstrap,
exponential ones. As none of them is nothing, no resample lacks all of a sample's clusters, also
where samples share some of them.

Clusters that all came out alike differ in no resample, though they say nothing of those that were
not drawn. There the bound is the exact one of the binomial, Clopper and Pearson's: with n clusters,
a share of up to 1 - 0.025^(1/n) of all there are may be otherwise, and as far as it can be. None
right of n is so [0, 1 - 0.025^(1/n)], and no gain anywhere reaches as far to both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from codeio.training_run.status import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

RESAMPLES = 10_000
LEVEL = 0.95

# Means of clusters that differ by less are so by rounding.
_ALIKE = 1e-12

# Numbers drawn at a time: 64 MiB.
_DRAWN = 1 << 23

K = TypeVar("K")


@dataclass(frozen=True)
class Sample:
    """What is resampled."""

    scores: Sequence[float]
    clusters: Sequence[str]
    """What each score belongs to."""
    least: float = 0.0
    """The least that a score can be; the most is 1."""


def resampled(samples: Mapping[K, Sample], *, seed: int = 0) -> dict[K, NDArray[np.float64]]:
    """Return means of each sample for the lower bound and for the upper, `[2, RESAMPLES]`.

    They are the same but where all clusters are alike. A cluster weighs the same in all samples.

    Raises:
        ValueError: a sample has no scores.
    """
    if not all(sample.scores for sample in samples.values()):
        raise ValueError("there are no scores to resample")
    named = {cluster for sample in samples.values() for cluster in sample.clusters}
    places = {cluster: place for place, cluster in enumerate(sorted(named))}
    totals = np.zeros((len(samples), len(places)))
    counts = np.zeros_like(totals)
    for number, sample in enumerate(samples.values()):
        at = [places[cluster] for cluster in sample.clusters]
        np.add.at(totals[number], at, sample.scores)
        np.add.at(counts[number], at, 1.0)
    rng = np.random.default_rng(seed)
    means = np.empty((len(samples), RESAMPLES))
    step = max(1, _DRAWN // max(1, len(places)))
    for start in range(0, RESAMPLES, step):
        weights = rng.standard_exponential((len(places), min(step, RESAMPLES - start)))
        means[:, start : start + step] = (totals @ weights) / (counts @ weights)
    bounds = np.stack([means, means], axis=1)
    unseen: dict[bytes, NDArray[np.float64]] = {}
    for number, sample in enumerate(samples.values()):
        drawn = counts[number] > 0
        alike = totals[number, drawn] / counts[number, drawn]
        if np.ptp(alike) < _ALIKE:
            # Samples of the same clusters miss the same ones.
            share = unseen.setdefault(drawn.tobytes(), _unseen(len(alike), rng))
            bounds[number, 0] -= share * (alike[0] - sample.least)
            bounds[number, 1] += share * (1.0 - alike[0])
    return dict(zip(samples, bounds, strict=True))


def _unseen(clusters: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return shares of all there is that so many alike clusters may miss, evenly spread.

    Their quantile of 97.5 % is the binomial's bound; it is also what one more cluster would weigh.
    """
    return 1 - ((rng.permutation(RESAMPLES) + 0.5) / RESAMPLES) ** (1 / clusters)


def interval(means: NDArray[np.float64], value: float) -> Estimate:
    """Return a value with the interval that its resampled ones span; see `resampled`."""
    low = np.quantile(means[0], (1 - LEVEL) / 2)
    high = np.quantile(means[1], (1 + LEVEL) / 2)
    return Estimate(value=value, low=float(low), high=float(high))
