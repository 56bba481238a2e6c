"""The loss of labelled positions, without holding all their logits.

A row of 8,192 tokens and a vocabulary of 128,000 would make 4 GB of logits, and the gradient as
much again. So the head and the cross-entropy are taken over a chunk of positions at a time, and
their gradients right then, while the chunk's logits are at hand: nothing is computed twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

_POSITIONS = 1024
"""Positions of a chunk: some hundreds of MB of logits at the largest vocabularies."""


def summed_loss(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy in nats, summed over positions: a float32 scalar.

    Args:
        hidden: of shape (positions, width), in the dtype that is computed in.
        weight: of the head; of shape (vocabulary, width).
        labels: int64 of shape (positions,); each one counts.
    """
    loss: Tensor = _HeadLoss.apply(hidden, weight, labels)
    return loss


class _HeadLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
        wanted = any(ctx.needs_input_grad)
        narrow = weight.to(hidden.dtype)
        loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
        of_hidden = torch.empty_like(hidden) if wanted else None
        of_weight = torch.zeros_like(weight, dtype=torch.float32) if wanted else None
        for begin in range(0, len(labels), _POSITIONS):
            chunk = hidden[begin : begin + _POSITIONS]
            targets = labels[begin : begin + _POSITIONS, None]
            logits = (chunk @ narrow.T).float()
            normaliser = logits.logsumexp(dim=1, keepdim=True)
            loss += (normaliser - logits.gather(1, targets)).sum()
            if of_hidden is not None and of_weight is not None:
                # Softmax less one at the target is the gradient of the logits.
                logits.sub_(normaliser).exp_()
                logits.scatter_add_(1, targets, torch.full_like(normaliser, -1.0))
                slope = logits.to(hidden.dtype)
                of_hidden[begin : begin + _POSITIONS] = slope @ narrow
                of_weight += slope.T @ chunk
        if of_hidden is not None and of_weight is not None:
            ctx.save_for_backward(of_hidden, of_weight.to(weight.dtype))
        return loss

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor, None]:
        of_hidden, of_weight = ctx.saved_tensors
        return _scaled(of_hidden, slopes[0]), _scaled(of_weight, slopes[0]), None


def _scaled(gradient: Tensor, slope: Tensor) -> Tensor:
    """Multiply in 32 bits: a slope in 16 would be off by up to 0.4 %, for all positions alike."""
    return gradient.float().mul_(slope).to(gradient.dtype)
