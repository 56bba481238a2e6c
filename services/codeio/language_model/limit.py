"""How many calls an endpoint bears at a time: found by trying, and followed as it changes.

What counts is work done per second. By Little's law it is the number of calls
at a time over the time that one takes, so a round of as many calls as the
limit tells it: where twice the calls take twice the time, they only queue.

- At first the limit grows fourfold after each half round that brought clearly
  more work. What is turned away of the very first calls is one too many each.
- Then, ever more rarely, one round is spent on a slightly higher limit, which
  stays if it brought more; or on a lower one, when calls have become slower.
- What is turned away, or not answered in time, shows in the share of the time
  that places were held by such calls: the limit goes down to the other places.
  Where that share is the same at the lower limit, it has nothing to do with
  it, as others ask of the endpoint too: the limit goes back, and the share is
  borne from then on.
- When a higher limit is tried, calls that are turned away end the trial at once.
- The place of any other call that was turned away rests for a moment, lest the
  next call meets the same.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST = 64
_RAMP = 4
# Of what a higher limit could bring at best, so much must have come.
_RAMP_GAIN = 0.25
_TRIAL_GAIN = 0.5
_SLOWER = 1.5
_KEPT = 0.95
_PATIENCE = 2
_MOST_PATIENCE = 64
# Of the places that were used until now, so many must still be.
_USED = 0.95
# A lower limit helped when it took away this part of the time that was lost, or so much
# more of the time is used.
_MOST_CHANCE = 0.25
_HELPED = 0.5
_MORE_USED = 1.3
# Turned away of a trial, when the round before had hardly any.
_MOST_OF_TRIAL = 0.1
_HARDLY = 0.02


@dataclass(slots=True)
class Round:
    """The calls that were begun since the limit was set."""

    limit: int
    began: float
    """By the clock, in seconds."""
    ended: float = 0.0
    full: bool = False
    """Whether as many ran at a time as were allowed."""
    calls: int = 0
    """Those answered."""
    seconds: float = 0.0
    work: float = 0.0
    turned_away: int = 0
    seconds_away: float = 0.0
    """Time for which places were lost to calls that were turned away."""

    @property
    def rate(self) -> float:
        """Work per second at this limit."""
        return self.limit * self.used / self.slowness

    @property
    def slowness(self) -> float:
        """Seconds of a call for each unit of work."""
        return max(self.seconds, 1e-9) / max(self.work, 1e-9)

    @property
    def used(self) -> float:
        """Share of the places' time that was not lost to calls that were turned away."""
        whole = max(self.limit * (self.ended - self.began), self.seconds_away, 1e-9)
        return 1 - self.seconds_away / whole


