"""Which sample is drawn when."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from codeio.trainer.data.order import CYCLE, Order


@given(st.integers(1, 300), st.integers(0, 2**31 - 1))
def test_every_pass_over_a_source_has_each_sample_once(size: int, seed: int) -> None:
    order = Order(sizes=[size], weights=[1.0], seed=seed)
    for number in range(3):
        drawn = order.samples(number * size, (number + 1) * size)
        assert sorted(drawn.tolist()) == list(range(size))


def test_passes_and_seeds_have_orders_of_their_own() -> None:
    order = Order(sizes=[1000], weights=[1.0], seed=1)
    first, second = order.samples(0, 1000), order.samples(1000, 2000)
    other = Order(sizes=[1000], weights=[1.0], seed=2).samples(0, 1000)
    orders = [first.tolist(), second.tolist(), other.tolist(), list(range(1000))]
    for number, one in enumerate(orders):
        for two in orders[:number]:
            assert sum(a == b for a, b in zip(one, two, strict=True)) < 30


SOURCES = st.lists(st.tuples(st.integers(1, 50), st.floats(0.01, 1000)), min_size=1, max_size=16)


@given(SOURCES, st.integers(0, 3 * CYCLE), st.lists(st.integers(1, 200), min_size=1, max_size=6))
def test_a_position_has_the_same_sample_however_it_is_come_to(
    sources: list[tuple[int, float]], start: int, lengths: list[int]
) -> None:
    sizes, weights = zip(*sources, strict=True)
    whole = Order(sizes=sizes, weights=weights, seed=3).samples(start, start + sum(lengths))
    pieces = Order(sizes=sizes, weights=weights, seed=3)
    ends = start + np.cumsum(lengths)
    drawn = [
        pieces.samples(int(end) - length, int(end))
        for length, end in reversed(list(zip(lengths, ends, strict=True)))
    ]
    assert np.concatenate(drawn[::-1]).tolist() == whole.tolist()


@given(SOURCES, st.integers(0, 3 * CYCLE), st.integers(1, 2000))
def test_every_stretch_has_the_mixture_that_was_asked_for(
    sources: list[tuple[int, float]], start: int, length: int
) -> None:
    sizes, weights = zip(*sources, strict=True)
    drawn = Order(sizes=sizes, weights=weights, seed=0).samples(start, start + length)
    of_source = np.searchsorted(np.cumsum(sizes), drawn, side="right")
    counts = np.bincount(of_source, minlength=len(sizes))
    for count, weight in zip(counts, weights, strict=True):
        # Places of a cycle are whole, and no source has none.
        rounding = length * len(sizes) / CYCLE
        assert abs(count - length * weight / sum(weights)) <= len(sizes) + 1 + rounding


def test_a_source_that_runs_out_begins_again() -> None:
    drawn = Order(sizes=[1000, 10], weights=[1.0, 1.0], seed=0).samples(0, 400)
    small = [sample - 1000 for sample in drawn.tolist() if sample >= 1000]
    assert len(small) == 200
    for number in range(20):
        assert sorted(small[number * 10 : number * 10 + 10]) == list(range(10))


SIZES = st.lists(st.integers(1, 300), min_size=1, max_size=16)


@given(SIZES, st.integers(0, 2**31 - 1), st.integers(1, 100))
def test_without_weights_every_pass_has_each_sample_of_each_source_once(
    sizes: list[int], seed: int, batch: int
) -> None:
    order = Order(sizes=sizes, weights=None, seed=seed)
    total = sum(sizes)
    drawn = np.concatenate(
        [
            order.samples(start, min(start + batch, 3 * total))
            for start in range(0, 3 * total, batch)
        ]
    )
    for one_pass in drawn.reshape(3, total):
        assert sorted(one_pass.tolist()) == list(range(total))
    # As from a checkpoint: whatever was drawn before, and by whom.
    again = Order(sizes=sizes, weights=None, seed=seed)
    assert (
        again.samples(total, total + batch).tolist() == order.samples(total, total + batch).tolist()
    )
