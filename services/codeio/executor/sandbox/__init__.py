"""Runs untrusted programs: the pool, the guest, the backends and what they need installed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from codeio.executor.sandbox.backends import Backend, GvisorBackend, ProcessBackend
from codeio.executor.sandbox.guest_environment import build_guest_environment
from codeio.executor.sandbox.pool import Pool
from codeio.executor.sandbox.runsc import find_runsc

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeio.executor.sandbox.guest_environment import GuestEnvironment
    from codeio.runtime.settings import Settings


def make_pool(settings: Settings, *, say: Callable[[str], None]) -> tuple[Pool, GuestEnvironment]:
    """Return a pool, not yet started, and the environment that programs meet in it.

    The guest's packages are installed first where they are missing; `say` is
    told so. `runsc` is not.

    Raises:
        UsageError: gVisor is asked for and not there, or packages cannot be had.
    """
    home = settings.sandbox.home
    backend: Backend
    if settings.sandbox.backend == "gvisor":
        runsc = find_runsc(home)
        environment = build_guest_environment(home, say=say)
        backend = GvisorBackend(runsc, environment, settings.limits, state=home / "state")
    else:
        say("warning: --sandbox process runs the code as you, with all that you may do")
        environment = build_guest_environment(home, say=say)
        backend = ProcessBackend(environment, settings.limits)
    workers = settings.sandbox.workers or os.cpu_count() or 1
    return Pool(backend, limits=settings.limits, workers=workers), environment
