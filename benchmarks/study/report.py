"""What came out: measured, compared, and said in sentences that are computed, not written."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from benchmarks.study.arms import Arm
from benchmarks.study.plan import Direction, Origin
from benchmarks.study.statistics import Hits, Interval, difference, share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.study.questions import Question

Verdicts: TypeAlias = "Mapping[str, str]"
"""Verdict on each answer by the question's id."""

CORRECT, UNPARSABLE = "CORRECT", "UNPARSABLE"


@dataclass(frozen=True)
class Asked:
    """Something that answered all questions: an arm with its seeds, or a baseline."""

    title: str
    kind: str
    """`arm`, `untouched`, `trivial` or `oracle`."""
    verdicts: tuple[Verdicts, ...]
    """One for each seed; baselines have one."""
    arm: Arm | None = None


@dataclass(frozen=True)
class Score:
    """How one of them did on the questions of one origin and direction."""

    title: str
    kind: str
    origin: str
    direction: str
    questions: int
    right: Interval
    unparsable: float
    shared: float
    """Share of its right answers that some trivial baseline has too."""
    beyond: Interval
    """Share of right answers among the questions that no trivial baseline gets."""


@dataclass(frozen=True)
class Comparison:
    """The difference between two, on the same questions."""

    title: str
    origin: str
    direction: str
    gain: Interval
    beyond: Interval
    """The same on the questions that no trivial baseline gets."""


