"""A warm interpreter: forks a child per job, and otherwise sleeps.

It does next to nothing itself, for the kernel inside gVisor copies two
megabytes for each page that parent or child touches while both are there.
Whatever has to be done beside a child is done by init, which shares no memory
with it.
"""

import gc
import json
import os
import sys

import child
import isolation

# Descriptors given by init, by number.
WAKE, STATUS = 0, 1


def main(interpreter: int, limits: str, jobs: int, results: int, spill: int) -> None:
    namespaces = json.loads(limits)["namespaces"]
    if namespaces:
        isolation.enter_namespaces()
    child.warm_up(interpreter, limits)
    gc.disable()
    gc.freeze()
    while os.read(WAKE, 1):
        if namespaces:
            isolation.new_pid_namespace()
        pid = os.fork()
        if pid == 0:
            child.main(jobs, results, spill)
        # It was process 1 of its pid namespace: all its descendants went with it.
        _, status, usage = os.wait4(pid, 0)
        os.write(STATUS, b"%d %d\n" % (status, usage.ru_maxrss))


if __name__ == "__main__":
    number, told, *descriptors = sys.argv[1:]
    main(int(number), told, *map(int, descriptors))
    os._exit(0)
