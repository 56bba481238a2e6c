"""What keeps a child apart, all by the kernel it runs on: namespaces, limits, a filter.

Inside gVisor that kernel is the sandbox's own. Under `--sandbox process` it is
the host's, and there are no namespaces; that mode promises nothing.
"""

import ctypes
import os
import platform
import resource
import struct
from pathlib import Path
from typing import Any

NEW_IPC, NEW_USER, NEW_PID, NEW_NET = 0x08000000, 0x10000000, 0x20000000, 0x40000000

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP = 1, 4, 22
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 38, 24
CAPABILITY_VERSION_3 = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)


def enter_namespaces() -> None:
    """Give the interpreter a user namespace, so that it may make others for its children."""
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.unshare(NEW_USER)
    libc.unshare(NEW_NET)


def new_pid_namespace() -> None:
    """Make the next child process 1 of a pid namespace, with an IPC namespace of its own."""
    libc.unshare(NEW_PID)
    libc.unshare(NEW_IPC)


def cpu_clock(pid: int) -> int:
    """Return the id of the processor time clock of a process (see clock_getcpuclockid)."""
    return (~pid << 3) | 2


def confine(limits: dict[str, Any], scratch: str) -> None:
    """Take from this process, for good, what a program has no need of."""
    os.chdir(scratch)
    memory = address_space() + limits["memory_bytes"]
    for name, wanted in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, limits["scratch_bytes"]),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, limits["processes"]),
    ):
        hard = resource.getrlimit(name)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(name, (value, value))
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
            break
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    libc.capset(header, bytes(24))
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)
    refuse_new_processes()


def address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


# Numbers of the system calls by machine: the architecture's audit id, fork,
# vfork, clone, clone3, execve, execveat, unshare.
SYSTEM_CALLS = {
    "x86_64": (0xC000003E, 57, 58, 56, 435, 59, 322, 272),
    "aarch64": (0xC00000B7, None, None, 220, 435, 221, 281, 97),
}
CLONE_THREAD = 0x00010000
ALLOW, FAIL_EPERM, FAIL_ENOSYS, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
LOAD, JUMP_EQUAL, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06


def refuse_new_processes() -> None:
    """Let threads through and refuse processes, so that the memory limit of one is that of all."""
    numbers = SYSTEM_CALLS.get(platform.machine())
    if numbers is None:
        return
    audit_id, fork, vfork, clone, clone3, *others = numbers
    program = [
        (LOAD, 0, 0, 4),  # the architecture
        (JUMP_EQUAL, 1, 0, audit_id),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, 0),  # the number of the call
    ]
    for number in (fork, vfork, *others):
        if number is not None:
            program += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, FAIL_EPERM)]
    # The C library falls back from clone3, whose flags a filter cannot see, to clone.
    program += [(JUMP_EQUAL, 0, 1, clone3), (RETURN, 0, 0, FAIL_ENOSYS)]
    program += [
        (JUMP_EQUAL, 0, 3, clone),
        (LOAD, 0, 0, 16),  # its first argument, the flags
        (JUMP_ANY_BIT, 1, 0, CLONE_THREAD),
        (RETURN, 0, 0, FAIL_EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_program = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    libc.prctl(PR_SET_SECCOMP, 2, filter_program, 0, 0)
