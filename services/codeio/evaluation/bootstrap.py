"""Bootstrap intervals: how far a score could be another, had other questions been drawn.

Each resample gives random weights to clusters of questions: those that share something, such as
their program, are not so many independent ones. The weights are those of the Bayesian bootstrap,
exponential ones. As none of them is nothing, no resample lacks all of a sample's clusters, also
where samples share some of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np

from codeio.training_run.status import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

RESAMPLES = 10_000
LEVEL = 0.95

# Numbers drawn at a time: 64 MiB.
_DRAWN = 1 << 23

Sample: TypeAlias = "tuple[Sequence[float], Sequence[str]]"
"""Scores, and the cluster that each belongs to."""

K = TypeVar("K")


def resampled(samples: Mapping[K, Sample], *, seed: int = 0) -> dict[K, NDArray[np.float64]]:
    """Return `RESAMPLES` means of each sample; a cluster weighs the same in all of them.

    With few questions that all came out alike the means do not differ: they know nothing of what
    was not drawn.

    Raises:
        ValueError: a sample has no scores.
    """
    if not all(scores for scores, _ in samples.values()):
        raise ValueError("there are no scores to resample")
    named = {cluster for _, clusters in samples.values() for cluster in clusters}
    places = {cluster: place for place, cluster in enumerate(sorted(named))}
    totals = np.zeros((len(samples), len(places)))
    counts = np.zeros_like(totals)
    for number, (scores, clusters) in enumerate(samples.values()):
        at = [places[cluster] for cluster in clusters]
        np.add.at(totals[number], at, scores)
        np.add.at(counts[number], at, 1.0)
    rng = np.random.default_rng(seed)
    means = np.empty((len(samples), RESAMPLES))
    step = max(1, _DRAWN // max(1, len(places)))
    for start in range(0, RESAMPLES, step):
        weights = rng.standard_exponential((len(places), min(step, RESAMPLES - start)))
        means[:, start : start + step] = (totals @ weights) / (counts @ weights)
    return dict(zip(samples, means, strict=True))


def interval(means: NDArray[np.float64], value: float) -> Estimate:
    """Return a value with the interval that its resampled ones span."""
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value=value, low=float(low), high=float(high))
