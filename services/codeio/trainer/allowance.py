"""What a run may use of the machine that it is on.

A container sees all cores and all memory of its node. What it may have of them stands in its
control group, and of cores, where it has no limit, in what its pod asked for.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codeio.training_run.spec import Workers

_CONTROL_GROUP = Path("/sys/fs/cgroup")
_MOST_WORKERS = 16
"""Beyond, one process that reads and writes cannot keep them busy."""
_WORKER_BYTES = 1 << 30
"""Of a process that renders and tokenises: 600 MB are its libraries."""


def cores(workers: Workers) -> int:
    """Return how many cores a pod, or this machine, may keep busy; at least one."""
    counts = [float(len(os.sched_getaffinity(0)))]
    if (quota := _quota()) is not None:
        counts.append(quota)
    # In a pod it always is: the launcher names it, whether or not its user does.
    if "cpu" in workers.model_fields_set:
        counts.append(_cores_of(workers.cpu))
    return max(1, int(min(counts)))


def preparation_workers(workers: Workers) -> int:
    """Return how many processes may prepare data, beside those that wait to train."""
    by_memory = _memory() // _WORKER_BYTES - workers.processes
    return max(1, min(_MOST_WORKERS, cores(workers), by_memory))


def _quota() -> float | None:
    """Return the cores of the limit, if there is one: by version 2 of control groups, or 1."""
    quota, _, period = _read("cpu.max").partition(" ")
    if not quota:
        quota, period = _read("cpu/cpu.cfs_quota_us"), _read("cpu/cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() else None


def _memory() -> int:
    """Return the bytes that may be used."""
    here = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _read("memory.max") or _read("memory/memory.limit_in_bytes")
    return min(here, int(limit)) if limit.isdecimal() else here


def _read(name: str) -> str:
    with suppress(OSError):
        return (_CONTROL_GROUP / name).read_text(encoding="utf-8").strip()
    return ""


def _cores_of(quantity: str) -> float:
    """Return what Kubernetes means by so much CPU: `2`, `1.5`, `500m`."""
    thousandths = quantity.removesuffix("m")
    return float(thousandths) / 1000 if thousandths != quantity else float(quantity)
