"""What ended a process, as an exit code and one sentence that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.api import CheckpointException

from codeio.runtime.errors import UsageError, first_line
from codeio.trainer.durable import is_full
from codeio.trainer.stopping import ToldToStop, stopped
from codeio.training_run.outcomes import ExitCode, Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What torch says of a write that came up short, whatever the system said.
_SHORT_WRITE = ("unexpected pos", "file write failed", "failed writing file")
_ALLOCATOR = ("can't allocate memory", "not enough memory")
_LOST_PEER = ("gloo", "nccl", "connection closed", "connection reset", "broken pipe")


def failure_of(error: BaseException, *, folder: Path | None = None) -> RunError:
    """Return an error as what it means for the run; `folder` is where that writes."""
    for each in _with_causes(error):
        if isinstance(each, ToldToStop):
            return stopped()
        if isinstance(each, RunError):
            return each
    for each in _with_causes(error):
        known = _known(each, folder)
        if known:
            return known
    return RunError(
        Reason.INTERNAL_ERROR,
        f"{type(error).__name__}: {error}",
        exit_code=ExitCode.FAILED,
    )


def out_of_memory(detail: str) -> RunError:
    """Return the error of a process that had too little memory."""
    return RunError(
        Reason.OUT_OF_MEMORY,
        f"out of memory ({detail}): lower execution.tokensPerDevice, set"
        " execution.activationCheckpointing, or give the workers more memory or more GPUs",
        exit_code=ExitCode.OUT_OF_MEMORY,
    )


def lost_peer(detail: str) -> RunError:
    """Return the error of a process that was left by another."""
    return RunError(
        Reason.DISRUPTED,
        f"another process of the run went away: {detail}",
        exit_code=ExitCode.DISRUPTED,
    )


def cannot_meet(detail: str) -> RunError:
    """Return the error of processes that found one another and could exchange nothing."""
    return RunError(
        Reason.INTERNAL_ERROR,
        f"the processes cannot exchange data ({detail}): name the network that joins the pods in"
        " workers.env, by NCCL_SOCKET_IFNAME and GLOO_SOCKET_IFNAME, and correct what else of NCCL"
        " is set there",
        exit_code=ExitCode.FAILED,
    )


def _known(error: BaseException, folder: Path | None) -> RunError | None:
    text, line = str(error).strip(), first_line(error)[:300]
    if isinstance(error, UsageError):
        return RunError(Reason.INVALID_SPEC, text)
    if isinstance(error, OSError) and is_full(error):
        return _full(folder)
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return out_of_memory(line)
    if isinstance(error, (dist.DistNetworkError, dist.DistStoreError, dist.DistBackendError)):
        return lost_peer(line)
    if isinstance(error, RuntimeError):
        lower = text.lower()
        if any(each in lower for each in _SHORT_WRITE):
            return _full(folder)
        if any(each in lower for each in _ALLOCATOR):
            return out_of_memory(line)
        if any(each in lower for each in _LOST_PEER):
            return lost_peer(line)
    return None


def _full(folder: Path | None) -> RunError:
    where = f" of {folder}" if folder else ""
    return RunError(
        Reason.STORAGE_FULL,
        f"the disk{where} is full: make room on it or make it larger, then have the run go on; what"
        " was saved before is whole",
    )


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it, those that other processes told of included."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, CheckpointException):
            waiting += [cause for cause, _ in each.failures.values()]
        waiting += [each.__cause__, each.__context__]
