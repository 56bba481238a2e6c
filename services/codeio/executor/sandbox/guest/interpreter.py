"""A warm interpreter: forks a child per job, and otherwise sleeps.

Its number says which one it is: bit 0 the replica, which has its own hash seed
and clock; bit 1 whether it traces; the rest which packages it has imported.
"""

import ctypes
import gc
import json
import os
import signal
import sys

import child
import isolation

# Descriptors given by init, by number.
WAKE, STATUS = 0, 1


def main(number: int, limits: str, jobs: int, results: int, spill: int) -> None:
    # It is to end with init, however that ends, and its child with it.
    isolation.libc.prctl(isolation.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
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
    os.write(STATUS, b"+" if rules.mounts else b"-")
    if zygote.serve(WAKE, STATUS, ctypes.byref(rules)):
        child.main(jobs, results, spill, limits=told)


if __name__ == "__main__":
    number, limits, *descriptors = sys.argv[1:]
    main(int(number), limits, *map(int, descriptors))
    os._exit(0)
