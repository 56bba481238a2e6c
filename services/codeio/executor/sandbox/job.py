"""One job: a program and calls of it, in one child of one guest, as the host follows it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from typing import TYPE_CHECKING, Any

from codeio.executor.sandbox import frames
from codeio.v1.execution_pb2 import CallResult, Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from codeio.executor.sandbox.guests import Guest
    from codeio.runtime.settings import LimitsSettings
    from codeio.v1.execution_pb2 import Call, ExecuteRequest

# What a program has to name to get another interpreter than the first, and the bits of
# that one's number from the third on (see guest/child.py).
_INTERPRETERS = (
    (re.compile(r"\b(scipy|pandas|sympy|networkx)\b"), 3),
    (re.compile(r"\bnumpy\b"), 2),
    (
        re.compile(
            r"\b(import|from)\b.*\b(argparse|array|ast|base64|calendar|cmath|csv|dataclasses"
            r"|difflib|fractions|hashlib|html|inspect|logging|numbers|pathlib|pickle|pprint|queue"
            r"|secrets|statistics|tempfile|textwrap|threading|tokenize|traceback|unittest|urllib"
            r"|uuid|zlib)\b"
        ),
        1,
    ),
)
# What a child may say of its calls. How it ended by force is not for it to say.
_OWN_WORDS = frozenset(
    {
        Outcome.OUTCOME_OK,
        Outcome.OUTCOME_RAISED,
        Outcome.OUTCOME_NOT_JSON,
        Outcome.OUTCOME_TOO_LARGE,
        Outcome.OUTCOME_MEMORY,
        Outcome.OUTCOME_OUTPUT_FLOOD,
        Outcome.OUTCOME_EXITED,
        Outcome.OUTCOME_LOAD_FAILED,
    }
)
# What the guest's own code cuts its reports to, or more; a longer one is not its own.
_MOST_CHARS = {
    "error_type": 1000,
    "error_message": 1000,
    "stdout": 1 << 16,
    "arguments_after_json": 1 << 16,
    "trace_json": 16 << 20,
}
_MOST_EFFECTS, _EFFECT_CHARS = 32, 64
_METER_SECONDS = 0.1
_KILL_SECONDS = 5
_TIMEOUTS = {"cpu": Outcome.OUTCOME_CPU_TIMEOUT, "wall": Outcome.OUTCOME_WALL_TIMEOUT}


class GuestDied(Exception):
    """The guest broke off, or made no sense."""


class _Meter:
    """Holds a slow call to its processor time by the host's clock, where that can be seen."""

    def __init__(self, guest: Guest, interpreter: int) -> None:
        self._guest = guest
        self._interpreter = interpreter
        self._watch: asyncio.Task[None] | None = None
        self._start = 0.0

    def start(self, allowed: float) -> None:
        if self._guest.metered:
            # The first second went by before the guest spoke up.
            self._start = self._guest.cpu_seconds() - 1.0
            self._watch = asyncio.create_task(self._kill_after(allowed))

    def stop(self) -> float:
        """Return the processor time since the start in seconds; 0 when it was not started."""
        if self._watch is None:
            return 0.0
        self._watch.cancel()
        self._watch = None
        return self._spent()

    def _spent(self) -> float:
        return self._guest.cpu_seconds() - self._start

    async def _kill_after(self, allowed: float) -> None:
        while self._spent() < allowed:  # noqa: ASYNC110  (a clock)
            await asyncio.sleep(_METER_SECONDS)
        self._guest.writer.write(frames.encode(frames.KILL, self._interpreter, b"cpu"))


