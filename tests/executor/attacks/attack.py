"""What an attack is: a program, how it is called, and the one outcome that it must have."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING

from codeio.v1.execution_pb2 import Call, ExecuteRequest, Outcome

if TYPE_CHECKING:
    from codeio.v1.execution_pb2 import CallResult

# What the programs of several families begin with.
SYSCALLS = """
import ctypes, os, signal, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def syscall(number, *arguments):
    # As the kernel says it: the result, or the error's number, negative.
    given = [ctypes.c_long(x) if isinstance(x, int) else x for x in arguments]
    result = libc.syscall(ctypes.c_long(number), *given)
    return result if result >= 0 else -ctypes.get_errno()
def succeed(**attempts):
    # The names of what did not fail.
    done = []
    for name, attempt in attempts.items():
        try:
            result = attempt()
        except (OSError, ValueError, AttributeError):
            continue
        if not (isinstance(result, int) and result < 0):
            done.append(name)
    return done
"""
FRAMES = """
import json, os, struct
def send(payload, kind=3, length=None):
    size = len(payload) if length is None else length
    data = struct.pack('>IBB', size, kind, 0) + payload
    while data:
        data = data[os.write(3, data):]
def say(**fields):
    send(json.dumps(fields).encode())
"""


@dataclass(frozen=True)
class Attack:
    """A hostile program, and what must be said of it."""

    name: str
    code: str
    outcome: Outcome
    error_type: str | None = None
    """None: whatever it is."""
    output: str | None = None
    """The JSON text that it must return; None: whatever it is."""
    effects: tuple[str, ...] = ()
    """Effects that must be among those noted."""
    or_else: tuple[Outcome, ...] = ()
    """Where versions of Python or of the kernel differ: what it may be instead."""
    begins_with: str = ""
    call: Call | None = None
    entry_point: str = "main_solution"
    trace_steps: int = 0
    unlimited_sizes: bool = True
    seconds: float = 30.0
    """How long the job may take at most, whatever the program does."""

    def request(self) -> ExecuteRequest:
        return ExecuteRequest(
            code=self.begins_with + dedent(self.code),
            entry_point=self.entry_point,
            calls=[self.call or Call(input_json='{"a": [1]}')],
            trace_steps=self.trace_steps,
            unlimited_sizes=self.unlimited_sizes,
        )

    def complaint(self, result: CallResult) -> str:
        """Say in what a result is not the one that it must be; empty when it is."""
        if result.outcome not in (self.outcome, *self.or_else):
            expected = Outcome.Name(self.outcome)
            return f"{Outcome.Name(result.outcome)}, not {expected}: {_told(result)}"
        if result.error_message.startswith("its sandbox died"):
            return "it took the sandbox with it"
        if self.error_type is not None and result.error_type != self.error_type:
            return f"error {result.error_type!r}, not {self.error_type!r}: {_told(result)}"
        if self.output is not None and result.output_json != self.output:
            return f"output {result.output_json[:300]}, not {self.output[:300]}"
        if missing := set(self.effects) - set(result.effects):
            return f"effects {sorted(missing)} are missing among {list(result.effects)}"
        return ""


def _told(result: CallResult) -> str:
    return f"{result.error_type} {result.error_message[:300]} {result.output_json[:100]}".strip()
