"""Which sample is drawn when: a pure function of seed and position.

A position counts the samples drawn since the stage began. Without weights the sources are one:
all samples are drawn in the order of a permutation, and of another one for each further pass.

With weights, which source a position belongs to follows a cycle in which each source has its
share of places, spread evenly, so that every step has the mixture that was asked for, but for
rounding. Each source then has permutations and passes of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

CYCLE = 1 << 16
"""Places of a cycle: a share is met to one part in as many."""

Positions = NDArray[np.int64]
Samples = NDArray[np.int64]


class Order:
    """The order of the samples of several sources, which are numbered one source after another."""

    def __init__(self, *, sizes: Sequence[int], weights: Sequence[float] | None, seed: int) -> None:
        """Take for each source its number of samples, at least one, and its weight, if any."""
        self._seed = seed
        if weights is None:
            sizes, weights = [sum(sizes)], [1.0]
        self._sizes = np.array(sizes, dtype=np.int64)
        self._first = np.cumsum(self._sizes) - self._sizes
        self._places = _apportioned(weights)
        sources = np.repeat(np.arange(len(sizes)), self._places)
        draws = np.concatenate([np.arange(number) for number in self._places])
        # The middle of its share of the cycle is the place of a draw.
        by_place = np.lexsort((sources, (draws + 0.5) / self._places[sources]))
        self._source_at, self._draw_at = sources[by_place], draws[by_place]
        self._permutations: dict[int, tuple[int, Samples]] = {}

    def samples(self, start: int, stop: int) -> Samples:
        """Return the samples at the positions from `start` up to but without `stop`."""
        cycle, place = np.divmod(np.arange(start, stop, dtype=np.int64), CYCLE)
        source = self._source_at[place]
        draw = cycle * self._places[source] + self._draw_at[place]
        turn, within = np.divmod(draw, self._sizes[source])
        drawn = np.empty(len(draw), dtype=np.int64)
        for one in np.unique(source):
            for number in np.unique(turn[source == one]):
                here = (source == one) & (turn == number)
                order = self._permutation(int(one), int(number))
                drawn[here] = self._first[one] + order[within[here]]
        return drawn

    def _permutation(self, source: int, number: int) -> Samples:
        """Return a permutation; the last one of each source is kept, 8 bytes a sample."""
        if self._permutations.get(source, (-1,))[0] != number:
            key = np.random.SeedSequence((self._seed, source, number))
            generator = np.random.Generator(np.random.Philox(key))
            made = generator.permutation(int(self._sizes[source]))
            self._permutations[source] = (number, made)
        return self._permutations[source][1]


def _apportioned(weights: Sequence[float]) -> NDArray[np.int64]:
    """Share out the places of a cycle by largest remainders, at least one to each source."""
    quotas = np.array(weights, dtype=np.float64) / sum(weights) * CYCLE
    places = np.maximum(1, np.floor(quotas)).astype(np.int64)
    missing = CYCLE - int(places.sum())
    remainders = np.argsort(-(quotas - places), kind="stable")
    for source in remainders[: max(0, missing)]:
        places[source] += 1
    if missing < 0:  # many sources of next to no weight were given a place
        places[int(np.argmax(places))] += missing
    return places
