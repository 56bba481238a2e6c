"""Intervals of 95 %: how far a score could be another, had other questions been drawn.

Each resample gives random weights to clusters of questions: those that share something, such as
their program, are not so many independent ones. The weights are those of the Bayesian bootstrap,
exponential ones. As none of them is nothing, no resample lacks all of a sample's clusters, also
where samples share some of them.

What was drawn says little of what was not: with one answer more right of a hundred, a gain is not
shown, though no resample lacks it. So each resample has one more cluster, that was not drawn and
that scores the least for the lower bound, the most for the upper: Gaffke's bounds of a mean. Of
right and wrong answers that share nothing they are the exact ones of the binomial, Clopper and
Pearson's, so that none right of n is [0, 1 - 0.025^(1/n)]; and a gain without a loss is shown from
six of them on, as by McNemar's exact test. Where clusters are of several sizes they are no exact
ones, and the cluster that was not drawn is taken to be as large as the others are on average.
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

    A cluster weighs the same in all samples.

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
    chances: list[tuple[NDArray[np.bool_], NDArray[np.float64]]] = []
    bounds = {}
    for key, mean, count in zip(samples, means, counts, strict=True):
        drawn = count > 0
        # Samples that share clusters miss the same one.
        chance = next((each for others, each in chances if (others & drawn).any()), None)
        if chance is None:
            chance = even_chances(RESAMPLES, rng)
        chances.append((drawn, chance))
        share = undrawn_share(int(drawn.sum()), chance)
        bounds[key] = np.stack(
            [mean - share * (mean - samples[key].least), mean + share * (1.0 - mean)]
        )
    return bounds


def even_chances(resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return numbers between 0 and 1 that are spread more evenly than drawn ones."""
    return (rng.permutation(resamples) + 0.5) / resamples


def undrawn_share(clusters: int, chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what one more cluster weighs beside so many, as a share of all: Beta(1, n)."""
    share: NDArray[np.float64] = 1 - chances ** (1 / clusters)
    return share


def interval(means: NDArray[np.float64], value: float) -> Estimate:
    """Return a value with the interval that its resampled ones span; see `resampled`."""
    low = np.quantile(means[0], (1 - LEVEL) / 2)
    high = np.quantile(means[1], (1 + LEVEL) / 2)
    return Estimate(value=value, low=float(low), high=float(high))
