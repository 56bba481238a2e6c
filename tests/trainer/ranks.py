"""Processes that train together, forked from one that has imported what they need.

To import torch takes a process five seconds and more; so it is done once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch.distributed import TCPStore  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

PATIENCE = 200
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["codeio.trainer.stage", "tests.trainer.work"])


class Ranks:
    """Processes that run."""

    def __init__(self, processes: list[ForkServerProcess], told: list[Connection]) -> None:
        self.processes = processes
        self._told = told

    def result(self, rank: int = 0) -> Any:
        """Return what the work of a process returns, or raise what it failed with."""
        if not self._told[rank].poll(PATIENCE):
            raise TimeoutError(f"process {rank} tells nothing")
        ended, said = self._told[rank].recv()
        if not ended:
            raise AssertionError(said)
        return said

    def ends(self) -> list[int | None]:
        """Return the exit codes."""
        for each in self.processes:
            each.join(PATIENCE)
        return [each.exitcode for each in self.processes]


def run_ranks(world: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Return what `work` returns in each process."""
    with started(world, work, *arguments) as ranks:
        results = [ranks.result(rank) for rank in range(world)]
        ranks.ends()
    return results


@contextmanager
def started(world: int, work: Callable[..., Any], *arguments: Any) -> Iterator[Ranks]:
    """Start `work` in so many processes; those that are left in the end are killed."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    processes, told = [], []
    for rank in range(world):
        here, there = _context.Pipe(duplex=False)
        environment = {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(world),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(store.port),
        }
        process = _context.Process(target=_run, args=(work, arguments, environment, there))
        process.start()
        there.close()
        processes.append(process)
        told.append(here)
    try:
        yield Ranks(processes, told)
    finally:
        for process in processes:
            if process.is_alive():
                os.kill(process.pid or 0, signal.SIGKILL)
            process.join()


def _run(
    work: Callable[..., Any], arguments: tuple[Any, ...], environment: dict[str, str], out: Any
) -> None:
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    os.environ.update(environment)
    try:
        out.send((True, work(*arguments)))
    except BaseException as error:  # noqa: BLE001
        out.send((False, f"{error}\n{traceback.format_exc()}"))
