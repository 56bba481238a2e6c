"""The pool: long-lived sandboxes, one job at a time in each."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from codeio.executor.sandbox import frames
from codeio.executor.sizes import oversize
from codeio.runtime import values
from codeio.v1.execution_pb2 import CallResult, ExecuteRequest, ExecuteResponse, Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType

    from codeio.executor.sandbox.backends import Backend, Guest
    from codeio.runtime.settings import LimitsSettings
    from codeio.v1.execution_pb2 import Call

_NUMPY = re.compile(r"\b(numpy|scipy|pandas)\b")
_METER_SECONDS = 0.1
# A job whose calls keep ending their process is started anew this often.
_MAX_RESTARTS = 2
_TIMEOUTS = {"cpu": Outcome.OUTCOME_CPU_TIMEOUT, "wall": Outcome.OUTCOME_WALL_TIMEOUT}


@dataclass
class _JobReport:
    """What came back from one child: the reports it sent, and how it ended."""

    loaded: dict[str, Any] | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    status: int = 0
    killed: str = ""


class _Meter:
    """Holds a slow call to its processor time by the host's clock."""

    def __init__(self, guest: Guest, interpreter: int) -> None:
        self._guest = guest
        self._interpreter = interpreter
        self._watch: asyncio.Task[None] | None = None
        self._start = 0.0

    def start(self, allowed: float) -> None:
        # The first second went by before the guest spoke up.
        self._start = self._guest.cpu_seconds() - 1.0
        self._watch = asyncio.create_task(self._kill_after(allowed))

    def stop(self) -> float:
        """Return the processor time since the start in seconds; 0 when it was not started."""
        if self._watch is None:
            return 0.0
        self._watch.cancel()
        self._watch = None
        return self._guest.cpu_seconds() - self._start

    async def _kill_after(self, allowed: float) -> None:
        while self._guest.cpu_seconds() - self._start < allowed:  # noqa: ASYNC110  (a clock)
            await asyncio.sleep(_METER_SECONDS)
        self._guest.writer.write(frames.encode(frames.KILL, self._interpreter, b"cpu"))


