"""Tokens a second, and what share of a device's peak that is.

Model FLOPs utilisation counts what the model needs, not what is computed again for activation
checkpointing: 6N for the matrices of N parameters, forth and back, and 12·L·d·s for the attention
of L layers of width d over s tokens, at each token.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_PEAKS = {
    "B200": 2250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "A10G": 125e12,
    "L4": 121e12,
}
"""FLOP/s in bfloat16, dense, as the makers tell; longer names stand before shorter ones."""


def peak_of(device: torch.device) -> float | None:
    """Return the FLOP/s that a device has at most in bfloat16, where that is known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    # As words: an L40 is no L4.
    fitting = (peak for part, peak in _PEAKS.items() if re.search(rf"\b{part}\b", name))
    return next(fitting, None)


class Work:
    """What a model computes a token."""

    def __init__(self, model: PreTrainedModel) -> None:
        config = model.config.get_text_config()
        look_up: Any = model.get_input_embeddings()
        head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
        embedding = look_up.weight
        tied = head.weight is embedding
        count = sum(each.numel() for each in model.parameters())
        self.parameters: int = count if tied else count - embedding.numel()
        """Those that are multiplied with: an embedding that is only looked up is none."""
        self.layers: int = config.num_hidden_layers
        self.width: int = config.hidden_size

    def flops(self, length: float) -> float:
        """Return the FLOPs of a token in a sample of so many tokens, forth and back."""
        return 6 * self.parameters + 12 * self.layers * self.width * length
