"""Pairs of programs: what one leaves in its sandbox, the next one looks for in vain.

`test_traceless.py` has what a program leaves in Python; here is what it leaves in
the kernel, above all in what every child inherits from one interpreter: its
descriptors, its group of processes, its memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from codeio.v1.execution_pb2 import Outcome
from tests.executor.attacks.attack import SYSCALLS, Attack

NOTHING = "[]"


@dataclass(frozen=True)
class Pair:
    """What a program leaves, and what another one, in the same interpreter, must find."""

    name: str
    leave: str
    look: str
    found: str = NOTHING
    """The JSON text that `look` must return."""
    times: int = 1
    """How often it is left and looked for, where it takes luck."""

    def requests(self) -> tuple[Attack, Attack]:
        # Both name a module that has them run in the same interpreter.
        same = f"import threading\n{SYSCALLS}"
        leave = Attack(
            f"leaves {self.name}", dedent(self.leave), Outcome.OUTCOME_OK, begins_with=same
        )
        look = Attack(
            f"finds {self.name}",
            dedent(self.look),
            Outcome.OUTCOME_OK,
            output=self.found,
            begins_with=same,
        )
        return leave, look


# Machine code that writes a report, for ever: no memory of Python's is needed for it.
SURVIVE = """
import json, mmap
def report(**fields):
    payload = json.dumps(fields).encode()
    return struct.pack('>IBB', len(payload), 3, 0) + payload
# Two, so that one is taken for the report of loading and one for that of a call.
own, forged = (report(outcome='OK', output_json=text) for text in ('1', '666'))
LOOP = bytes.fromhex(
    'b823000000'      # nanosleep(
    '488d3d24000000'  #     interval,
    '31f6' '0f05'     #     0)
    'b801000000'      # write(
    'bf03000000'      #     3,
    '488d351f000000'  #     reports,
    'ba'              #     their size)
) + struct.pack('<I', 2 * len(forged)) + bytes.fromhex('0f05' 'ebd6')
kept = []
def survive():
    code = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
    code.write(LOOP.ljust(48, b'\\x90') + struct.pack('<QQ', 0, 400_000_000) + 2 * forged)
    kept.append(code)
    run = ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    threading.Thread(target=run, daemon=True).start()
"""

PAIRS = (
    Pair(
        "a thread that goes on when its interpreter believes that it ended",
        # The interpreter waits for its child. To be traced by it and to stop ends that wait.
        SURVIVE
        + """
def main_solution(a):
    os.write(3, own)
    survive()
    time.sleep(0.1)
    TRACE_ME, SIGUSR1 = 0, 10
    syscall(101, TRACE_ME, 0, 0, 0)
    signal.signal(SIGUSR1, lambda *_: None)
    syscall(234, os.getpid(), os.getpid(), SIGUSR1)
    return 1
