"""The limit finds what an endpoint bears, on simulated endpoints and a clock of their own."""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeio.language_model.limit import AdaptiveLimit, Round

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Simulation:
    """Always asks as much as the limit allows; `latency` tells how long so many at a time take."""

    bound: int
    latency: Callable[[int], float]
    most: int = 10**9
    """Calls at a time; further ones are turned away at once."""
    share_away: float = 0.0
    """Of the others so many are turned away by chance."""
    now: float = 0.0
    answered: int = 0
    _accepted: int = 0
    _ends: list[tuple[float, int, float, Round, str]] = field(default_factory=list)
    _chance: random.Random = field(default_factory=lambda: random.Random(0))
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.limit = AdaptiveLimit(most=self.bound, clock=lambda: self.now)

    def run(self, answers: int) -> None:
        goal = self.answered + answers
        while self.answered < goal:
            while self.limit.room > 0:
                begun_in = self.limit.begin()
                taken = self._accepted < self.most and self._chance.random() >= self.share_away
                self._accepted += taken
                seconds = self.latency(self._accepted) if taken else 0.01
                self._later(seconds, begun_in, "answered" if taken else "away")
            self.now, _, seconds, begun_in, what = heapq.heappop(self._ends)
            if what == "rested":
                self.limit.rested()
            elif what == "answered":
                self._accepted -= 1
                self.limit.answered(begun_in, seconds=seconds, work=1.0)
                self.answered += 1
            elif self.limit.turned_away(begun_in, seconds=seconds + 0.3):
                self._later(0.3, begun_in, "rested")

    def _later(self, seconds: float, begun_in: Round, what: str) -> None:
        entry = (self.now + seconds, next(self._numbers), seconds, begun_in, what)
        heapq.heappush(self._ends, entry)


@pytest.mark.parametrize("most", [1, 2, 7, 32, 100, 256])
def test_it_finds_how_many_an_endpoint_takes_and_stays_there(most: int) -> None:
    simulation = Simulation(512, lambda _: 1.0, most=most)
    simulation.run(most * 20)
    before = simulation.now
    simulation.run(most * 50)
    rate = most * 50 / (simulation.now - before)
    assert rate >= 0.95 * most
    assert simulation.limit.limit <= 2 * most


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 0.5])
def test_it_stays_up_where_calls_are_turned_away_whatever_their_number(share: float) -> None:
    simulation = Simulation(256, lambda _: 1.0, share_away=share)
    simulation.run(5_000)
    before = simulation.now
    simulation.run(20_000)
    rate = 20_000 / (simulation.now - before)
    used = 1 / (1 + 0.3 * share / (1 - share))
    assert rate >= 0.7 * 256 * used


def test_it_does_not_queue_more_where_the_calls_only_become_slower() -> None:
    """Forty at a time are as fast as one; above, they share what there is."""
    simulation = Simulation(4096, lambda n: max(1.0, n / 40))
    simulation.run(20_000)
    assert 40 <= simulation.limit.limit <= 160


def test_it_goes_down_when_the_endpoint_bears_less_than_before() -> None:
    simulation = Simulation(512, lambda _: 1.0, most=200)
    simulation.run(5000)
    assert simulation.limit.limit >= 190
    simulation.most = 20
    simulation.run(500)
    assert simulation.limit.limit <= 30


def test_it_goes_up_when_the_endpoint_bears_more_than_before() -> None:
    simulation = Simulation(512, lambda _: 1.0, most=20)
    simulation.run(1000)
    assert simulation.limit.limit <= 25
    simulation.most = 400
    simulation.run(60_000)
    assert simulation.limit.limit >= 100


@given(st.lists(st.sampled_from(["begin", "answer", "away", "rested", "fail"]), max_size=300))
def test_whatever_happens_it_counts_what_is_in_flight_and_keeps_its_bounds(acts: list[str]) -> None:
    limit = AdaptiveLimit(most=50)
    tokens: list[Round] = []
    resting = 0
    for act in acts:
        if act == "rested" and resting:
            limit.rested()
            resting -= 1
        if act in ("begin", "rested") or not tokens:
            tokens.append(limit.begin())
            continue
        token = tokens.pop(0)
        if act == "answer":
            limit.answered(token, seconds=0.5, work=3.0)
        elif act == "away":
            resting += limit.turned_away(token, seconds=0.1)
        else:
            limit.failed()
        assert limit.in_flight == len(tokens)
        assert limit.room == limit.limit - len(tokens) - resting
        assert 1 <= limit.limit <= 50
