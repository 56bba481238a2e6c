"""The processes that train together: what they tell one another, and collectives between them.

Two ways lead from process to process. Collectives are for what all do at the same time, and have
deadlines, so that one that is lost is noticed. A store, which the launcher of the first node keeps,
is for what one does while the others wait (data, downloads), and for the error of one that all
should know: without it the others would only see that a collective failed.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore

from codeio.training_run.outcomes import ExitCode, Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STEP_DEADLINE = timedelta(seconds=60)
"""Of a collective within a step."""
COMPILED_DEADLINE = timedelta(minutes=15)
"""The same where a first step compiles, which takes some processes longer than others."""
SAVE_DEADLINE = timedelta(minutes=30)
"""Of those around files, which are as slow as the slowest disk."""

_ERROR = "error"
_POLL_SECONDS = 0.2
_ERROR_SECONDS = 5.0
"""How long to wait for the word of another that failed, once a collective has."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """One process's place among all."""

    rank: int
    world: int
    device: torch.device
    store: Store

    @classmethod
    def of_environment(cls, *, gpus: bool) -> Group:
        """Return the place that the launcher gave this process.

        Raises:
            RunError: it should compute on a GPU that is not there.
        """
        local = int(os.environ["LOCAL_RANK"])
        if gpus and local >= torch.cuda.device_count():
            raise RunError(
                Reason.INVALID_SPEC,
                f"workers.gpusPerNode asks for a GPU for process {local} of this machine, which has"
                f" {torch.cuda.device_count()}",
            )
        store = TCPStore(
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            is_master=False,
            timeout=SAVE_DEADLINE,
        )
        return cls(
            rank=int(os.environ["RANK"]),
            world=int(os.environ["WORLD_SIZE"]),
            device=torch.device("cuda", local) if gpus else torch.device("cpu"),
            store=PrefixStore("codeio", store),
        )

    @property
    def first(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    def tell(self, what: str) -> None:
        """Let the others go on that wait for `what`."""
        self.store.set(what, "done")

    def wait_for(self, what: str) -> None:
        """Wait until one tells that `what` is done.

        Raises:
            RunError: one told of an error instead.
        """
        while not self.store.check([what]):
            self._raise_told()
            time.sleep(_POLL_SECONDS)

    def tell_error(self, error: RunError) -> None:
        """Let the others know why this process ends; the first to tell is heard."""
        said = {
            "reason": str(error.reason),
            "message": str(error),
            "exit_code": int(error.exit_code),
        }
        self.store.compare_set(_ERROR, "", json.dumps(said))

    def told_error(self) -> RunError | None:
        """Return why another process ended, if it tells in time."""
        end = time.monotonic() + _ERROR_SECONDS
        while time.monotonic() < end:
            try:
                self._raise_told()
            except RunError as error:
                return error
            except (RuntimeError, dist.DistError):  # the store went with its node
                return None
            time.sleep(_POLL_SECONDS)
        return None

    def _raise_told(self) -> None:
        if self.store.check([_ERROR]):
            said = json.loads(self.store.get(_ERROR))
            raise RunError(
                Reason(said["reason"]), said["message"], exit_code=ExitCode(said["exit_code"])
            )

    @contextmanager
    def joined(self, *, deadline: timedelta = STEP_DEADLINE) -> Iterator[Joined]:
        """Meet the others; collectives can be used in the body."""
        on_gpu = self.device.type == "cuda"
        if on_gpu:
            torch.cuda.set_device(self.device)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
            store=PrefixStore("collectives", self.store),
            rank=self.rank,
            world_size=self.world,
            timeout=deadline,
            device_id=self.device if on_gpu else None,
        )
        try:
            patient = dist.new_group(backend="gloo", timeout=SAVE_DEADLINE)
            assert isinstance(patient, dist.ProcessGroup)
            yield Joined(self, patient)
        except BaseException:
            # On GPUs it would wait for a collective that no other process takes part in.
            if not on_gpu:
                dist.destroy_process_group()
            raise
        dist.destroy_process_group()


@dataclass(frozen=True)
class Joined:
    """The collectives of a group that has met."""

    group: Group
    patient: dist.ProcessGroup
    """For what is done around files: on the CPU, with a long deadline."""

    def total(self, values: Sequence[float | torch.Tensor]) -> list[float]:
        """Return the sums of each value over all processes, in 64 bits."""
        sums = torch.stack(
            [
                torch.as_tensor(each, dtype=torch.float64, device=self.group.device)
                for each in values
            ]
        )
        dist.all_reduce(sums)
        total: list[float] = sums.tolist()
        return total

    def gather(self, value: object) -> list[object]:
        """Return the values of all processes, by rank, on each of them."""
        values: list[object] = [None] * self.group.world
        dist.all_gather_object(values, value, group=self.patient)
        return values
