"""The first process of a guest: takes jobs from the host and watches over their children.

It never parses what a child says, it only passes frames on: a program can lie
about its own calls and about nothing else. When the host goes away, or an
interpreter dies, it ends, and with it everything that it started; the host
starts another one.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import isolation
from memory import Pristine
from protocol import (
    CONFIG,
    END,
    HEADER,
    JOB,
    KILL,
    READY,
    RESULT,
    SLOW,
    SPENT,
    read_frame,
    write_frame,
)

Limits: TypeAlias = dict[str, Any]

HOST_IN, HOST_OUT = 0, 1
STATUS = struct.Struct("@il")  # how a child ended, and its peak memory in KiB
SLOW_SECONDS = 1.0
TICK_MS = 100
END_SECONDS = 2.0
CHUNK = 1 << 16


interpreters: dict[int, "Interpreter"] = {}


def end(status: int) -> NoReturn:
    """End this process with all that it started; in a pod, nobody else would bury them."""
    for interpreter in interpreters.values():
        interpreter.process.kill()
    patience = time.monotonic() + END_SECONDS
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < patience:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.001)
    os._exit(status)


class Interpreter:
    """A process that forks a child per job, and the pipes to it and its children."""

    def __init__(self, number: int, limits: Limits) -> None:
        self.number = number
        wake_read, self.wake = os.pipe()
        self.status, status_write = os.pipe()
        self.results, results_write = os.pipe()
        self.spill, spill_write = os.pipe()
        # No pipe: a child that is killed before it has read its job leaves nothing in there.
        self.job = os.memfd_create("job")
        memory = os.memfd_create("memory", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        inherited = (wake_read, status_write, results_write, spill_write)
        program = str(Path(__file__).with_name("interpreter.py"))
        arguments = [str(number), json.dumps(limits), *map(str, (memory, *inherited, self.job))]
        self.process = subprocess.Popen(
            # Without the packages that the machine's own Python may have.
            [sys.executable, "-s", "-S", "-B", program, *arguments],
            stdin=subprocess.PIPE,
            stdout=spill_write,
            pass_fds=(memory, *inherited, self.job),
            env=dict(os.environ, PYTHONHASHSEED=str(number & 1)),
        )
        if self.process.stdin:
            self.process.stdin.close()  # there is nothing to be read there
        for fd in inherited:
            os.close(fd)
        interpreters[number] = self
        ready = os.read(self.status, 1)
        if not ready:
            end(1)  # it said why on standard error
        self.mounts_scratch = ready == b"+"
        self.memory = Pristine(limits["zygote"], memory)
        os.close(memory)

    def start(self, job: bytes, scratch: str) -> None:
        """Make it fork a child, which reads the job and works in the scratch folder."""
        os.ftruncate(self.job, 0)
        os.pwrite(self.job, scratch.encode() + b"\0" + job, 0)
        os.write(self.wake, b"j")

    def child(self) -> int:
        """Return the process id of its child; 0 when it has none."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                pid, _, rest = stat.read_text().partition(" ")
                if int(rest.rpartition(")")[2].split()[1]) == self.process.pid:
                    return int(pid)
        return 0


