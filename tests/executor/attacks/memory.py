"""Memory: in address space, where a limit sees it, and in the kernel, where none does."""

from __future__ import annotations

from codeio.v1.execution_pb2 import Outcome
from tests.executor.attacks.attack import SYSCALLS, Attack

ADDRESSES = (
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
        "maps huge pages",
        """
        import mmap
        def main_solution(a):
            HUGE = 0x40000
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | HUGE
            kept = []
            while True:
                kept.append(mmap.mmap(-1, 1 << 26, flags=flags))
        """,
        Outcome.OUTCOME_RAISED,
        error_type="OSError",
    ),
    Attack(
        "maps memory that it promises not to touch",
        """
        def main_solution(a):
            PRIVATE, ANONYMOUS, NO_RESERVE = 2, 0x20, 0x4000
            return syscall(9, 0, 1 << 40, 3, PRIVATE | ANONYMOUS | NO_RESERVE, -1, 0)
        """,
        Outcome.OUTCOME_OK,
        output="-12",
        begins_with=SYSCALLS,
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

# What these fill lies in no address space; the suite's limit on memory is 256 MiB.
ELSEWHERE = (
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
        "keeps memory in the attributes of a file",
        """
        import os
        def main_solution(a):
            total = 0
            open('x', 'w').close()
            try:
                while total >> 20 <= 512:
                    os.setxattr('x', f'user.{total}', b'x' * 65536)
                    total += 65536
            except OSError:
                pass
            return total >> 20 <= 256
        """,
        Outcome.OUTCOME_OK,
        output="true",
    ),
    *(
        Attack(
            f"keeps memory in {what} that it sends to itself",
            f"""
            import array, fcntl, os, socket
            def fill(write):
                written = 0
                try:
                    while True:
                        written += write(b'x' * 65536)
                except BlockingIOError:
                    return written
            def pipe():
                ends = os.pipe2(os.O_NONBLOCK)
                try:
                    fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, 1 << 20)
                except OSError:
                    pass
                return ends, fill(lambda data: os.write(ends[1], data))
            def sockets():
                left, right = socket.socketpair()
                left.setblocking(False)
                left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
                written = fill(left.send)
                return (left.detach(), right.detach()), written
            def main_solution(a):
                mail, kept = socket.socketpair()
                total = 0
                try:
                    while total >> 20 <= 512:
                        ends, written = {make}()
                        total += written
                        rights = array.array('i', ends)
                        mail.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)],
                                     socket.MSG_DONTWAIT)
                        for end in ends:
                            os.close(end)
                except OSError:
                    pass
                return total >> 20 <= 256
            """,
            Outcome.OUTCOME_OK,
            output="true",
        )
        for what, make in (("pipes", "pipe"), ("sockets", "sockets"))
    ),
)

ATTACKS = (*ADDRESSES, *ELSEWHERE)
