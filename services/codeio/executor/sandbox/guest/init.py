"""Process 1 of a sandbox: starts interpreters on demand and passes frames along.

When the host goes away, or an interpreter dies, it ends, and with it everything
in the sandbox; the host starts another one.
"""

import os
import select
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from protocol import JOB, READY, read_frame, write_all, write_frame

HOST_IN, HOST_OUT = 0, 1


class Interpreter(NamedTuple):
    """The two pipes of an interpreter."""

    requests: int
    reports: int


def start_interpreter(interpreter: int, limits: str) -> Interpreter:
    environment = dict(os.environ, PYTHONHASHSEED=str(interpreter & 1))
    program = str(Path(__file__).with_name("interpreter.py"))
    requests, reports = os.pipe(), os.pipe()
    subprocess.Popen(
        [sys.executable, "-s", "-B", program, str(interpreter), limits],
        stdin=requests[0],
        stdout=reports[1],
        env=environment,
    )
    os.close(requests[0])
    os.close(reports[1])
    return Interpreter(requests=requests[1], reports=reports[0])


def main(limits: str) -> None:
    interpreters: dict[int, Interpreter] = {}
    poll = select.poll()
    poll.register(HOST_IN, select.POLLIN)
    write_frame(HOST_OUT, READY, 0, sys.version.split()[0].encode())
    while True:
        for fd, _ in poll.poll():
            if fd == HOST_IN:
                frame = read_frame(HOST_IN)
                if frame is None:
                    return
                kind, interpreter, payload = frame
                if interpreter not in interpreters:
                    if kind != JOB:
                        continue
                    interpreters[interpreter] = start_interpreter(interpreter, limits)
                    poll.register(interpreters[interpreter].reports, select.POLLIN)
                write_frame(interpreters[interpreter].requests, kind, interpreter, payload)
            else:
                data = os.read(fd, 1 << 16)
                if not data:
                    return
                write_all(HOST_OUT, data)


if __name__ == "__main__":
    main(sys.argv[1])
    os._exit(0)
