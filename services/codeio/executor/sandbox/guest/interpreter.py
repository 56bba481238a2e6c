"""A warm interpreter: forks a child per job, and otherwise sleeps.

Its number says which one it is: bit 0 the replica, which has its own hash seed
and clock; bit 1 whether it traces; the rest what it has imported. Whatever can
be done once, before the children are forked, is done here.
"""

import ctypes
import fcntl
import gc
import json
import os
import signal
import sys

import child
import isolation
import memory

FREE = 10  # descriptors from here on are nobody's yet


def main(number: int, limits: str, file: int, *descriptors: int) -> None:
    # It is to end with init, however that ends, and its child with it.
    isolation.libc.prctl(isolation.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    isolation.libc.prctl(isolation.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    told = json.loads(limits)
    if told["namespaces"]:
        isolation.enter_namespaces()
    child.warm_up(number)
    # With the interpreter's lock held throughout: what returns in a child goes straight on.
    zygote = ctypes.PyDLL(told["zygote"])
    rules = isolation.confinement(told)
    failed = zygote.try_out(ctypes.byref(rules))
    if failed and rules.mounts:
        # A gVisor of 2022 lets nobody mount; init then sees to the scratch folder.
        rules.mounts = 0
        failed = zygote.try_out(ctypes.byref(rules))
    if failed:
        raise OSError(f"the sandbox cannot confine programs: step {failed} of zygote.c failed")
    gc.collect()
    gc.disable()
    gc.freeze()
    if told["namespaces"]:
        memory.share(zygote, file)
    isolation.limit_resources(told)
    wake, status, job = arrange(file, *descriptors)
    zygote.serve(wake, status, ctypes.byref(rules))
    child.main(job, limits=told)


def arrange(*given: int) -> list[int]:
    """Give a child what it is to have: an empty input, watched outputs, and a way for reports.

    Returns where `wake`, `status` and `job` are now; all else is closed, or a child
    could speak for its interpreter.
    """
    _, wake, status, results, spill, job = given
    kept = [fcntl.fcntl(fd, fcntl.F_DUPFD, FREE) for fd in (wake, status, job)]
    for fd in (1, 2):
        os.dup2(spill, fd)
    os.dup2(results, child.RESULTS)
    for fd in given:
        if fd > child.RESULTS:
            os.close(fd)
    return kept


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
    os._exit(0)
