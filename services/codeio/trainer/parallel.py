"""Computes a loss on one process or many: DDP and FSDP2.

Weights, gradients and optimiser stay in 32 bits everywhere; what is computed in 16 bits is so by
autocast, or by FSDP's policy, which gathers weights in the narrow type.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel

from codeio.trainer.attention import Samples

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from torch import Tensor

    from codeio.trainer.data import MicroBatch
    from codeio.trainer.group import Group
    from codeio.trainer.model import Learner
    from codeio.training_run.spec import Execution


@dataclass(frozen=True)
class Parallel:
    """A learner that is spread over the processes of a group."""

    learner: Learner
    """Has the parameters: whole ones, or this process's shards."""
    group: Group
    sharded: bool
    _loss: Callable[..., Tensor]
    _no_sync: Callable[[], AbstractContextManager[Any]]
    _autocast: bool

    def backward(self, batch: MicroBatch, *, share: float, last: bool) -> Tensor:
        """Add the gradients of a row times `share`; return its summed loss.

        Where gradients are whole they are summed with the other processes' at the `last` row
        of a step; where they are shards, at each, so that none is ever held whole.
        """
        device = self.group.device
        ids, places, labels, samples = row_of(batch, device)
        # DDP and FSDP take the mean over processes; what is meant is the sum.
        scale = share * self.group.world
        with nullcontext() if last or self.sharded else self._no_sync():
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self._autocast):
                loss: Tensor = self._loss(ids, places, labels, samples)
            (loss * scale).backward()  # type: ignore[no-untyped-call]
        return loss.detach()


def row_of(batch: MicroBatch, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Samples]:
    """Return a row as a learner takes it: tokens, places, labels, and where samples begin."""
    arrays = (batch.input_ids, batch.position_ids, batch.labels, batch.boundaries)
    ids, places, labels, boundaries = (torch.from_numpy(each).to(device) for each in arrays)
    lengths = tuple((batch.boundaries[1:] - batch.boundaries[:-1]).tolist())
    return ids, places, labels, Samples(boundaries, lengths)


def shards(execution: Execution, group: Group) -> bool:
    """Return whether a run shards: as asked, or on several GPUs."""
    if execution.parallelism == "Auto":
        return group.world > 1 and group.device.type == "cuda"
    return execution.parallelism == "FSDP"


def spread(learner: Learner, execution: Execution, group: Group) -> Parallel:
    """Spread a learner over the processes; the weights are those of the first process."""
    if execution.activation_checkpointing:
        learner.model.activation_checkpointing_enable()
    if execution.compile:
        for layer in learner.layers:
            layer.compile()
    learner.train()
    narrow = execution.precision == "BFloat16"
    if shards(execution, group):
        _shard(learner, group, narrow=narrow)
        return Parallel(learner, group, True, learner, nullcontext, False)
    learner.to(group.device)
    if group.world == 1:
        return Parallel(learner, group, False, learner, nullcontext, narrow)
    whole = DistributedDataParallel(
        learner,
        device_ids=[group.device] if group.device.type == "cuda" else None,
        # Without it gradients are put in another order after the first step, and so summed in
        # another one: a run that goes on would differ from one that never stopped.
        find_unused_parameters=True,
    )
    return Parallel(learner, group, False, whole, whole.no_sync, narrow)


def _shard(learner: Learner, group: Group, *, narrow: bool) -> None:
    weights = learner.state_dict() if group.first else {}
    mesh = init_device_mesh(group.device.type, (group.world,))
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if narrow else None, reduce_dtype=torch.float32
    )
    for layer in learner.layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(learner, mesh=mesh, mp_policy=policy)
    if group.world == 1:
        return
    set_model_state_dict(
        learner, weights, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    )
    for buffer in learner.buffers():  # angles of positions are in no state
        dist.broadcast(buffer, src=0)
