"""What keeps a child apart, all by the kernel it runs on: namespaces, limits, a filter.

Inside gVisor that kernel is the sandbox's own. Under `--sandbox process` it is
the host's, and there are no namespaces; that mode promises nothing. The rules
are made here, ahead of time; `zygote.c` applies them to each child.
"""

import ctypes
import os
import resource
import struct
from typing import Any

NEW_USER = 0x10000000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
DESCRIPTORS = 64
SCRATCH_INODES = 4096

libc = ctypes.CDLL(None, use_errno=True)


class Filter(ctypes.Structure):
    """A program for the kernel's filter of system calls (`struct sock_fprog`)."""

    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_char_p))


class Confinement(ctypes.Structure):
    """The rules for a child (`struct confinement` in zygote.c)."""

    _fields_ = (
        ("namespaces", ctypes.c_int),
        ("mounts", ctypes.c_int),
        ("processes", ctypes.c_ulong),
        ("scratch", ctypes.c_char_p),
        ("filter", Filter),
    )


def enter_namespaces() -> None:
    """Give the interpreter a user namespace, so that it may make others for its children."""
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.unshare(NEW_USER):
        raise OSError(ctypes.get_errno(), "the sandbox refuses namespaces")


def cpu_clock(pid: int) -> int:
    """Return the id of the processor time clock of a process (see clock_getcpuclockid)."""
    return (~pid << 3) | 2


def limit_resources(limits: dict[str, Any]) -> None:
    """Take from this process what its children, which inherit that, are not to have."""
    for name, wanted in (
        (resource.RLIMIT_AS, address_space() + limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["scratch_bytes"]),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(name)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(name, (value, value))


def confinement(limits: dict[str, Any]) -> Confinement:
    """Return the rules for each child, beside what it inherits."""
    inside = limits["namespaces"]
    scratch = b"mode=1777,size=%d,nr_inodes=%d" % (limits["scratch_bytes"], SCRATCH_INODES)
    program = filter_program()
    return Confinement(
        namespaces=inside,
        mounts=inside,
        processes=limits["processes"],
        scratch=scratch,
        filter=Filter(len(program) // INSTRUCTION.size, program),
    )


def address_space() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


# Numbers of the system calls by machine: the architecture's audit id, fork,
# vfork, clone, clone3, and those that nobody gets. These start programs or change
# namespaces: execve, execveat, unshare; this makes a stop look like an end: ptrace;
# this makes calls that no filter sees: io_uring_setup; these hold memory that no
# limit sees: memfd_create, memfd_secret, shmget, semget, msgget, mq_open, setxattr,
# lsetxattr, fsetxattr, setxattrat; and these put descriptors, and what they hold,
# out of reach: sendmsg, sendmmsg.
SYSTEM_CALLS = {
    "x86_64": (
        *(0xC000003E, 57, 58, 56, 435),
        *(59, 322, 272, 101, 425),
        *(319, 447, 29, 64, 68, 240, 188, 189, 190, 463),
        *(46, 307),
    ),
    "aarch64": (
        *(0xC00000B7, None, None, 220, 435),
        *(221, 281, 97, 117, 425),
        *(279, 447, 194, 190, 186, 180, 5, 6, 7, 463),
        *(211, 269),
    ),
}
CLONE_THREAD = 0x00010000
CLONE_NEW = 0x7E020000  # any namespace, which a thread may have too
ALLOW, FAIL_EPERM, FAIL_ENOSYS, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
LOAD, JUMP_EQUAL, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06


INSTRUCTION = struct.Struct("=HBBI")


def filter_program() -> bytes:
    """Refuse processes, but not threads, and memory without address: one limit is to hold."""
    numbers = SYSTEM_CALLS.get(os.uname().machine)
    if numbers is None:
        return b""
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
        (JUMP_EQUAL, 0, 4, clone),
        (LOAD, 0, 0, 16),  # its first argument, the flags
        (JUMP_ANY_BIT, 1, 0, CLONE_NEW),
        (JUMP_ANY_BIT, 1, 0, CLONE_THREAD),
        (RETURN, 0, 0, FAIL_EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(INSTRUCTION.pack(*instruction) for instruction in program)
