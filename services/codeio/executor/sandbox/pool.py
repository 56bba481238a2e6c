"""The pool: long-lived guests, one job at a time in each, and a child process per job."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from codeio.executor.sandbox.job import GuestDied, Job
from codeio.executor.sandbox.slots import Slots
from codeio.executor.sizes import oversize
from codeio.runtime import values
from codeio.runtime.metrics import SANDBOX_STARTS
from codeio.v1.execution_pb2 import CallResult, ExecuteResponse, Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from types import TracebackType

    from codeio.executor.sandbox.backends import Backend
    from codeio.executor.sandbox.guests import Guest, GuestVersion
    from codeio.executor.sandbox.slots import Slot
    from codeio.runtime.settings import LimitsSettings, SandboxSettings
    from codeio.v1.execution_pb2 import Call, ExecuteRequest

# A request whose calls keep ending their process is given a new one this often.
_MAX_RESTARTS = 2
# A job is tried again elsewhere when its sandbox dies, but not for ever.
_MAX_DEATHS = 2
# Jobs between two looks at the memory of a guest, each of which takes a millisecond.
_LOOK_EVERY = 100
# Guests on shared slots yield the processors to those on reserved ones.
_NICENESS = 19


class Pool:
    """A `runtime.stage.Sandbox` of guests; an asynchronous context manager.

    It has `workers` slots for all jobs, and `reserved` ones for interactive jobs alone.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        limits: LimitsSettings,
        settings: SandboxSettings,
        workers: int,
        reserved: int = 0,
    ) -> None:
        self._backend = backend
        self._limits = limits
        self._settings = settings
        self._niceness = _NICENESS if reserved else 0
        self._slots = Slots(shared=workers, reserved=reserved)
        self._retiring: set[asyncio.Task[None]] = set()
        self.workers = workers
        self.version: GuestVersion
        """Of the first guest, once the pool was entered; all are alike."""

    async def __aenter__(self) -> Self:
        """Start one guest, to fail early; the others start when there is work for them.

        Raises:
            TransientError, UsageError: as `Backend.start` does.
        """
        guest = await self._guest_in(self._slots.all[0])
        self.version = guest.version
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the jobs that run, and stop all guests."""
        slots = await self._slots.close()
        starting = [slot.starting for slot in slots if slot.starting is not None]
        guests = await asyncio.gather(*starting, return_exceptions=True)
        started = [guest for guest in guests if not isinstance(guest, BaseException)]
        await asyncio.gather(*(guest.stop() for guest in started), *self._retiring)

    @property
    def slots(self) -> int:
        """How many jobs can run at a time."""
        return len(self._slots.all)

    @property
    def busy_slots(self) -> int:
        """How many run."""
        return self._slots.busy

    async def start_all(self) -> None:
        """Start the guests of all slots now, so that no job has to wait for that."""
        await asyncio.gather(*map(self._guest_in, self._slots.all))

    async def execute(self, request: ExecuteRequest, /) -> ExecuteResponse:
        """Make the calls of a program; see `runtime.stage.Sandbox`."""
        results: list[CallResult] = []
        await self._run(request, results.append)
        return ExecuteResponse(results=results)

    async def stream(self, request: ExecuteRequest, /) -> AsyncGenerator[CallResult]:
        """Make the calls of a program; see `runtime.stage.Sandbox`."""
        arrived: asyncio.Queue[CallResult | None] = asyncio.Queue()
        # In a task of its own: a slot is not to wait for who reads the results.
        running = asyncio.create_task(self._run(request, arrived.put_nowait))
        running.add_done_callback(lambda _: arrived.put_nowait(None))
        try:
            while (result := await arrived.get()) is not None:
                yield result
            await running
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    async def _run(self, request: ExecuteRequest, deliver: Callable[[CallResult], None]) -> None:
        """Make the calls, in a new child after each that ends the process, within bounds."""
        left = list(request.calls)
        restarts = deaths = 0
        while left and restarts <= _MAX_RESTARTS and deaths < _MAX_DEATHS:
            doubtful = False
            try:
                async with (
                    self._slots.lend(request.priority) as slot,
                    contextlib.aclosing(self._in_child(slot, request, left)) as results,
                ):
                    async for result in results:
                        doubtful = self._depends_on_load(result, slot)
                        if doubtful:
                            break
                        del left[0]
                        deliver(self._checked(result, request))
                restarts += 1
            except GuestDied:
                deaths += 1
            if doubtful:
                result = await self._alone(request, left.pop(0))
                deliver(self._checked(result, request))
        if left and deaths == _MAX_DEATHS:
            del left[0]
            deliver(_died("its sandbox died of it, twice"))
        for _ in left:
            deliver(CallResult())

    def _depends_on_load(self, result: CallResult, slot: Slot) -> bool:
        """Tell whether what else the machine does may have made the verdict: wall time, mostly."""
        if result.outcome == Outcome.OUTCOME_WALL_TIMEOUT:
            return True
        # Where the guest itself had to meter, it did so by a clock that runs ahead under load.
        doubtful = result.near_limit or result.outcome == Outcome.OUTCOME_CPU_TIMEOUT
        return doubtful and slot.starting is not None and not slot.starting.result().metered

    async def _alone(self, request: ExecuteRequest, call: Call) -> CallResult:
        """Make one call while no other job runs on the shared slots; this verdict stands."""
        with contextlib.suppress(GuestDied):
            async with (
                self._slots.lend_all() as slot,
                contextlib.aclosing(self._in_child(slot, request, [call])) as results,
            ):
                async for result in results:
                    return result
        return _died("its sandbox died of it")

    async def _in_child(
        self, slot: Slot, request: ExecuteRequest, calls: Sequence[Call]
    ) -> AsyncGenerator[CallResult]:
        guest = await self._guest_in(slot)
        job = Job(request, calls, guest=guest, limits=self._limits)
        async with contextlib.aclosing(job.results()) as results:
            async for result in results:
                yield result

    async def _guest_in(self, slot: Slot) -> Guest:
        """Return the guest of a slot, a new one if it has none that will do."""
        why = "first"
        if slot.starting is not None and slot.starting.done():
            if slot.starting.exception() is not None:
                slot.starting, why = None, "failed"
            elif self._is_worn(guest := slot.starting.result()):
                slot.starting, why = None, "worn" if guest.usable else "died"
                retiring = asyncio.create_task(guest.stop())
                self._retiring.add(retiring)
                retiring.add_done_callback(self._retiring.discard)
        if slot.starting is None:
            niceness = 0 if slot.reserved else self._niceness
            SANDBOX_STARTS.labels(why).inc()
            slot.starting = asyncio.create_task(self._backend.start(niceness=niceness))
        # Who gives up waiting leaves the guest to the next one.
        return await asyncio.shield(slot.starting)

    def _is_worn(self, guest: Guest) -> bool:
        if not guest.usable or guest.jobs >= self._settings.jobs_per_guest:
            return True
        looks = guest.jobs % _LOOK_EVERY == _LOOK_EVERY - 1
        return looks and guest.memory_bytes() > self._settings.guest_memory_bytes

    def _checked(self, result: CallResult, request: ExecuteRequest) -> CallResult:
        """Take back an OK whose value is none or, unless they are unlimited, above the sizes."""
        if result.outcome != Outcome.OUTCOME_OK:
            return result
        try:
            value = values.loads(result.output_json)
        except ValueError as error:
            result.outcome = Outcome.OUTCOME_NOT_JSON
            result.error_message = str(error)
            result.output_json = ""
            return result
        complaint = (
            "" if request.unlimited_sizes else oversize(result.output_json, value, self._limits)
        )
        if complaint:
            result.outcome = Outcome.OUTCOME_TOO_LARGE
            result.error_message = f"the result {complaint}"
            result.output_json = ""
        return result


def _died(message: str) -> CallResult:
    return CallResult(outcome=Outcome.OUTCOME_CRASHED, error_message=message)