class Pool:
    """A `runtime.stage.Sandbox` of `workers` guests; an asynchronous context manager."""

    def __init__(self, backend: Backend, *, limits: LimitsSettings, workers: int) -> None:
        self._backend = backend
        self._limits = limits
        self.workers = workers
        self._idle: asyncio.Queue[Guest | None] = asyncio.Queue()
        self._taking_all = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Start one guest, to fail early; the others start when there is work for them."""
        self._idle.put_nowait(await self._backend.start())
        for _ in range(self.workers - 1):
            self._idle.put_nowait(None)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        guests = [await self._idle.get() for _ in range(self.workers)]
        await asyncio.gather(*(guest.stop() for guest in guests if guest is not None))

    async def execute(self, request: ExecuteRequest) -> ExecuteResponse:
        """Make the calls of a program; see `runtime.stage.Sandbox`."""
        if not request.calls:
            return ExecuteResponse()
        results = await self._run_calls(request, list(request.calls), alone=False)
        late = [i for i, r in enumerate(results) if r.outcome == Outcome.OUTCOME_WALL_TIMEOUT]
        # Wall time depends on the load; the second verdict, on an idle pool, stands.
        for i in late[:1]:
            [results[i]] = await self._run_calls(request, [request.calls[i]], alone=True)
        for result in results:
            if result.outcome == Outcome.OUTCOME_OK:
                self._check_output(result, unlimited=request.unlimited_sizes)
        return ExecuteResponse(results=results)

    async def _run_calls(
        self, request: ExecuteRequest, calls: Sequence[Call], *, alone: bool
    ) -> list[CallResult]:
        """Make the calls, in a new child after each that ends the process, within bounds."""
        results: list[CallResult] = []
        for _ in range(1 + _MAX_RESTARTS):
            rest = calls[len(results) :]
            report = await self._run_job(request, rest, alone=alone)
            results += self._judge(report, len(rest))
            if len(results) == len(calls) or report.killed in ("wall", "sandbox"):
                break
        results += [CallResult() for _ in calls[len(results) :]]
        return results

    async def _run_job(
        self, request: ExecuteRequest, calls: Sequence[Call], *, alone: bool
    ) -> _JobReport:
        """Run one child, once more elsewhere if its sandbox died of it."""
        job = {
            "code": request.code,
            "entry_point": request.entry_point,
            "calls": [_call_fields(call) for call in calls],
            "trace_steps": request.trace_steps,
        }
        interpreter = (request.replica & 1) | (2 if _NUMPY.search(request.code) else 0)
        frame = frames.encode(frames.JOB, interpreter, json.dumps(job).encode())
        for last in (False, True):
            async with self._guest(alone=alone) as guest:
                try:
                    return await self._converse(guest, frame, interpreter, len(calls))
                except (asyncio.IncompleteReadError, ConnectionError, TimeoutError, ValueError):
                    await guest.stop()
                    if last:
                        return _JobReport(loaded={"outcome": "OK"}, killed="sandbox")
        raise AssertionError("unreachable")

    @contextlib.asynccontextmanager
    async def _guest(self, *, alone: bool) -> AsyncIterator[Guest]:
        """Lend a guest, started if need be; alone: while no other one works."""
        taken: list[Guest | None] = []
        guest: Guest | None = None
        lent = False
        try:
            async with self._taking_all if alone else contextlib.nullcontext():
                for _ in range(self.workers if alone else 1):
                    taken.append(await self._idle.get())  # noqa: PERF401  (kept if cancelled)
            guest, lent = taken.pop(), True
            if guest is None or guest.process.returncode is not None:
                guest = None
                guest = await self._backend.start()
            yield guest
        except asyncio.CancelledError:
            # The job may still be running in there.
            if guest is not None:
                await asyncio.shield(guest.stop())
            raise
        finally:
            if lent:
                alive = guest is not None and guest.process.returncode is None
                taken.append(guest if alive else None)
            for slot in taken:
                self._idle.put_nowait(slot)

    async def _converse(
        self, guest: Guest, frame: bytes, interpreter: int, calls: int
    ) -> _JobReport:
        guest.writer.write(frame)
        await guest.writer.drain()
        report = _JobReport()
        meter = _Meter(guest, interpreter)
        limits = self._limits
        patience = limits.wall_factor * limits.load_cpu_seconds + 30
        try:
            while True:
                answer = await asyncio.wait_for(frames.read(guest.reader), patience)
                match answer.kind:
                    case frames.SLOW:
                        loading = int(answer.payload) < 0
                        meter.start(limits.load_cpu_seconds if loading else limits.cpu_seconds)
                    case frames.RESULT:
                        near = meter.stop() > limits.cpu_seconds * (1 - limits.margin)
                        _take(report, answer.payload, calls, near_limit=near)
                    case frames.END:
                        end = json.loads(answer.payload)
                        report.status, report.killed = int(end["status"]), str(end["killed"])
                        return report
                    case _:
                        raise ValueError(f"a frame of kind {answer.kind}")
        finally:
            meter.stop()

    def _judge(self, report: _JobReport, expected: int) -> list[CallResult]:
        """Turn what was reported, and how the child ended, into results."""
        if report.loaded is None:
            failed = self._ending(report)
            failed.error_message = f"while loading: {failed.error_message or failed.error_type}"
            return [failed] * expected
        if report.loaded["outcome"] != "OK":
            return [_result(report.loaded)] * expected
        results = [_result(call) for call in report.calls]
        if len(results) < expected:
            results.append(self._ending(report))
        # What loading did is laid to the first call.
        results[0].effects.extend(report.loaded.get("effects", ()))
        return results

    def _ending(self, report: _JobReport) -> CallResult:
        """Return the result of the call during which the process ended."""
        if report.killed in _TIMEOUTS:
            return CallResult(outcome=_TIMEOUTS[report.killed], error_message="out of time")
        if report.killed == "flood":
            return CallResult(
                outcome=Outcome.OUTCOME_OUTPUT_FLOOD, error_message="printed more than the limit"
            )
        if report.killed == "sandbox":
            return CallResult(
                outcome=Outcome.OUTCOME_CRASHED, error_message="its sandbox died of it, twice"
            )
        if report.status and os.WIFSIGNALED(report.status):
            name = signal.Signals(os.WTERMSIG(report.status)).name
            return CallResult(outcome=Outcome.OUTCOME_CRASHED, error_type=name)
        return CallResult(
            outcome=Outcome.OUTCOME_EXITED,
            error_message=f"exit status {os.waitstatus_to_exitcode(report.status)}",
        )

    def _check_output(self, result: CallResult, *, unlimited: bool) -> None:
        """Take back an OK whose value is none or, unless they are unlimited, above the sizes."""
        try:
            value = values.loads(result.output_json)
        except ValueError as error:
            result.outcome = Outcome.OUTCOME_NOT_JSON
            result.error_message = str(error)
            result.output_json = ""
            return
        complaint = "" if unlimited else oversize(result.output_json, value, self._limits)
        if complaint:
            result.outcome = Outcome.OUTCOME_TOO_LARGE
            result.error_message = f"the result {complaint}"
            result.output_json = ""


def _call_fields(call: Call) -> dict[str, Any]:
    kind = call.WhichOneof("arguments")
    if kind is None:
        return {"input_json": "{}"}
    return {kind: getattr(call, kind)}


def _take(report: _JobReport, payload: bytes, expected: int, *, near_limit: bool) -> None:
    """Take in one report of a child; it may be forged, but is about its own calls only."""
    try:
        fields = json.loads(payload)
        fields["near_limit"] = near_limit
        _result(fields)
    except (ValueError, TypeError, RecursionError, AttributeError) as error:
        fields = {"outcome": "CRASHED", "error_message": f"a report that is none: {error}"}
    if report.loaded is None:
        report.loaded = fields
    elif len(report.calls) < expected:
        report.calls.append(fields)


def _result(fields: dict[str, Any]) -> CallResult:
    outcome = Outcome.Value(f"OUTCOME_{fields['outcome']}")
    return CallResult(**{**fields, "outcome": outcome})
