"""A warm interpreter: forks a child per job, watches over it and judges how it ended.

It never parses what a child says, it only passes frames on: a program can lie
about its own calls and about nothing else. Interpreters 0 and 1 differ in hash
seed and clock; 2 and 3 are the same with numpy imported.
"""

import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from typing import Any, TypeAlias

import child
import isolation
from protocol import END, HEADER, JOB, KILL, RESULT, SLOW, read_frame, write_frame

HOST_IN, HOST_OUT = 0, 1

Limits: TypeAlias = dict[str, Any]
SLOW_SECONDS = 1.0
TICK_MS = 100


class Watch:
    """What is known of one child from outside of it: its frames, its clocks, its end."""

    def __init__(self, interpreter: int, pid: int, limits: Limits) -> None:
        self.interpreter = interpreter
        self.limits = limits
        self.clock = isolation.cpu_clock(pid)
        self.calls = -1  # the first frame says that the program was loaded
        self.pending = bytearray()
        self.received = self.spilled = 0
        self.done = False
        self.next_call()

    def next_call(self) -> None:
        self.cpu, self.wall = self.read_cpu(), time.monotonic()
        self.slow_told = False

    def read_cpu(self) -> float:
        try:
            return time.clock_gettime(self.clock)
        except OSError:  # it is gone already
            return 0.0

    def on_host(self, fd: int) -> str:
        frame = read_frame(fd)
        if frame is None:
            os._exit(0)
        return frame[2].decode() if frame[0] == KILL else ""

    def on_results(self, fd: int) -> str:
        data = os.read(fd, 1 << 16)
        self.done = not data
        self.received += len(data)
        self.pending += data
        fine = self.received <= self.limits["result_bytes"] and self.pass_on()
        return "" if fine else "flood"

    def on_spill(self, fd: int) -> str:
        self.spilled += len(os.read(fd, 1 << 16))
        return "flood" if self.spilled > self.limits["output_bytes"] else ""

    def on_tick(self) -> str:
        limits = self.limits
        allowed = limits["load_cpu_seconds"] if self.calls < 0 else limits["cpu_seconds"]
        if limits["enforce_cpu"] and self.read_cpu() - self.cpu > allowed:
            return "cpu"
        wall = time.monotonic() - self.wall
        if not self.slow_told and wall > SLOW_SECONDS:
            self.slow_told = True
            write_frame(HOST_OUT, SLOW, self.interpreter, b"%d" % self.calls)
        return "wall" if wall > allowed * limits["wall_factor"] else ""

    def pass_on(self) -> bool:
        """Hand complete frames to the host; return False when they are no such frames."""
        while len(self.pending) >= HEADER.size:
            length, kind, _ = HEADER.unpack_from(self.pending)
            if kind != RESULT or length > self.limits["result_bytes"]:
                return False
            end = HEADER.size + length
            if len(self.pending) < end:
                return True
            # The header is written anew: a child speaks for its own job only.
            payload = bytes(self.pending[HEADER.size : end])
            write_frame(HOST_OUT, RESULT, self.interpreter, payload)
            del self.pending[:end]
            self.calls += 1
            self.next_call()
        return True


def run_job(interpreter: int, payload: bytes, limits: Limits) -> None:
    results, child_results = os.pipe()
    spill, child_spill = os.pipe()
    scratch = tempfile.mkdtemp(prefix="job-")
    isolation.new_pid_namespace()
    pid = os.fork()
    if pid == 0:
        child.main(payload, limits, results=child_results, spill=child_spill, scratch=scratch)
    os.close(child_results)
    os.close(child_spill)
    killed = watch(Watch(interpreter, pid, limits), results=results, spill=spill)
    # It is process 1 of its own pid namespace: all its descendants go with it.
    os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    os.close(results)
    os.close(spill)
    shutil.rmtree(scratch, ignore_errors=True)
    end = {"status": status, "killed": killed, "max_rss_kib": usage.ru_maxrss}
    write_frame(HOST_OUT, END, interpreter, json.dumps(end).encode())


def watch(state: Watch, *, results: int, spill: int) -> str:
    """Attend to a child until it has said all; return why it is to be killed before, or ''."""
    sources = {HOST_IN: state.on_host, results: state.on_results, spill: state.on_spill}
    poll = select.poll()
    for fd in sources:
        poll.register(fd, select.POLLIN)
    while not state.done:
        for fd, event in poll.poll(TICK_MS):
            reason = sources[fd](fd)
            if reason:
                return reason
            if fd == spill and not event & select.POLLIN:
                poll.unregister(spill)  # closed by the child
        reason = state.on_tick()
        if reason:
            return reason
    return ""


def main(interpreter: int, limits: Limits) -> None:
    isolation.enter_namespaces()
    child.warm_up(interpreter)
    while True:
        frame = read_frame(HOST_IN)
        if frame is None:
            return
        if frame[0] == JOB:
            run_job(interpreter, frame[2], limits)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
    os._exit(0)
