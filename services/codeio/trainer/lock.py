"""Keeps two from working in the folder of one run: each would delete what the other writes.

CHECKPOINTS/RUN/
    .run.lock     held by a command that trains on this machine, from its first step to its last
    .step.lock    held by whoever carries out a step: the first process of a stage, or who evaluates

The second matters where the first is gone: processes of a launcher that was killed save before
they end, and so may a pod that is lost to its cluster. The system lets go of both when their
process ends, however it does.
"""

from __future__ import annotations

import fcntl
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from codeio.training_run.outcomes import ExitCode, Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def run_alone(folder: Path) -> Iterator[None]:
    """Hold a run's folder for a command that trains it.

    Raises:
        RunError: another command does.
    """
    complaint = RunError(
        Reason.INVALID_SPEC,
        f"another process trains this run in {folder}: wait until it has ended, or give this run"
        " another name",
    )
    with _held(folder / ".run.lock", complaint):
        yield


@contextmanager
def step_alone(folder: Path) -> Iterator[None]:
    """Hold a run's folder for a process that carries out a step.

    Raises:
        RunError: another one does; it is about to end, or else it is a pod's against one on
            another machine. To start again is the right thing in both cases.
    """
    complaint = RunError(
        Reason.DISRUPTED,
        f"a process that was started earlier still works in {folder}: start it again when that has"
        " ended",
        exit_code=ExitCode.DISRUPTED,
    )
    with _held(folder / ".step.lock", complaint):
        yield


@contextmanager
def _held(path: Path, complaint: RunError) -> Iterator[None]:
    with ExitStack() as stack:
        # Not all network file systems can lock; and a folder that cannot be written is told of by
        # who has something to write.
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("a+b"))  # NFS locks what is open to be written
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise complaint from error
        yield
