"""Bombs: processes, threads, memory, disk and output without end."""

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

MEMORY = (
    Attack(
        "allocates without end",
        """
        def main_solution(a):
            kept = []
            while True:
                kept.append(bytearray(10**7))
        """,
        Outcome.OUTCOME_MEMORY,
    ),
    Attack(
        "allocates at once",
        "def main_solution(a):\n    return len(bytearray(10**10))\n",
        Outcome.OUTCOME_MEMORY,
    ),
    Attack(
        "allocates many small objects",
        """
        def main_solution(a):
            kept = []
            for i in range(10**9):
                kept.append([0] * 4000)
        """,
        Outcome.OUTCOME_MEMORY,
    ),
    Attack(
        "grows one list",
        """
        def main_solution(a):
            kept = [0] * 1000
            while True:
                kept.extend(kept)
        """,
        Outcome.OUTCOME_MEMORY,
    ),
    Attack(
        "doubles a string",
        """
        def main_solution(a):
            text = 'x'
            while True:
                text += text
        """,
        Outcome.OUTCOME_MEMORY,
    ),
    Attack(
        "keeps on after every lack of memory",
        """
        def main_solution(a):
            kept = []
            while True:
                try:
                    kept.append(bytearray(10**6))
                except MemoryError:
                    pass
        """,
        Outcome.OUTCOME_CPU_TIMEOUT,
    ),
    Attack(
        "maps memory",
        """
        import mmap
        def main_solution(a):
            kept = []
            while True:
                kept.append(mmap.mmap(-1, 10**7, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        """,
        Outcome.OUTCOME_RAISED,
        error_type="OSError",
    ),
    Attack(
        "maps shared memory",
        """
        import mmap
        def main_solution(a):
            kept = []
            while True:
                kept.append(mmap.mmap(-1, 10**7))
        """,
        Outcome.OUTCOME_RAISED,
        error_type="OSError",
    ),
    Attack(
        "fills files in memory",
        # Their pages are in no address space. The limits of the suite: 256 MiB.
        """
        import os
        def main_solution(a):
            total = 0
            chunk = b'x' * (1 << 20)
            try:
                for number in range(60):
                    fd = os.memfd_create(str(number))
                    for _ in range(15):
                        total += os.write(fd, chunk)
            except (OSError, AttributeError):
                pass
            return total >> 20 <= 256
        """,
        Outcome.OUTCOME_OK,
        output="true",
    ),
    Attack(
        "sends files in memory to itself, past the limit on descriptors",
        """
        import array, os, socket
        def main_solution(a):
            left, right = socket.socketpair()
            total = 0
            chunk = b'x' * (1 << 20)
            try:
                for number in range(40):
                    fd = os.memfd_create(str(number))
                    for _ in range(15):
                        total += os.write(fd, chunk)
                    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd]))]
                    left.sendmsg([b'x'], rights, socket.MSG_DONTWAIT)
                    os.close(fd)
            except (OSError, AttributeError):
                pass
            return total >> 20 <= 256
        """,
        Outcome.OUTCOME_OK,
        output="true",
    ),
    Attack(
        "fills segments of shared memory and lets go of them",
        """
        SIZE, CREATE = 64 << 20, 0o1600
        def main_solution(a):
            libc.shmat.restype = ctypes.c_void_p
            libc.shmdt.argtypes = [ctypes.c_void_p]
            total = 0
            for _ in range(10):
                segment = libc.shmget(0, SIZE, CREATE)
                if segment < 0:
                    break
                place = libc.shmat(segment, None, 0)
                if place in (None, 2**64 - 1):
                    break
                ctypes.memset(place, 1, SIZE)
                libc.shmdt(place)
                total += SIZE
            return total >> 20 <= 256
        """,
        Outcome.OUTCOME_OK,
        output="true",
        begins_with=SYSCALLS,
    ),
    Attack(
        "makes shared memory by name",
        """
        from multiprocessing import shared_memory
        def main_solution(a):
            return shared_memory.SharedMemory('left', create=True, size=10**9).size
        """,
        Outcome.OUTCOME_RAISED,
    ),
    Attack(
        "takes back its own limits",
        """
        import resource
        def main_solution(a):
            done = []
            for name in ('AS', 'FSIZE', 'NOFILE', 'NPROC', 'CORE'):
                try:
                    kind = getattr(resource, 'RLIMIT_' + name)
                    hard = resource.getrlimit(kind)[1]
                    resource.setrlimit(kind, (hard + 1, hard + 1))
                    done.append(name)
                except (OSError, ValueError):
                    pass
            return done
        """,
        Outcome.OUTCOME_OK,
        output="[]",
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

ATTACKS = (*PROCESSES, *MEMORY, *DISK, *OUTPUT)
