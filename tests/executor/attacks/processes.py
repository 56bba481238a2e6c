"""Signals, and other processes: those of the guest, of other jobs, of the host."""

from __future__ import annotations

from codeio.v1.execution_pb2 import Outcome
from tests.executor.attacks.attack import SYSCALLS, Attack

SIGNALS = (
    Attack(
        "ignores all signals and loops",
        """
        import signal
        def main_solution(a):
            for number in signal.valid_signals():
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            while True:
                pass
        """,
        Outcome.OUTCOME_CPU_TIMEOUT,
    ),
    Attack(
        "blocks all signals and loops",
        """
        import signal
        def main_solution(a):
            signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
            while True:
                pass
        """,
        Outcome.OUTCOME_CPU_TIMEOUT,
    ),
    Attack(
        "blocks all signals and sleeps",
        """
        import signal, time
        def main_solution(a):
            signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
            time.sleep(99)
        """,
        Outcome.OUTCOME_WALL_TIMEOUT,
    ),
    Attack(
        "wakes itself by an alarm to start anew",
        """
        import signal, time
        def again(*_):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
        def main_solution(a):
            signal.signal(signal.SIGALRM, again)
            again()
            while True:
                time.sleep(9)
        """,
        Outcome.OUTCOME_WALL_TIMEOUT,
    ),
    Attack(
        "dies of an alarm",
        """
        import signal, time
        def main_solution(a):
            signal.alarm(1)
            time.sleep(9)
        """,
        # It is process 1 of its namespace, whom no signal of its own kills; kernels differ.
        Outcome.OUTCOME_WALL_TIMEOUT,
        or_else=(Outcome.OUTCOME_CRASHED,),
    ),
    Attack(
        "kills everything",
        """
        import os, signal
        def main_solution(a):
            os.kill(-1, signal.SIGKILL)
            return 1
        """,
        Outcome.OUTCOME_RAISED,
        error_type="ProcessLookupError",
        effects=("process",),
    ),
    Attack(
        "kills its parent and its group",
        """
        def main_solution(a):
            for number in (signal.SIGTERM, signal.SIGKILL):
                succeed(
                    parent=lambda: os.kill(os.getppid(), number),
                    group=lambda: os.killpg(0, number),
                    own_group=lambda: os.killpg(os.getpgrp(), number),
                )
            return 1
        """,
        # To itself it may do as it likes; what matters is that the sandbox stays.
        Outcome.OUTCOME_OK,
        or_else=(Outcome.OUTCOME_CRASHED,),
        begins_with=SYSCALLS,
    ),
    Attack(
        "kills whoever it can name",
        """
        def main_solution(a):
            me = os.getpid()
            seen = {int(name) for name in os.listdir('/proc') if name.isdigit()}
            killed = []
            for pid in sorted(seen | set(range(1, 300))):
                if pid != me:
                    killed += succeed(**{str(pid): lambda: os.kill(pid, signal.SIGKILL)})
                    killed += succeed(**{f'-{pid}': lambda: os.kill(-pid, signal.SIGKILL)})
            return killed
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        begins_with=SYSCALLS,
    ),
    Attack(
        "kills by other ways",
        """
        def main_solution(a):
            return [name for pid in range(2, 40) for name in succeed(
                tkill=lambda: syscall(200, pid, 9),
                tgkill=lambda: syscall(234, pid, pid, 9),
                queue=lambda: syscall(129, pid, 9, bytes(128)),
                pidfd=lambda: os.pidfd_open(pid),
            )]
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        begins_with=SYSCALLS,
    ),
    *(
        Attack(
            f"dies of signal {number}",
            f"""
            import os, signal
            def main_solution(a):
                os.kill(os.getpid(), {number})
                signal.raise_signal({number})
                return 1
            """,
            # It is process 1 of its namespace, whom no signal of its own kills; kernels differ.
            Outcome.OUTCOME_CRASHED,
            or_else=(Outcome.OUTCOME_OK,),
        )
        # Of those for real time, most have no name.
        for number in (9, 15, 35, 40, 64)
    ),
    Attack(
        "stops itself",
        "import os, signal\ndef main_solution(a):\n    os.kill(os.getpid(), signal.SIGSTOP)\n",
        # Or as above.
        Outcome.OUTCOME_WALL_TIMEOUT,
        or_else=(Outcome.OUTCOME_OK, Outcome.OUTCOME_NOT_JSON),
    ),
    Attack(
        "stops for its interpreter, which knows of no stops",
        """
        def main_solution(a):
            TRACE_ME, SIGUSR1 = 0, 10
            syscall(101, TRACE_ME, 0, 0, 0)
            signal.signal(SIGUSR1, lambda *_: None)
            os.kill(os.getpid(), SIGUSR1)
            return 1
        """,
        # It may not ask for that, or is ended for it.
        Outcome.OUTCOME_OK,
        or_else=(Outcome.OUTCOME_CRASHED,),
        begins_with=SYSCALLS,
    ),
    Attack(
        "ends the process",
        "import os\ndef main_solution(a):\n    os._exit(0)\n",
        Outcome.OUTCOME_EXITED,
    ),
    Attack(
        "ends the process with a status like a signal's",
        "import os\ndef main_solution(a):\n    os._exit(137)\n",
        Outcome.OUTCOME_EXITED,
    ),
    Attack(
        "ends its first thread only",
        """
        import threading, time
        def main_solution(a):
            threading.Thread(target=time.sleep, args=(99,)).start()
            # The system call of a thread's end, not the library's.
            syscall(60, 0)
        """,
        Outcome.OUTCOME_WALL_TIMEOUT,
        begins_with=SYSCALLS,
    ),
    Attack(
        "aborts",
        "import os\ndef main_solution(a):\n    os.abort()\n",
        Outcome.OUTCOME_CRASHED,
    ),
    Attack(
        "crashes",
        "import ctypes\ndef main_solution(a):\n    ctypes.string_at(0)\n",
        Outcome.OUTCOME_CRASHED,
        error_type="SIGSEGV",
    ),
)