@dataclass(frozen=True)
class Outcome:
    """All that was found."""

    scores: tuple[Score, ...]
    comparisons: tuple[Comparison, ...]
    hard: dict[str, int]
    """Questions that no trivial baseline gets, by origin and direction."""
    conclusions: tuple[str, ...]
    """What is shown: gains, and differences between arms."""
    undecided: tuple[str, ...]
    """What is not."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def evaluate(asked: Sequence[Asked], questions: Sequence[Question], *, resamples: int) -> Outcome:
    """Return scores, comparisons and conclusions."""
    scores: list[Score] = []
    comparisons: list[Comparison] = []
    hard: dict[str, int] = {}
    conclusions: list[tuple[bool, str]] = []
    for origin in Origin:
        for direction in Direction:
            here = [q for q in questions if (q.origin, q.direction) == (origin, direction)]
            if not here:
                continue
            table = _Table(asked, here, resamples=resamples)
            scores += table.scores()
            found = table.comparisons()
            comparisons += found
            hard[f"{origin}, {direction}"] = int(table.hard.sum())
            conclusions += [table.conclusion(each) for each in table.arms]
            conclusions += [_said(each) for each in found if not each.title.endswith(_UNTOUCHED)]
    shown, others = (
        tuple(sentence for is_shown, sentence in conclusions if is_shown is wanted)
        for wanted in (True, False)
    )
    return Outcome(tuple(scores), tuple(comparisons), hard, shown, others)


_UNTOUCHED = "the untouched model"
_PAIRS = (
    (Arm.RATIONALE, Arm.SHUFFLED),
    (Arm.RATIONALE, Arm.ANSWER_EXAMPLES),
    (Arm.RATIONALE, Arm.ANSWER_TOKENS),
)


class _Table:
    """The questions of one origin and direction, and who got which right."""

    def __init__(
        self, asked: Sequence[Asked], questions: Sequence[Question], *, resamples: int
    ) -> None:
        self._asked = asked
        self._questions = questions
        self._resamples = resamples
        self._hits = {each.title: self._hits_of(each) for each in asked}
        trivial = [each for each in asked if each.kind in _GUESSES]
        self._trivial = np.max([self._hits[each.title].max(axis=0) for each in trivial], axis=0)
        self.hard = self._trivial == 0
        self.arms = [each for each in asked if each.kind == "arm"]
        self._untouched = self._best([each for each in asked if each.kind == "untouched"])
        self._guess = self._best(trivial)

    def scores(self) -> list[Score]:
        return [self._score(each) for each in self._asked]

    def comparisons(self) -> list[Comparison]:
        """Return each arm beside the untouched model at its best, the main one beside others."""
        by_arm = {each.arm: each for each in self.arms}
        pairs = [(each, self._untouched) for each in self.arms]
        pairs += [(by_arm[a], by_arm[b]) for a, b in _PAIRS if a in by_arm and b in by_arm]
        return [self._comparison(one, other) for one, other in pairs]

    def conclusion(self, arm: Asked) -> tuple[bool, str]:
        """Say whether an arm gained or lost anything, and whether trivial baselines gain as much.

        Both gains are over the same model, so their difference is that of arm and baseline.
        """
        found = self._comparison(arm, self._untouched)
        first = self._questions[0]
        where = f"{arm.title} ({first.origin}, {first.direction} prediction)"
        gain, beyond = points(found.gain), points(found.beyond)
        guessed = f"{self._guess.title} gets {percent(self._mean(self._guess))}"
        if found.gain.high < 0:
            return True, f"{where}: worse than the untouched model at its best: {gain}."
        if not found.gain.above_zero:
            return False, (
                f"{where}: no gain over the untouched model at its best is shown ({gain});"
                f" without any model, {guessed}."
            )
        against = self._difference(arm, self._guess)
        if found.beyond.above_zero:
            said = "goes beyond what trivial baselines reach"
        elif against.high < 0:
            said = "is less than a trivial baseline's"
        else:
            said = "is not shown to go beyond what trivial baselines reach"
        return True, (
            f"{where}: the gain of {gain} {said}: on the {int(self.hard.sum())} questions that"
            f" none of them gets it is {beyond}; without any model, {guessed}, and the arm's"
            f" difference from that is {points(against)}."
        )

    def _mean(self, asked: Asked) -> float:
        return float(self._hits[asked.title].mean())

    def _best(self, asked: Sequence[Asked]) -> Asked:
        return max(asked, key=self._mean)

    def _hits_of(self, asked: Asked) -> Hits:
        return np.array(
            [
                [verdicts[q.question_id] == CORRECT for q in self._questions]
                for verdicts in asked.verdicts
            ],
            dtype=np.float64,
        )

    def _score(self, asked: Asked) -> Score:
        hits = self._hits[asked.title]
        first = self._questions[0]
        said = Counter(
            verdicts[q.question_id] for verdicts in asked.verdicts for q in self._questions
        )
        return Score(
            title=asked.title,
            kind=asked.kind,
            origin=first.origin,
            direction=first.direction,
            questions=len(self._questions),
            right=share(hits, self._programs(), resamples=self._resamples),
            unparsable=said[UNPARSABLE] / said.total(),
            shared=float((hits * self._trivial).sum() / hits.sum()) if hits.any() else math.nan,
            beyond=share(hits[:, self.hard], self._programs(hard=True), resamples=self._resamples),
        )

    def _comparison(self, one: Asked, other: Asked) -> Comparison:
        first = self._questions[0]
        beside = _UNTOUCHED if other.kind == "untouched" else other.title
        return Comparison(
            title=f"{one.title} v {beside}",
            origin=first.origin,
            direction=first.direction,
            gain=self._difference(one, other),
            beyond=self._difference(one, other, hard=True),
        )

    def _difference(self, one: Asked, other: Asked, *, hard: bool = False) -> Interval:
        hits, others = self._hits[one.title], self._hits[other.title]
        if hard:
            hits, others = hits[:, self.hard], others[:, self.hard]
        return difference(hits, others, self._programs(hard=hard), resamples=self._resamples)

    def _programs(self, *, hard: bool = False) -> list[str]:
        chosen = self.hard if hard else np.ones(len(self._questions), dtype=bool)
        return [q.program_id for q, each in zip(self._questions, chosen, strict=True) if each]


_GUESSES = frozenset({"trivial", "oracle"})


def _said(found: Comparison) -> tuple[bool, str]:
    where = f"{found.title} ({found.origin}, {found.direction} prediction)"
    if found.gain.above_zero:
        return True, f"{where}: better: {points(found.gain)}."
    if found.gain.high < 0:
        return True, f"{where}: worse: {points(found.gain)}."
    return False, f"{where}: no difference is shown ({points(found.gain)})."


def percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f} %"


def points(interval: Interval) -> str:
    """Return a difference in percentage points with its interval."""
    if math.isnan(interval.value):
        return "–"
    value, low, high = (100 * each for each in (interval.value, interval.low, interval.high))
    return f"{value:+.1f} points [{low:+.1f}, {high:+.1f}]"


def with_interval(interval: Interval) -> str:
    """Return a share in per cent with its interval."""
    if math.isnan(interval.value):
        return "–"
    value, low, high = (100 * each for each in (interval.value, interval.low, interval.high))
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"
