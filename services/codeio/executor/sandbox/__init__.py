"""Runs untrusted programs: the pool, the guest, the backends and what they need installed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from codeio.executor.sandbox.backends import (
    Backend,
    GvisorBackend,
    ProcessBackend,
    RemoteBackend,
)
from codeio.executor.sandbox.guest_environment import build_guest_environment
from codeio.executor.sandbox.pool import Pool
from codeio.executor.sandbox.runsc import find_runsc
from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeio.runtime.settings import Settings


def make_pool(settings: Settings, *, say: Callable[[str], None], reserved: int = 0) -> Pool:
    """Return a pool, not yet started.

    `reserved`: slots for interactive jobs alone, beside those for all. What
    programs need in a guest on this machine is installed first where it is
    missing; `say` is told so. `runsc` is not.

    Raises:
        UsageError: gVisor is asked for and not there, or packages cannot be had.
    """
    wanted = settings.sandbox
    backend: Backend
    match wanted.backend:
        case "gvisor":
            runsc = find_runsc(wanted.home)
            environment = build_guest_environment(wanted.home, say=say)
            state = wanted.home / "state"
            backend = GvisorBackend(runsc, environment, settings.limits, state=state)
        case "remote":
            if not wanted.address:
                raise UsageError("name the sandboxes as HOST:PORT in CODEIO_SANDBOX__ADDRESS")
            backend = RemoteBackend(wanted.address, settings.limits)
        case "process":
            say("warning: --sandbox process runs the code as you, with all that you may do")
            environment = build_guest_environment(wanted.home, say=say)
            backend = ProcessBackend(environment, settings.limits)
    return Pool(
        backend,
        limits=settings.limits,
        settings=wanted,
        workers=wanted.workers or os.cpu_count() or 1,
        reserved=reserved,
    )
