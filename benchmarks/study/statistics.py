"""Bootstrap intervals over seeds and programs.

A share of right answers depends on which questions were asked and on the seed
that the model was trained with. Both are drawn anew, with replacement, seeds
and programs independently of one another: all questions of a program come or
stay away together, because they are not independent, and every seed has
answered the same questions. Of a difference, both sides are measured on the
same draw. Each draw has one more program that is not there, of which all answers
are wrong for the lower bound and right for the upper: few programs say little of
others. Intervals hold the middle 95 % of the draws. Of one seed they do not
know what another would change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codeio.evaluation.bootstrap import even_chances, undrawn_share

if TYPE_CHECKING:
    from collections.abc import Sequence

Hits: TypeAlias = NDArray[np.float64]
"""Right answers as 1, others as 0; shape (seeds, questions)."""

_RESAMPLING_SEED = 8


@dataclass(frozen=True)
class Interval:
    """A value with its interval of 95 %; all three are NaN where nothing was asked."""

    value: float
    low: float
    high: float

    @property
    def above_zero(self) -> bool:
        return self.low > 0


def share(hits: Hits, programs: Sequence[str], *, resamples: int) -> Interval:
    """Return the share of right answers. `programs` names the program of each question."""
    none = np.zeros((1, hits.shape[1]))
    found = difference(hits, none, programs, resamples=resamples, least=0.0)
    low, high = np.clip([found.low, found.high], 0, 1)
    return Interval(found.value, float(low), float(high))


def difference(
    hits: Hits, others: Hits, programs: Sequence[str], *, resamples: int, least: float = -1.0
) -> Interval:
    """Return by how much the share of `hits` is above that of `others`, on the same questions.

    `least` is the least that a difference can be; the most is 1. Where both have as many
    seeds, a seed is drawn for both: it chose the same training examples.
    """
    if not len(programs):
        return Interval(float("nan"), float("nan"), float("nan"))
    rng = np.random.default_rng(_RESAMPLING_SEED)
    names, group = np.unique(np.asarray(programs), return_inverse=True)
    sizes = np.bincount(group, minlength=len(names)).astype(np.float64)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    asked = drawn @ sizes
    seeds = _seeds(len(hits), rng, resamples)
    other_seeds = seeds if len(others) == len(hits) else _seeds(len(others), rng, resamples)
    gained = (
        np.einsum("bs,sp,bp->b", seeds, _by_program(hits, group, len(names)), drawn, optimize=True)
        - np.einsum(
            "bs,sp,bp->b", other_seeds, _by_program(others, group, len(names)), drawn, optimize=True
        )
    ) / asked
    undrawn = undrawn_share(len(names), even_chances(resamples, rng))
    low = np.percentile(gained - undrawn * (gained - least), 2.5)
    high = np.percentile(gained + undrawn * (1 - gained), 97.5)
    return Interval(float(hits.mean() - others.mean()), float(low), float(high))


def _seeds(count: int, rng: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    """Return the weight of each seed in each draw; shape (resamples, seeds).

    Draws of so few vary by (n - 1)/n of what seeds do, so their deviations are stretched.
    """
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples) / count
    return 1 / count + math.sqrt(count / max(1, count - 1)) * (drawn - 1 / count)


def _by_program(hits: Hits, group: NDArray[np.intp], count: int) -> Hits:
    """Return the right answers of each program; shape (seeds, programs)."""
    return np.stack([np.bincount(group, weights=row, minlength=count) for row in hits])