class Job:
    """The calls of a program that one child is to make."""

    def __init__(
        self,
        request: ExecuteRequest,
        calls: Sequence[Call],
        *,
        guest: Guest,
        limits: LimitsSettings,
    ) -> None:
        self._request = request
        self._calls = tuple(calls)
        self._guest = guest
        self._limits = limits
        self._interpreter = interpreter_for(request)
        self._meter = _Meter(guest, self._interpreter)
        self._spent = 0.0  # of the call that ends next, by the guest's own clock
        self._loaded: CallResult | None = None
        self._ended = False
        self._status = 0
        self._killed = ""

    async def results(self) -> AsyncGenerator[CallResult]:
        """Make the calls; yield their results as they come, up to the one that ended the child.

        Left early, it kills the child.

        Raises:
            GuestDied: the guest did, or stopped answering.
        """
        self._guest.jobs += 1
        try:
            self._guest.writer.write(frames.encode(frames.JOB, self._interpreter, self._payload()))
            made = 0
            while not self._ended:
                frame = await self._next_frame()
                result = self._take(frame)
                if result is not None and made == len(self._calls):
                    # It tells of more calls than it was to make, perhaps to go on for ever.
                    break
                if result is not None:
                    made += 1
                    yield result
            if made < len(self._calls):
                for result in self._missing():
                    yield result
        except (OSError, EOFError, ValueError) as error:
            self._guest.broken = True
            raise GuestDied(str(error)) from error
        finally:
            self._meter.stop()
            if not self._ended and not self._guest.broken:
                await asyncio.shield(self._kill())

    def _payload(self) -> bytes:
        job = {
            "code": self._request.code,
            "entry_point": self._request.entry_point,
            "calls": [_call_fields(call) for call in self._calls],
            "trace_steps": self._request.trace_steps,
        }
        return json.dumps(job).encode()

    async def _next_frame(self) -> frames.Frame:
        patience = self._limits.wall_factor * self._limits.load_cpu_seconds + 30
        async with asyncio.timeout(patience):
            return await frames.read(self._guest.reader)

    def _take(self, frame: frames.Frame) -> CallResult | None:
        """Take in a frame; return a result when it was that of a call."""
        limits = self._limits
        match frame.kind:
            case frames.SLOW:
                loading = int(frame.payload) < 0
                self._meter.start(limits.load_cpu_seconds if loading else limits.cpu_seconds)
            case frames.SPENT:
                self._spent = float(frame.payload)
            case frames.RESULT:
                near = max(self._meter.stop(), self._spent) > limits.cpu_seconds * (
                    1 - limits.margin
                )
                self._spent = 0.0
                result = _report(frame.payload, limits)
                if self._loaded is None:
                    self._loaded = result
                    return None
                if self._loaded.outcome != Outcome.OUTCOME_OK:
                    return None
                result.near_limit = near
                # What loading did is laid to the first call.
                result.effects.extend(self._loaded.effects)
                del self._loaded.effects[:]
                return result
            case frames.END:
                self._ended = True
                end = json.loads(frame.payload)
                self._status, self._killed = int(end["status"]), str(end["killed"])
            case _:
                raise ValueError(f"a frame of kind {frame.kind}")
        return None

    def _missing(self) -> list[CallResult]:
        """Return what is said of the call during which the child ended, or of all if none began."""
        if self._loaded is None:
            failed = self._ending()
            failed.error_message = f"while loading: {failed.error_message or failed.error_type}"
            return [failed] * len(self._calls)
        if self._loaded.outcome != Outcome.OUTCOME_OK:
            return [self._loaded] * len(self._calls)
        ending = self._ending()
        ending.effects.extend(self._loaded.effects)
        return [ending]

    def _ending(self) -> CallResult:
        """Return the result of the call during which the process ended."""
        if self._killed in _TIMEOUTS:
            return CallResult(outcome=_TIMEOUTS[self._killed], error_message="out of time")
        if self._killed == "flood":
            return CallResult(
                outcome=Outcome.OUTCOME_OUTPUT_FLOOD, error_message="printed more than the limit"
            )
        if self._status and os.WIFSIGNALED(self._status):
            name = _name_of(os.WTERMSIG(self._status))
            return CallResult(outcome=Outcome.OUTCOME_CRASHED, error_type=name)
        return CallResult(
            outcome=Outcome.OUTCOME_EXITED,
            error_message=f"exit status {os.waitstatus_to_exitcode(self._status)}",
        )

    async def _kill(self) -> None:
        """End the child and read up to its end, so that the guest is ready for the next job."""
        try:
            async with asyncio.timeout(_KILL_SECONDS):
                self._guest.writer.write(frames.encode(frames.KILL, self._interpreter, b"left"))
                while (await frames.read(self._guest.reader)).kind != frames.END:
                    pass
            self._ended = True
        except (OSError, EOFError, ValueError):
            self._guest.broken = True


def interpreter_for(request: ExecuteRequest) -> int:
    """Return the number of the interpreter for a request (see guest/interpreter.py)."""
    imported = next((bits for name, bits in _INTERPRETERS if name.search(request.code)), 0)
    return (request.replica & 1) | (2 if request.trace_steps else 0) | imported << 2


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time ones have none
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def _call_fields(call: Call) -> dict[str, Any]:
    kind = call.WhichOneof("arguments")
    if kind is None:
        return {"input_json": "{}"}
    return {kind: getattr(call, kind)}


def _is_own(result: CallResult, limits: LimitsSettings) -> bool:
    """Tell whether a result is one that the guest's own code may give."""
    return (
        result.outcome in _OWN_WORDS
        and all(len(getattr(result, name)) <= most for name, most in _MOST_CHARS.items())
        and len(result.output_json) <= limits.output_bytes
        and len(result.effects) <= _MOST_EFFECTS
        and all(len(effect) <= _EFFECT_CHARS for effect in result.effects)
    )


def _report(payload: bytes, limits: LimitsSettings) -> CallResult:
    """Return what a child reports; it may be forged, but is about its own calls only."""
    try:
        fields = json.loads(payload)
        outcome = Outcome.Value(f"OUTCOME_{fields['outcome']}")
        result = CallResult(**{**fields, "outcome": outcome})
        complaint = "" if _is_own(result, limits) else "no child says so"
    except Exception as error:  # noqa: BLE001  (none of what it may hold is to harm us)
        complaint = (
            str(error).encode("utf-8", "backslashreplace").decode()[: _MOST_CHARS["error_message"]]
        )
    if complaint:
        return CallResult(
            outcome=Outcome.OUTCOME_CRASHED, error_message=f"a report that is none: {complaint}"
        )
    return result
