"""Keeps the endpoints full and no fuller: which call goes where, and when.

Calls wait in the order in which they were first asked, so one that is made
again goes before new ones. Each endpoint has a lane with its adaptive limit,
its budgets of requests and tokens a minute, and a circuit breaker. A call that
an endpoint turned away is made again for as long as any endpoint answers; one
that failed, a number of times.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog
from aiolimiter import AsyncLimiter
from tenacity import AsyncRetrying, retry_if_exception_type

from codeio.language_model.completions import REFUSED, RequestRefused, TooSlow
from codeio.language_model.limit import AdaptiveLimit, Round
from codeio.runtime.errors import Overloaded, Rejected, Stopped, TransientError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tenacity import RetryCallState

    from codeio.language_model.chat import Question, Reply
    from codeio.language_model.endpoint import Endpoint
    from codeio.language_model.tally import Tally
    from codeio.runtime.settings import TeacherSettings

_logger = structlog.get_logger()

# So many failures in a row, and an endpoint is asked one call at a time, ever more rarely.
_FAILURES_TO_OPEN = 5
_LONGEST_PAUSE = 60.0
_FIRST_PAUSE = 0.5
_REST_SECONDS = (0.1, 0.5)
_TURNED_AWAY_WITHIN = 5.0
_CHARS_PER_TOKEN = 3.5
# A minute's budget comes in so many parts, lest a pause let twice the budget through.
_PARTS = 30


@dataclass(slots=True)
class _Lane:
    """An endpoint and what is known of its state."""

    endpoint: Endpoint
    limit: AdaptiveLimit
    requests: AsyncLimiter | None
    tokens: AsyncLimiter | None
    paused_until: float = 0.0
    pauses: int = 0
    """Pauses in a row without an answer between them."""
    failures: int = 0
    """Failures in a row."""
    last_failure: str = ""
    silent_since: float | None = None
    """When the first call failed or was turned away that no answer came after."""
    retired: Stopped | None = None
    """Why nothing more is asked of it."""

    @property
    def open(self) -> bool:
        """Whether the circuit is open: one call at a time tries whether it can be closed."""
        return self.failures >= _FAILURES_TO_OPEN

    @property
    def well(self) -> bool:
        """Whether what was asked last was answered."""
        return not self.failures and not self.retired

    def room(self, now: float) -> int:
        if self.retired or now < self.paused_until:
            return 0
        return 1 - self.limit.in_flight if self.open else self.limit.room

    def preference(self) -> tuple[bool, float]:
        """Return what is less the sooner this endpoint is to be asked: it fails, it is busy."""
        return not self.well, (self.limit.in_flight + 1) / self.endpoint.weight

    def answered(self) -> None:
        self.failures = self.pauses = 0
        self.silent_since = None

    def pause(self, now: float, seconds: float | None) -> None:
        """Ask nothing for a while; without a time named, for ever longer."""
        if not seconds:
            if now < self.paused_until:
                return  # calls that failed together are one failure
            doubled = min(_FIRST_PAUSE * 2.0 ** min(self.pauses, 30), _LONGEST_PAUSE)
            seconds = doubled * random.uniform(0.5, 1)  # noqa: S311
            self.pauses += 1
        self.paused_until = max(self.paused_until, now + seconds)


@dataclass(frozen=True, slots=True)
class _Place:
    """Room for one call on a lane."""

    lane: _Lane
    begun_in: Round


@dataclass(order=True, slots=True)
class _Waiter:
    ticket: int
    granted: asyncio.Future[_Place] = field(compare=False)


class Scheduler:
    """Makes calls to several endpoints of one model."""

    def __init__(
        self, endpoints: Sequence[Endpoint], *, settings: TeacherSettings, tally: Tally
    ) -> None:
        self._settings = settings
        self._tally = tally
        self._lanes = [
            _Lane(
                endpoint,
                AdaptiveLimit(most=settings.max_in_flight),
                _per_minute(settings.requests_per_minute, parts=settings.requests_per_minute),
                _per_minute(settings.tokens_per_minute, parts=_PARTS),
            )
            for endpoint in endpoints
        ]
        self._waiters: list[_Waiter] = []
        self._tickets = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._begun: dict[int, float] = {}
        """When the calls that are on their way were begun."""
        self._numbers = itertools.count()
        self._paid: dict[str, asyncio.Task[Reply]] = {}
        """Calls that are on their way, by the keys of their questions."""
        self._completion_tokens = 0.0
        """Those of an answer, averaged over the last ones."""

    @property
    def in_flight(self) -> int:
        return sum(lane.limit.in_flight for lane in self._lanes)

    @property
    def limit(self) -> int:
        """How many calls the endpoints bear at a time, as far as is known."""
        return sum(lane.limit.limit for lane in self._lanes)

    async def finish(self, seconds: float) -> None:
        """Wait for the calls that are on their way, and then give them up."""
        if self._timer:
            self._timer.cancel()
        if self._paid:
            _logger.info(
                "waiting for answers on their way",
                calls=len(self._paid),
                seconds=seconds,
                hint="interrupt once more to give them up",
            )
            _, late = await asyncio.wait(self._paid.values(), timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def call(
        self, question: Question, *, key: str, keep: Callable[[Reply], Awaitable[None]]
    ) -> Reply:
        """Make a call when there is room for it, and again when it fails.

        What is answered is kept by `keep` before it is returned, also when
        whoever asked has gone away; who asks under the same key meanwhile joins
        in the call that is on its way.

        Raises:
            Rejected: the endpoint refuses this question, and no other.
            TransientError: the call failed too often.
            Stopped: no endpoint answers any more or takes any question, or nothing more
                may be spent.
        """
        ticket = next(self._tickets)
        tries = _Tries(self._settings.attempts, busy=lambda: self.in_flight > 0)
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type((TransientError, RequestRefused)),
                stop=tries.enough,
                wait=tries.pause,
                reraise=True,
            ):
                with attempt:
                    return await self._try(question, ticket, key, keep)
        except RequestRefused as error:
            # No call was ever taken: this is no matter of one question.
            raise Stopped(f"{error}; check teacher.model, teacher.body and the like") from error
        raise AssertionError("a retry ends with a result or an error")

    async def _try(
        self, question: Question, ticket: int, key: str, keep: Callable[[Reply], Awaitable[None]]
    ) -> Reply:
        task = self._paid.get(key)
        if task is None:
            place = await self._admitted(ticket)
            try:
                self._check_budget()
            except Stopped:
                place.lane.limit.failed()
                self._dispatch()
                raise
            task = self._paid[key] = asyncio.create_task(self._pay(place, question, keep))
            task.add_done_callback(partial(self._forget, key))
        # A call that is on its way costs its money, whoever still waits for it.
        return await asyncio.shield(task)

    def _forget(self, key: str, task: asyncio.Task[Reply]) -> None:
        del self._paid[key]
        if not task.cancelled():
            task.exception()  # seen, also where nobody waits for it any more

    async def _pay(
        self, place: _Place, question: Question, keep: Callable[[Reply], Awaitable[None]]
    ) -> Reply:
        number = next(self._numbers)
        self._begun[number] = time.monotonic()
        try:
            reply = await self._on_lane(place, question)
        finally:
            del self._begun[number]
            self._dispatch()
        await keep(reply)
        return reply

    async def _on_lane(self, place: _Place, question: Question) -> Reply:
        lane = place.lane
        known_to_fail = lane.failures > 0
        try:
            reply = await self._completed(place, question)
        except Overloaded:
            raise
        except TransientError as error:
            self._tally.failed += 1
            self._failed(lane, error)
            if known_to_fail and any(other.well for other in self._lanes):
                # It was sent to see whether the endpoint is back, which is no try of its own.
                raise Overloaded(str(error)) from error
            raise
        except RequestRefused as error:
            if self._tally.answered or self._tally.stored:
                raise Rejected(REFUSED, str(error)) from error
            raise
        except Stopped as error:
            self._retire(lane, error)
            raise TransientError(str(error)) from error
        lane.answered()
        self._completion_tokens += (reply.completion_tokens - self._completion_tokens) / 16
        return reply

    async def _completed(self, place: _Place, question: Question) -> Reply:
        """Ask the endpoint, give the place back and tell the limit how it went."""
        lane, limit = place.lane, place.lane.limit
        started = time.monotonic()
        try:
            started = await self._within_rates(lane, question)
            reply = await lane.endpoint.complete(question)
        except (Overloaded, TooSlow) as error:
            rest = 0.0
            if isinstance(error, Overloaded):
                rest = random.uniform(*_REST_SECONDS)  # noqa: S311
                self._tally.turned_away += 1
                self._silent(lane, str(error))
                if error.retry_after or limit.in_flight == 1:
                    lane.pause(time.monotonic(), error.retry_after)
            seconds = time.monotonic() - started + rest
            if limit.turned_away(place.begun_in, seconds=seconds):
                await asyncio.sleep(rest)
                limit.rested()
            raise
        except BaseException:
            limit.failed()
            raise
        work = 1.0 + reply.completion_tokens
        limit.answered(place.begun_in, seconds=time.monotonic() - started, work=work)
        return reply

    def _retire(self, lane: _Lane, error: Stopped) -> None:
        """Ask nothing more of an endpoint; the last one takes the run along.

        Raises:
            Stopped: it is the last one.
        """
        lane.retired = error
        if all(other.retired for other in self._lanes):
            raise error
        _logger.warning("endpoint is not asked any more", error=str(error))

    def _check_budget(self) -> None:
        """Refuse a call that the budget may not have room for, those in flight included."""
        budget, tally = self._settings.budget_usd, self._tally
        if budget is None:
            return
        if tally.answered and not tally.cost_usd:
            raise Stopped(
                "teacher.budget_usd is set, but the endpoint does not say what a call costs; set "
                "teacher.prompt_usd_per_million and teacher.completion_usd_per_million"
            )
        mean = tally.cost_usd / tally.answered if tally.answered else 0.0
        if tally.cost_usd + mean * self.in_flight > budget:
            raise Stopped(
                f"the budget of {budget:g} US dollars is used up ({tally.cost_usd:.2f} spent); "
                "with a larger teacher.budget_usd the same command goes on"
            )

    def _failed(self, lane: _Lane, error: TransientError) -> None:
        lane.failures += 1
        self._silent(lane, str(error))
        if lane.open:
            if lane.failures == _FAILURES_TO_OPEN:
                _logger.warning("endpoint fails", error=lane.last_failure)
            lane.pause(time.monotonic(), error.retry_after)

    def _silent(self, lane: _Lane, failure: str) -> None:
        lane.last_failure = failure
        if lane.silent_since is None:
            lane.silent_since = time.monotonic()

    async def _within_rates(self, lane: _Lane, question: Question) -> float:
        """Wait until the budgets of a minute have room; return the time by then."""
        if lane.requests:
            await lane.requests.acquire()
        if lane.tokens:
            chars = sum(len(message.content) for message in question.messages)
            needed = chars / _CHARS_PER_TOKEN + self._completion_tokens
            while needed > 0:
                part = min(needed, lane.tokens.max_rate)
                await lane.tokens.acquire(part)
                needed -= part
        return time.monotonic()

    async def _admitted(self, ticket: int) -> _Place:
        """Wait for room, in the order of the tickets."""
        waiter = _Waiter(ticket, asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiters, waiter)
        self._dispatch()
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            if waiter.granted.done() and not waiter.granted.cancelled():
                waiter.granted.result().lane.limit.failed()
                self._dispatch()
            raise

    def _dispatch(self) -> None:
        """Let as many wait no longer as there is room for."""
        now = time.monotonic()
        if self._gives_up(now):
            return
        while self._waiters:
            if self._waiters[0].granted.done():
                heapq.heappop(self._waiters)
                continue
            free = [lane for lane in self._lanes if lane.room(now) > 0]
            if not free:
                self._wait_for_room(now)
                return
            lane = min(free, key=_Lane.preference)
            place = _Place(lane, lane.limit.begin())
            heapq.heappop(self._waiters).granted.set_result(place)

    def _gives_up(self, now: float) -> bool:
        """End the waiting of all where every endpoint has been silent for too long."""
        error = self._lanes[-1].retired
        if not all(lane.retired for lane in self._lanes):
            silent = self._silent_for(now)
            # Calls that were not turned away at once may yet be answered.
            hope = any(now - begun > _TURNED_AWAY_WITHIN for begun in self._begun.values())
            if hope or silent <= self._settings.give_up_seconds:
                return False
            said = "; ".join(lane.last_failure for lane in self._lanes if not lane.retired)
            error = Stopped(
                f"no endpoint has answered for {silent:.0f} s: {said}; "
                "when it does, the same command goes on"
            )
        for waiter in self._waiters:
            if error and not waiter.granted.done():
                waiter.granted.set_exception(error)
        self._waiters.clear()
        return True

    def _silent_for(self, now: float) -> float:
        """Return for how many seconds no endpoint has answered; 0 where one does."""
        return min(
            0.0 if lane.silent_since is None else now - lane.silent_since
            for lane in self._lanes
            if not lane.retired
        )

    def _wait_for_room(self, now: float) -> None:
        """Come back when a pause ends, or when it is time to give up."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        times = [lane.paused_until for lane in self._lanes if lane.paused_until > now]
        if not times:
            return
        times.append(now + self._settings.give_up_seconds - self._silent_for(now))
        delay = max(min(times) - now, 0.001)
        self._timer = asyncio.get_running_loop().call_later(delay, self._dispatch)


class _Tries:
    """When a call is made again. To be turned away counts as no try: the lane sees to it."""

    def __init__(self, most: int, *, busy: Callable[[], bool]) -> None:
        self._most = most
        self._busy = busy
        self._failures = 0

    def enough(self, state: RetryCallState) -> bool:
        error = _error(state)
        # While others wait for their answers, who knows whether every question is refused.
        counts = not (isinstance(error, RequestRefused) and self._busy())
        self._failures += counts and not isinstance(error, Overloaded)
        return self._failures >= self._most

    def pause(self, state: RetryCallState) -> float:
        """Return the seconds until the next try, with jitter lest all come back together."""
        error = _error(state)
        if isinstance(error, Overloaded):
            return 0.0
        longest = min(_FIRST_PAUSE * 2.0 ** min(state.attempt_number, 30), _LONGEST_PAUSE)
        named = error.retry_after if isinstance(error, TransientError) else None
        return max(random.uniform(0, longest), named or 0.0)  # noqa: S311


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _per_minute(budget: int, *, parts: int) -> AsyncLimiter | None:
    """Return a limiter that lets a minute's budget through in so many parts."""
    return AsyncLimiter(budget / parts, 60 / parts) if budget else None
