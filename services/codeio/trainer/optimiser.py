"""AdamW, learning rates, clipping."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.distributed.tensor import DTensor

if TYPE_CHECKING:
    from torch import nn

    from codeio.training_run.recipes import Stage


def adamw(model: nn.Module, stage: Stage, *, device: torch.device) -> torch.optim.AdamW:
    """Return the optimiser; matrices alone decay, not norms and biases."""
    parameters = [each for each in model.parameters() if each.requires_grad]
    groups = [
        {"params": matrices, "weight_decay": stage.weight_decay if decays else 0.0}
        for decays in (True, False)
        if (matrices := [each for each in parameters if (each.ndim >= 2) is decays])
    ]
    return torch.optim.AdamW(
        groups,
        lr=stage.learning_rate,
        betas=(stage.beta1, stage.beta2),
        eps=stage.epsilon,
        fused=device.type == "cuda",
    )


def learning_rate(stage: Stage, step: int, steps: int) -> float:
    """Return the learning rate of step 0, 1, ... of so many.

    It rises to the highest within `warmup_steps`; the last step has the final one.
    """
    if step < stage.warmup_steps:
        return stage.learning_rate * (step + 1) / stage.warmup_steps
    way = (step - stage.warmup_steps) / max(1, steps - 1 - stage.warmup_steps)
    match stage.schedule:
        case "Constant":
            left = 1.0
        case "Linear":
            left = 1 - way
        case "Cosine":
            left = (1 + math.cos(math.pi * way)) / 2
    final = stage.final_learning_rate
    return final + (stage.learning_rate - final) * left


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def clip(model: nn.Module, *, largest: float) -> float:
    """Scale the gradients so that their norm over all processes is at most `largest`.

    Returns:
        The norm before.
    """
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), largest)
    return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)