class AdaptiveLimit:
    """The limit of one endpoint. Not more than `most`, never less than one."""

    def __init__(self, *, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self.in_flight = 0
        self._resting = 0
        self._set(_FIRST)
        self._base: Round | None = None
        """The last full round at the limit that holds when no other is tried."""
        self._cut: Round | None = None
        """The round after which the limit was lowered since too little of it was used."""
        self._settling = False
        """Whether the limit was lowered just now."""
        self._usual = 1.0
        """Share of the places' time that is used when there are not too many."""
        self._ended_trial: Round | None = None
        self._floor = 1
        """The limit before the trial that ended early."""
        self._ramping = True
        self._patience = _PATIENCE
        self._step: int | None = None
        """By how much the next trial differs; None: by an eighth."""
        self._rounds = 0
        """Full rounds since the last trial."""

    @property
    def limit(self) -> int:
        return self._round.limit

    @property
    def room(self) -> int:
        return self.limit - self.in_flight - self._resting

    def begin(self) -> Round:
        """Count a call; its round goes to the method that tells how it ended."""
        self.in_flight += 1
        if self.room <= 0:
            self._round.full = True
        return self._round

    def answered(self, begun_in: Round, *, seconds: float, work: float) -> None:
        """Note that a call was answered; `work` is in any unit, the same for all calls."""
        self.in_flight -= 1
        round_ = self._round
        if begun_in is not round_:
            return
        round_.calls += 1
        round_.seconds += seconds
        round_.work += work
        # Calls of the round before still hold some of the places.
        if round_.calls >= (round_.limit + 1) // 2:
            round_.ended = self._clock()
            self._judge(round_)

    def turned_away(self, begun_in: Round, *, seconds: float) -> bool:
        """Note that a call was not begun or not ended, since there were too many.

        `seconds` is the time for which its place is lost, the rest included that the
        place is to have when this returns true: then `rested` ends it.
        """
        self.in_flight -= 1
        begun_in.turned_away += 1
        begun_in.seconds_away += seconds
        if begun_in is self._round and self._too_many(begun_in):
            self._tried(kept=False)
            # After the very first calls, what they leave is a beginning like any other.
            self._ramping = self._base is None
            self._floor = self._base.limit if self._base else 1
            self._ended_trial, self._base = begun_in, None
            self._set(max(self._floor, begun_in.limit - begun_in.turned_away))
        elif begun_in is self._ended_trial:
            # Of the same burst: each of it was one too many, but for those made again meanwhile.
            limit = max(self._floor, begun_in.limit - begun_in.turned_away, self.in_flight)
            self._round.limit = min(self._round.limit, limit)
        else:
            self._resting += 1
            return True
        return False

    def rested(self) -> None:
        """Note that a place may be taken again whose call was turned away."""
        self._resting -= 1

    def failed(self) -> None:
        """Note that a call failed, which says nothing of how many are too many."""
        self.in_flight -= 1

    def _too_many(self, round_: Round) -> bool:
        """Tell whether the round tries a limit and shows by its calls that it is too high."""
        if round_.turned_away <= _MOST_OF_TRIAL * round_.limit:
            return False
        base = self._base
        if base is None:
            return self._ramping and self._ended_trial is None
        begun = base.calls + base.turned_away
        return base.limit != round_.limit and base.turned_away <= _HARDLY * begun

    def _judge(self, done: Round) -> None:
        """Draw the conclusion from a round, and set the limit of the next."""
        if self._settling:
            # Calls of the round before still held places at the endpoint.
            self._settling = False
            self._set(done.limit)
            return
        if self._cut is not None:
            cut, self._cut = self._cut, None
            helped = min(cut.used + _HELPED * (1 - cut.used), _MORE_USED * cut.used)
            if done.used < helped:
                self._usual = done.used
                self._set(cut.limit)
                return
            self._ramping = False
        chance = min((done.calls + done.turned_away) ** -0.5, _MOST_CHANCE)
        if done.full and done.used < (_USED - chance) * self._usual:
            self._cut, self._base, self._settling = done, None, True
            self._set(round(done.limit * done.used / self._usual))
            return
        self._usual = max(self._usual, done.used)
        base = self._base
        if not done.full:
            # Nobody wanted more: the same again tells more.
            self._set(done.limit)
        elif self._ramping:
            if base is None or _brought(done, base, share=_RAMP_GAIN):
                self._base = done
                self._ramping = done.limit < self._most
                self._set(min(done.limit * _RAMP, self._most))
            else:
                self._ramping = False
                self._set(base.limit)
        elif base is None or done.limit == base.limit:
            self._rounds += 1
            if self._rounds < self._patience:
                self._base = base or done
                self._set(done.limit)
            else:
                self._try_another(done)
        else:
            fewer = done.limit < base.limit
            kept = (
                done.rate >= _KEPT * base.rate if fewer else _brought(done, base, share=_TRIAL_GAIN)
            )
            self._tried(kept=kept)
            self._base = done if kept else base
            self._set(self._base.limit)

    def _try_another(self, done: Round) -> None:
        slower = self._base is not None and done.slowness > _SLOWER * self._base.slowness
        self._base = done
        self._rounds = 0
        if self._step is None:
            self._step = max(1, done.limit // 8)
        self._set(done.limit - self._step if slower else done.limit + self._step)

    def _tried(self, *, kept: bool) -> None:
        """Come nearer by half steps; where nothing more is to be had, try more rarely."""
        if kept:
            self._step, self._patience = None, _PATIENCE
        elif self._step and self._step > 1:
            self._step //= 2
        else:
            self._step, self._patience = None, min(2 * self._patience, _MOST_PATIENCE)

    def _set(self, limit: int) -> None:
        self._round = Round(max(1, min(limit, self._most)), began=self._clock())


def _brought(more: Round, fewer: Round, *, share: float) -> bool:
    """Tell whether a higher limit brought a share of what it could bring at best."""
    best = more.limit / fewer.limit - 1
    return more.rate >= fewer.rate * (1 + share * best)
