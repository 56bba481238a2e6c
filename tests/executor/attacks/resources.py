"""Bombs: processes, threads, disk and output without end."""

from __future__ import annotations

from codeio.v1.execution_pb2 import Outcome
from tests.executor.attacks.attack import FRAMES, SYSCALLS, Attack

PROCESSES = (
    Attack(
        "forks without end",
        """
        import os
        def main_solution(a):
            while True:
                os.fork()
        """,
        Outcome.OUTCOME_RAISED,
        error_type="PermissionError",
        effects=("process",),
    ),
    Attack(
        "forks by every system call there is",
        """
        CLONE_VM, CLONE_VFORK, SIGCHLD = 0x100, 0x4000, 17
        def main_solution(a):
            whole = (ctypes.c_ulong * 11)(0, 0, 0, 0, SIGCHLD)
            return succeed(
                fork=lambda: syscall(57),
                vfork=lambda: syscall(58),
                clone=lambda: syscall(56, SIGCHLD, 0, 0, 0, 0),
                clone_vm=lambda: syscall(56, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0),
                clone3=lambda: syscall(435, whole, 88),
                # With bits set in the half of the number that the kernel ignores.
                fork_high=lambda: syscall(57 | 1 << 32),
                posix_spawn=lambda: os.posix_spawn('/bin/true', ['true'], {}),
                forkpty=os.forkpty,
            )
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        begins_with=SYSCALLS,
    ),
    Attack(
        "starts a shell",
        "import subprocess\ndef main_solution(a):\n    return subprocess.run(['sh']).returncode\n",
        Outcome.OUTCOME_RAISED,
        effects=("process",),
    ),
    Attack(
        "replaces itself by another program",
        "import os\ndef main_solution(a):\n    os.execv('/bin/sh', ['sh', '-c', 'exit 7'])\n",
        Outcome.OUTCOME_RAISED,
        error_type="PermissionError",
        effects=("process",),
    ),
    Attack(
        "starts processes by multiprocessing",
        """
        import multiprocessing
        def main_solution(a):
            return multiprocessing.get_context('fork').Process(target=print).start()
        """,
        Outcome.OUTCOME_RAISED,
        effects=("process",),
    ),
    Attack(
        "starts threads without end",
        """
        import threading, time
        def main_solution(a):
            while True:
                threading.Thread(target=time.sleep, args=(99,)).start()
        """,
        Outcome.OUTCOME_RAISED,
        error_type="RuntimeError",
    ),
    Attack(
        "starts threads with small stacks without end",
        # Memory alone would allow thousands of these.
        """
        import threading, time
        def main_solution(a):
            threading.stack_size(32768)
            count = 0
            try:
                while count < 500:
                    threading.Thread(target=time.sleep, args=(99,), daemon=True).start()
                    count += 1
            except RuntimeError:
                pass
            return count < 20
        """,
        Outcome.OUTCOME_OK,
        output="true",
    ),
)

DISK = (
    Attack(
        "fills the disk with one file",
        """
        def main_solution(a):
            with open('big', 'w') as file:
                while True:
                    file.write('x' * 100_000)
        """,
        Outcome.OUTCOME_RAISED,
        error_type="OSError",
        effects=("file:write",),
    ),
    Attack(
        "fills the disk with many files",
        """
        import os
        def main_solution(a):
            for number in range(10**6):
                with open(f'/tmp/{number}', 'wb') as file:
                    file.write(b'x' * 10**6)
        """,
        Outcome.OUTCOME_RAISED,
        error_type="OSError",
        effects=("file:write",),
    ),
    Attack(
        "makes files without content",
        """
        import os
        def main_solution(a):
            for number in range(10**5):
                os.close(os.open(str(number), os.O_CREAT | os.O_WRONLY))
        """,
        Outcome.OUTCOME_RAISED,
        error_type="OSError",
        effects=("file:write",),
    ),
    Attack(
        "makes folders without end",
        """
        import os
        def main_solution(a):
            while True:
                os.mkdir('x')
                os.chdir('x')
        """,
        Outcome.OUTCOME_RAISED,
        error_type="OSError",
        effects=("file:write",),
    ),
    Attack(
        "makes a sparse file of a terabyte",
        "def main_solution(a):\n    open('sparse', 'wb').truncate(1 << 40)\n",
        Outcome.OUTCOME_RAISED,
        error_type="OSError",
        effects=("file:write",),
    ),
    Attack(
        "reserves blocks without writing",
        """
        import os
        def main_solution(a):
            kept = []
            for number in range(60):
                kept.append(os.open(str(number), os.O_CREAT | os.O_RDWR))
                os.posix_fallocate(kept[-1], 0, 10**7)
        """,
        Outcome.OUTCOME_RAISED,
        error_type="OSError",
        effects=("file:write",),
    ),
    Attack(
        "fills the disk with files that have no name any more",
        """
        import os
        def main_solution(a):
            kept = []
            for number in range(60):
                kept.append(open('x', 'wb', 0))
                os.unlink('x')
                kept[-1].write(b'x' * 10**7)
                assert os.fstat(kept[-1].fileno()).st_size == 10**7, 'no room'
        """,
        Outcome.OUTCOME_RAISED,
        effects=("file:write",),
    ),
    Attack(
        "finds another place to write to",
        """
        import os
        def main_solution(a):
            places = []
            for place, folders, _ in os.walk('/'):
                if place == '/':
                    folders[:] = [f for f in folders if f not in ('proc', 'usr', 'lib', 'lib64')]
                if place.count('/') > 2:
                    folders.clear()
                try:
                    name = os.path.join(place, '.left')
                    os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
                    places.append(place)
                except OSError:
                    pass
            return places
        """,
        Outcome.OUTCOME_OK,
        output='["/tmp"]',
    ),
)

OUTPUT = (
    Attack(
        "prints a gigabyte",
        "def main_solution(a):\n    for _ in range(1000):\n        print('x' * 10**6)\n",
        Outcome.OUTCOME_OUTPUT_FLOOD,
    ),
    Attack(
        "prints a gigabyte of errors",
        """
        import sys
        def main_solution(a):
            for _ in range(1000):
                print('x' * 10**6, file=sys.stderr)
        """,
        Outcome.OUTCOME_OUTPUT_FLOOD,
    ),
    Attack(
        "floods standard output by its number",
        "import os\ndef main_solution(a):\n    while True:\n        os.write(1, b'x' * 10**5)\n",
        Outcome.OUTCOME_OUTPUT_FLOOD,
    ),
    Attack(
        "floods standard error by its number",
        "import os\ndef main_solution(a):\n    while True:\n        os.write(2, b'x' * 10**5)\n",
        Outcome.OUTCOME_OUTPUT_FLOOD,
    ),
    Attack(
        "writes to standard input",
        "import os\ndef main_solution(a):\n    os.write(0, b'x')\n",
        Outcome.OUTCOME_RAISED,
        error_type="OSError",
    ),
    Attack(
        "finds descriptors besides its own",
        """
        import os
        def main_solution(a):
            found = []
            for fd in range(4, 2000):
                try:
                    os.fstat(fd)
                    found.append(fd)
                except OSError:
                    pass
            return found
        """,
        Outcome.OUTCOME_OK,
        output="[]",
    ),
    Attack(
        "floods its outputs by descriptors of its own making",
        """
        import os
        def main_solution(a):
            copies = [os.dup(fd) for fd in (1, 2, 3) for _ in range(15)]
            for fd in (1, 2, 3):
                try:
                    copies.append(os.open(f'/proc/self/fd/{fd}', os.O_WRONLY))
                except OSError:
                    pass
            while True:
                for fd in copies:
                    os.write(fd, b'x' * 10**4)
        """,
        Outcome.OUTCOME_OUTPUT_FLOOD,
    ),
    Attack(
        "floods the reports with garbage",
        "import os\ndef main_solution(a):\n    while True:\n        os.write(3, b'x' * 10**5)\n",
        Outcome.OUTCOME_OUTPUT_FLOOD,
    ),
    Attack(
        "floods the reports with nothing but the start of one",
        """
        def main_solution(a):
            send(b'', length=(32 << 20) - 100)
            while True:
                os.write(3, b' ' * 10**6)
        """,
        Outcome.OUTCOME_CRASHED,
        or_else=(Outcome.OUTCOME_OUTPUT_FLOOD,),
        begins_with=FRAMES,
    ),
    Attack(
        "catches what stops its printing",
        """
        def main_solution(a):
            for _ in range(100):
                try:
                    print('x' * 10**6)
                except BaseException:
                    pass
            return 1
        """,
        Outcome.OUTCOME_OK,
        output="1",
    ),
)

ATTACKS = (*PROCESSES, *DISK, *OUTPUT)