class Watch:
    """What is known of one child from outside of it: its frames, its clocks, its end."""

    def __init__(self, interpreter: Interpreter, job: bytes, limits: Limits) -> None:
        self.interpreter = interpreter
        self.limits = limits
        self.calls = -1  # the first frame says that the program was loaded
        self.pending = bytearray()
        self.received = self.spilled = 0
        self.killed = ""
        self.ended = False
        self.scratch = "" if interpreter.mounts_scratch else tempfile.mkdtemp(prefix="job-")
        self.next_call()
        self.poll = select.poll()
        self.sources = {
            HOST_IN: self.on_host,
            interpreter.results: self.on_results,
            interpreter.spill: self.on_spill,
            interpreter.status: self.on_status,
        }
        for fd in self.sources:
            self.poll.register(fd, select.POLLIN)
        interpreter.start(job, self.scratch)

    def run(self) -> None:
        """Attend to the child until it is gone."""
        while not self.ended:
            # The end comes last: what the child said before is in the pipes by then.
            for fd, _ in sorted(self.poll.poll(TICK_MS), key=lambda e: e[0] == self.status):
                self.sources[fd](fd)
            self.on_tick()
        if self.scratch:
            self.clean_up()

    def clean_up(self) -> None:
        """Remove what the child left, in gVisor wherever it could leave something."""
        home = Path(self.scratch)
        places = home.parent.iterdir() if self.limits["namespaces"] else (home,)
        for place in places:
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place, ignore_errors=True)
            else:
                place.unlink(missing_ok=True)

    @property
    def status(self) -> int:
        return self.interpreter.status

    def next_call(self) -> None:
        self.wall = time.monotonic()
        self.cpu = 0.0
        self.clock = 0
        self.slow_told = False

    def kill(self, reason: str) -> None:
        if not self.killed:
            self.killed = reason
            self.strike()

    def strike(self) -> None:
        # It may end by itself at any moment, and is looked for again at the next tick.
        with contextlib.suppress(OSError):
            pid = self.interpreter.child()
            if pid:
                os.kill(pid, signal.SIGKILL)

    def on_host(self, fd: int) -> None:
        frame = read_frame(fd)
        if frame is None:
            end(0)
        if frame[0] == KILL:
            self.kill(frame[2].decode())

    def on_results(self, fd: int) -> None:
        data = os.read(fd, CHUNK)
        if self.killed:
            return
        self.received += len(data)
        self.pending += data
        if self.received > self.limits["result_bytes"] or not self.pass_on():
            self.kill("flood")

    def on_spill(self, fd: int) -> None:
        self.spilled += len(os.read(fd, CHUNK))
        if self.spilled > self.limits["output_bytes"]:
            self.kill("flood")

    def on_status(self, fd: int) -> None:
        told = os.read(fd, CHUNK)
        if not told:
            end(1)  # the interpreter itself died
        for pipe in (self.interpreter.results, self.interpreter.spill):
            while select.select([pipe], [], [], 0)[0]:
                self.sources[pipe](pipe)
        status, max_rss = STATUS.unpack(told)
        ending = {"status": status, "killed": self.killed, "max_rss_kib": max_rss}
        write_frame(HOST_OUT, END, self.interpreter.number, json.dumps(ending).encode())
        self.ended = True
        self.interpreter.memory.restore()

    def on_tick(self) -> None:
        if self.killed and not self.ended:
            self.strike()  # it may not have been there yet
        wall = time.monotonic() - self.wall
        if self.ended or self.killed or wall < SLOW_SECONDS:
            return
        if not self.slow_told:
            self.slow_told = True
            write_frame(HOST_OUT, SLOW, self.interpreter.number, b"%d" % self.calls)
        limits = self.limits
        allowed = limits["load_cpu_seconds"] if self.calls < 0 else limits["cpu_seconds"]
        if limits["enforce_cpu"] and self.cpu_seconds() > allowed:
            self.kill("cpu")
        elif wall > allowed * limits["wall_factor"]:
            self.kill("wall")

    def cpu_seconds(self) -> float:
        """Return the processor time of the running call, from its first second on."""
        try:
            if not self.clock:
                self.clock = isolation.cpu_clock(self.interpreter.child())
                self.cpu = time.clock_gettime(self.clock) - SLOW_SECONDS
            return time.clock_gettime(self.clock) - self.cpu
        except OSError:  # it is gone already
            return 0.0

    def pass_on(self) -> bool:
        """Hand complete frames to the host; return False when they are no such frames."""
        while len(self.pending) >= HEADER.size:
            length, kind, _ = HEADER.unpack_from(self.pending)
            if kind != RESULT or length > self.limits["result_bytes"]:
                return False
            end = HEADER.size + length
            if len(self.pending) < end:
                return True
            if self.slow_told and self.limits["enforce_cpu"]:
                spent = b"%.2f" % self.cpu_seconds()
                write_frame(HOST_OUT, SPENT, self.interpreter.number, spent)
            # The header is written anew: a child speaks for its own job only.
            payload = bytes(self.pending[HEADER.size : end])
            write_frame(HOST_OUT, RESULT, self.interpreter.number, payload)
            del self.pending[:end]
            self.calls += 1
            self.next_call()
        return True


def is_gvisor() -> bool:
    """Tell whether the kernel here is gVisor's, by what it says of its start."""
    said = ctypes.create_string_buffer(1 << 12)
    read_all = 3
    size = isolation.libc.klogctl(read_all, said, len(said))
    return size > 0 and b"Starting gVisor..." in said.raw[:size]


class Leave:
    """Ends this process on SIGTERM: at once, or when the job that it has is done."""

    def __init__(self) -> None:
        self.busy = self.asked = False
        signal.signal(signal.SIGTERM, self.on_signal)

    def on_signal(self, *_: object) -> None:
        if not self.busy:
            end(0)
        self.asked = True


def main(zygote: str, lock_hash: str) -> None:
    leave = Leave()
    frame = read_frame(HOST_IN)
    if frame is None or frame[0] != CONFIG:
        return
    inside = is_gvisor()
    config = json.loads(frame[2])
    limits = {**config["limits"], "namespaces": inside, "zygote": zygote}
    # What its interpreters leave behind comes to it, not to the first process of a pod.
    isolation.libc.prctl(isolation.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in config["warm"]:
        Interpreter(number, limits)
    ready = {
        "gvisor": inside,
        "python_version": sys.version.split()[0],
        "lock_hash": lock_hash,
    }
    write_frame(HOST_OUT, READY, 0, json.dumps(ready).encode())
    while not leave.asked:
        frame = read_frame(HOST_IN)
        if frame is None:
            return
        leave.busy = True
        kind, number, payload = frame
        if kind == JOB:  # else it was to kill a job that had ended by itself
            interpreter = interpreters.get(number) or Interpreter(number, limits)
            Watch(interpreter, payload, limits).run()
        leave.busy = False


if __name__ == "__main__":
    main(*sys.argv[1:])
    end(0)
