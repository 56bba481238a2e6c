"""The processes that train together: what they tell one another, and collectives between them.

Two ways lead from process to process. Collectives are for what all do at the same time, and have
deadlines, so that one that is lost is noticed. A store, which the launcher of the first node keeps,
is for what one does while the others wait (data, downloads), and for the error of one that all
should know: without it the others would only see that a collective failed.

With gloo a process that is lost is noticed at once, by its connections. With NCCL it may take the
deadline, after which torch aborts the process; so who computes on a GPU watches the store besides.
"""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore

from codeio.runtime.errors import first_line
from codeio.trainer.failures import cannot_meet, lost_peer
from codeio.training_run.outcomes import ExitCode, Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

STEP_DEADLINE = timedelta(minutes=10)
"""Of a collective within a step; NCCL's own default."""
COMPILED_DEADLINE = timedelta(minutes=15)
"""The same where a first step compiles, which takes some processes longer than others."""
SAVE_DEADLINE = timedelta(minutes=30)
"""Of those around files, which are as slow as the slowest disk, and of those of whole models."""

_ERROR = "error"
_POLL_SECONDS = 0.2
_WATCH_SECONDS = 1.0
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
            if told := self._told(self.store):
                raise told
            time.sleep(_POLL_SECONDS)

    def tell_error(self, error: RunError) -> RunError:
        """Let the others know why this process ends; the first to tell is heard.

        Returns:
            What to end with: the error, unless it counts and may be but what another's led to.
        """
        said = {
            "rank": self.rank,
            "reason": str(error.reason),
            "message": str(error),
            "exit_code": int(error.exit_code),
        }
        with suppress(RuntimeError):  # the store went with its node
            first = json.loads(self.store.compare_set(_ERROR, "", json.dumps(said)))
            if error.exit_code is ExitCode.FAILED and first["rank"] != self.rank:
                return _heard(first)
        return error

    def told_error(self) -> RunError | None:
        """Return why another process ended, if it tells in time."""
        end = time.monotonic() + _ERROR_SECONDS
        while time.monotonic() < end:
            try:
                if told := self._told(self.store):
                    return told
            except RuntimeError:  # the store went with its node
                return None
            time.sleep(_POLL_SECONDS)
        return None

    def _told(self, store: Store) -> RunError | None:
        """Return why another process ended, if one has told."""
        if not store.check([_ERROR]):
            return None
        said = json.loads(store.get(_ERROR))
        return None if said["rank"] == self.rank else _heard(said)

    @contextmanager
    def watched(self, end: Callable[[RunError], object]) -> Iterator[None]:
        """Call `end`, in a thread, should another process tell of an error during the body.

        A process that waits for its GPU hears neither of it nor of signals in another way.
        """
        store = self.store.clone()  # for it alone: one that waits for a value is taken
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_WATCH_SECONDS):
                try:
                    told = self._told(store)
                except RuntimeError as error:
                    told = lost_peer(f"the first node is gone ({first_line(error)[:300]})")
                if told:
                    end(told)
                    return

        thread = threading.Thread(target=watch, name="watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @contextmanager
    def joined(self) -> Iterator[Joined]:
        """Meet the others; collectives can be used in the body, with `SAVE_DEADLINE`.

        Raises:
            RunError: they can exchange nothing.
        """
        on_gpu = self.device.type == "cuda"
        if on_gpu:
            torch.cuda.set_device(self.device)
        try:
            yield self._meet("cpu:gloo,cuda:nccl" if on_gpu else "gloo")
        except BaseException:
            # On GPUs it would wait for a collective that no other process takes part in.
            if not on_gpu and dist.is_initialized():
                dist.destroy_process_group()
            raise
        dist.destroy_process_group()

    def _meet(self, backend: str) -> Joined:
        try:
            dist.init_process_group(
                backend,
                store=PrefixStore("collectives", self.store),
                rank=self.rank,
                world_size=self.world,
                timeout=SAVE_DEADLINE,
                device_id=self.device if self.device.type == "cuda" else None,
            )
            patient = dist.new_group(backend="gloo", timeout=SAVE_DEADLINE)
            assert isinstance(patient, dist.ProcessGroup)
            joined = Joined(self, patient)
            with joined.within(STEP_DEADLINE):
                joined.total([1.0])  # the first one connects
            joined.gather(None)
        except (dist.DistNetworkError, dist.DistStoreError, torch.OutOfMemoryError):
            raise  # it was not for want of a network
        except RuntimeError as error:
            raise cannot_meet(first_line(error)[:300]) from error
        return joined


@dataclass(frozen=True)
class Joined:
    """The collectives of a group that has met."""

    group: Group
    patient: dist.ProcessGroup
    """For what is done around files: on the CPU, always with `SAVE_DEADLINE`."""

    @contextmanager
    def within(self, deadline: timedelta) -> Iterator[None]:
        """Give the other collectives a deadline for the time of the body."""
        dist.set_timeout(deadline)
        try:
            yield
        finally:
            dist.set_timeout(SAVE_DEADLINE)

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


def _heard(said: dict[str, Any]) -> RunError:
    """Return what another's error means for a process that only heard of it."""
    code = ExitCode(said["exit_code"])
    if code is ExitCode.FAILED:
        # It counts where it was, not again with each that it ends.
        return lost_peer(said["message"])
    return RunError(Reason(said["reason"]), said["message"], exit_code=code)