OTHERS = (
    Attack(
        "sees other processes",
        """
        import os
        def main_solution(a):
            pids = [name for name in os.listdir('/proc') if name.isdigit()]
            return [os.getpid(), os.getppid(), pids]
        """,
        Outcome.OUTCOME_OK,
        output='[1, 0, ["1"]]',
        effects=("file:read",),
    ),
    Attack(
        "traces other processes",
        """
        ATTACH, SEIZE = 16, 0x4206
        def main_solution(a):
            here = ctypes.create_string_buffer(8)
            vector = (ctypes.c_ulong * 2)(ctypes.addressof(here), 8)
            return [f'{name} {pid}' for pid in (0, *range(2, 40)) for name in succeed(
                attach=lambda: syscall(101, ATTACH, pid, 0, 0),
                seize=lambda: syscall(101, SEIZE, pid, 0, 0),
                read=lambda: syscall(310, pid, vector, 1, vector, 1, 0),
                write=lambda: syscall(311, pid, vector, 1, vector, 1, 0),
            )]
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        begins_with=SYSCALLS,
    ),
    Attack(
        "reads other processes by their files",
        """
        def main_solution(a):
            found = []
            for pid in ('0', *map(str, range(2, 40))):
                for name in ('mem', 'environ', 'maps', 'cmdline', 'fd', 'root', 'cwd', 'ns'):
                    if os.path.lexists(f'/proc/{pid}/{name}'):
                        found.append(f'{pid}/{name}')
            return found
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        begins_with=SYSCALLS,
    ),
    Attack(
        "looks for secrets in its environment",
        # The canary is in the environment of the host; see test_attacks.py.
        """
        import os
        def main_solution(a):
            text = repr(os.environ)
            try:
                text += open('/proc/self/environ', 'rb').read().decode()
            except PermissionError:
                pass  # it may not even look at its own
            names = ('CANARY', 'TOKEN', 'SECRET', 'PASSWORD', 'CODEIO', 'API_KEY', 'KUBERNETES')
            return [name for name in names if name in text.upper().replace('/CODEIO', '')]
        """,
        Outcome.OUTCOME_OK,
        output="[]",
    ),
    Attack(
        "looks for secrets in its own memory",
        """
        import re
        def main_solution(a):
            needle = bytes(reversed(b'YRANAC_OIEDOC'))
            ranges = re.findall(r'(\\w+)-(\\w+) rw.*(?:heap|stack)', open('/proc/self/maps').read())
            for start, end in ranges:
                try:
                    with open('/proc/self/mem', 'rb', 0) as memory:
                        memory.seek(int(start, 16))
                        if needle in memory.read(int(end, 16) - int(start, 16)):
                            return True
                except (OSError, MemoryError):
                    pass
            return False
        """,
        Outcome.OUTCOME_OK,
        output="false",
    ),
    Attack(
        "looks for the files of the host",
        """
        import os
        def main_solution(a):
            places = ['/etc/passwd', '/etc/shadow', '/etc/hostname', '/home', '/opt', '/var/log',
                      '/run', '/boot', '/root/.ssh', '/mnt', '/srv',
                      '/proc/1/root/etc/passwd', '/proc/self/cwd/../etc/passwd',
                      '/var/run/secrets/kubernetes.io', '/dev/kmsg', '/dev/mem', '/dev/sda']
            found = [place for place in places if os.path.exists(place)]
            for place, folders, files in os.walk('/'):
                if place == '/':
                    folders[:] = [f for f in folders if f not in ('proc', 'usr', 'lib', 'lib64')]
                elif place.count('/') > 2:
                    folders.clear()
                found += [f'{place}/{name}' for name in files if 'codeio-canary' in name]
            return found
        """,
        Outcome.OUTCOME_OK,
        output="[]",
    ),
)

ATTACKS = (*SIGNALS, *OTHERS)