""",
        "def main_solution(a):\n    time.sleep(0.5)\n    return a\n",
        found="[1]",
    ),
    Pair(
        "descriptors that do not wait",
        """
        import fcntl
        def main_solution(a):
            for fd in range(4):
                succeed(it=lambda: fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK | os.O_APPEND))
        """,
        """
        import fcntl
        def main_solution(a):
            flags = os.O_NONBLOCK | os.O_APPEND | fcntl.FASYNC
            return [fd for fd in range(4) if fcntl.fcntl(fd, fcntl.F_GETFL) & flags]
        """,
    ),
    Pair(
        "an output on which a long result breaks off",
        """
        import fcntl
        def main_solution(a):
            for fd in range(1, 4):
                succeed(it=lambda: fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK))
        """,
        "def main_solution(a):\n    return 'x' * 600_000\n",
        found='"' + "x" * 600_000 + '"',
    ),
    Pair(
        "pipes that hold little",
        """
        import fcntl
        def main_solution(a):
            for fd in range(4):
                succeed(it=lambda: fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096))
        """,
        """
        import fcntl
        def main_solution(a):
            return [fd for fd in range(1, 4) if fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) < 65536]
        """,
    ),
    Pair(
        "text on standard input",
        """
        def main_solution(a):
            for place in ('/proc/self/fd/0', '/dev/fd/0', '/dev/stdin'):
                succeed(it=lambda: os.write(os.open(place, os.O_WRONLY), b'left'))
        """,
        """
        def main_solution(a):
            os.set_blocking(0, False)
            return [text for text in [os.read(0, 100).decode()] if text]
        """,
    ),
    Pair(
        "half a report",
        """
        def main_solution(a):
            os.write(3, struct.pack('>IBB', 1000, 3, 0) + b'{')
            os._exit(0)
        """,
        "def main_solution(a):\n    return []\n",
    ),
    Pair(
        "a signal to be sent when a report is made",
        """
        import fcntl
        def main_solution(a):
            F_SETSIG = 10
            succeed(
                owner=lambda: fcntl.fcntl(3, fcntl.F_SETOWN, os.getpid()),
                signal=lambda: fcntl.fcntl(3, F_SETSIG, signal.SIGKILL),
                flag=lambda: fcntl.fcntl(3, fcntl.F_SETFL, fcntl.FASYNC),
            )
        """,
        "def main_solution(a):\n    return []\n",
    ),
    Pair(
        "less weight for its group and its user",
        """
        def main_solution(a):
            for which in (os.PRIO_PROCESS, os.PRIO_PGRP, os.PRIO_USER):
                for who in (0, os.getuid()):
                    succeed(it=lambda: os.setpriority(which, who, 15))
            succeed(affinity=lambda: os.sched_setaffinity(0, {0}))
        """,
        """
        def main_solution(a):
            return [n for n in [os.nice(0)] if n] + [n for n in [len(os.sched_getaffinity(0))]
                                                     if n < os.cpu_count()]
        """,
    ),
    Pair(
        "lower limits for others",
        """
        import resource
        def main_solution(a):
            for pid in range(300):
                for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU):
                    succeed(it=lambda: resource.prlimit(pid, kind, (4, 4)))
        """,
        """
        import resource
        def main_solution(a):
            kinds = (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU)
            return [kind for kind in kinds if resource.getrlimit(kind)[0] == 4]
        """,
    ),
    Pair(
        "a stopped group",
        """
        def main_solution(a):
            # Blocked, so that it goes on where others in its group would not.
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTERM, signal.SIGUSR1):
                succeed(it=lambda: os.killpg(0, number), by_pid=lambda: os.kill(0, number))
            os._exit(0)
        """,
        "def main_solution(a):\n    return []\n",
    ),
    Pair(
        "ports that are taken",
        """
        def main_solution(a):
            with socket.socket() as listener:
                listener.bind(('127.0.0.1', 5555))
                listener.listen()
                with socket.create_connection(('127.0.0.1', 5555), timeout=1):
                    # Whose end it closes first waits for a while.
                    listener.accept()[0].close()
        """,
        """
        def main_solution(a):
            with socket.socket() as listener:
                listener.bind(('127.0.0.1', 5555))
                return []
        """,
    ),
    Pair(
        "locks on files that all have",
        """
        import fcntl
        def main_solution(a):
            for place in ('/codeio/child.py', '/usr/bin/python3', '/zygote.so'):
                succeed(it=lambda: fcntl.flock(os.open(place, os.O_RDONLY), fcntl.LOCK_EX))
        """,
        """
        import fcntl
        def main_solution(a):
            found = []
            for place in ('/codeio/child.py', '/zygote.so'):
                with open(place) as file:
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except OSError:
                        found.append(place)
            return found
        """,
    ),
    Pair(
        "a timer that ends it later",
        """
        def main_solution(a):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            os._exit(0)
        """,
        "def main_solution(a):\n    time.sleep(0.1)\n    return []\n",
    ),
    Pair(
        "reads that the kernel has yet to make, into memory that all share",
        """
        class Control(ctypes.Structure):
            _fields_ = [('data', ctypes.c_uint64), ('key', ctypes.c_uint64),
                        ('code', ctypes.c_uint32), ('fd', ctypes.c_uint32),
                        ('place', ctypes.c_uint64), ('size', ctypes.c_uint64),
                        ('offset', ctypes.c_int64), ('rest', ctypes.c_uint64 * 2)]
        def shared():
            for line in open('/proc/self/maps'):
                place, permissions, *_ = line.split(None, 5)
                if permissions == 'rw-s':
                    start, end = (int(part, 16) for part in place.split('-'))
                    yield start, end - start
        def main_solution(a):
            open('x', 'wb').write(b'\\xcc' * (15 << 20))
            fd = os.open('x', os.O_RDONLY)
            context = ctypes.c_ulong(0)
            syscall(206, 64, ctypes.byref(context))
            reads = [Control(fd=fd, place=start, size=size) for start, size in [*shared()] * 8]
            reads = reads[:64]
            pointers = (ctypes.c_void_p * len(reads))(*map(ctypes.addressof, reads))
            syscall(209, context.value, len(reads), pointers)
            os._exit(0)
        """,
        "def main_solution(a):\n    return sorted({3, 1, 2})[:0]\n",
        times=8,
    ),
)
