"""Attention within the samples of a packed row, never across them.

Samples lie one behind the other in a row. transformers hands the cumulative lengths through to
the function that is registered here, under the names that its flash attention has. On a GPU the
flash kernels for rows of samples compute it (`torch.nn.attention.varlen`), on a CPU torch's
attention sample by sample; both are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from transformers import AttentionInterface

from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "codeio_packed"
"""As models know it: `attn_implementation`."""

_UNKNOWN = ("softcap", "s_aux", "position_bias")
"""What changes scores in ways that the kernels do not know."""

_KERNEL_TYPES = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Samples:
    """Where the samples of a row begin and end."""

    boundaries: Tensor
    """int32 of shape (samples + 1,): 0, the end of the first sample, ... the length of the row."""
    lengths: tuple[int, ...]
    """The same as lengths of the samples, on the host."""

    @property
    def for_model(self) -> dict[str, Any]:
        """Return the arguments that hand it through a model's forward."""
        longest = max(self.lengths)
        return {
            "cu_seq_lens_q": self.boundaries,
            "cu_seq_lens_k": self.boundaries,
            "max_length_q": longest,
            "max_length_k": longest,
            "sample_lengths": self.lengths,
        }


def packed_attention(  # noqa: PLR0913  (as transformers calls it)
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,  # noqa: ARG001  (the boundaries stand for it)
    *,
    cu_seq_lens_q: Tensor,
    max_length_q: int,
    sample_lengths: tuple[int, ...],
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Return what each token reads of its own sample up to itself.

    Args:
        module: the attention layer that asks.
        query: of shape (1, heads, tokens, size of a head).
        key: of shape (1, heads of keys, tokens, size of a head).
        value: as `key`.
        attention_mask: none.
        cu_seq_lens_q: see `Samples`.
        max_length_q: tokens of the longest sample.
        sample_lengths: see `Samples`.
        scaling: of the scores.
        dropout: must be 0.
        sliding_window: how many tokens back a token reads, itself included.
        others: what else the model hands over.

    Returns:
        A tensor of shape (1, tokens, heads, size of a head), and no weights.

    Raises:
        RunError: the model asks for what would be left out.
    """
    asked = [name for name in _UNKNOWN if others.get(name) is not None]
    asked += ["attention dropout"] if dropout else []
    if asked:
        raise RunError(
            Reason.INVALID_SPEC,
            f"{type(module).__name__} needs {asked[0]}, which attention over packed samples does"
            " not have: choose another model",
        )
    # Rotation by float32 angles leaves queries wider than values where autocast is on.
    parts = (query.to(value.dtype), key.to(value.dtype), value)
    how: dict[str, Any] = {"scale": scaling, "enable_gqa": query.shape[1] != key.shape[1]}
    if value.is_cuda and value.dtype in _KERNEL_TYPES:
        samples = (cu_seq_lens_q, max_length_q)
        return _by_kernel(parts, samples, window=sliding_window, **how), None
    return _by_sample(parts, sample_lengths, window=sliding_window, **how), None


def _by_kernel(
    parts: tuple[Tensor, ...], samples: tuple[Tensor, int], *, window: int | None, **how: Any
) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn  # noqa: PLC0415  (for GPUs)

    boundaries, longest = samples
    query, key, value = (each[0].transpose(0, 1).contiguous() for each in parts)
    read = varlen_attn(
        query,
        key,
        value,
        boundaries,
        boundaries,
        longest,
        longest,
        window_size=(-1 if window is None else window - 1, 0),
        **how,
    )
    assert isinstance(read, torch.Tensor)  # nothing more was asked for
    return read.unsqueeze(0)


def _by_sample(
    parts: tuple[Tensor, ...], lengths: tuple[int, ...], *, window: int | None, **how: Any
) -> Tensor:
    read = [
        functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=None if window is None else _band(query, window),
            is_causal=window is None,
            **how,
        )
        for query, key, value in zip(
            *(torch.split(each, list(lengths), dim=2) for each in parts), strict=True
        )
    ]
    return torch.cat(read, dim=2).transpose(1, 2)


def _band(query: Tensor, window: int) -> Tensor:
    place = torch.arange(query.shape[2], device=query.device)
    back = place[:, None] - place[None, :]
    return (back >= 0) & (back < window)


AttentionInterface.register(NAME, packed_attention)
