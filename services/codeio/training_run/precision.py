"""Which devices compute in BFloat16."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def is_slow_in_bfloat16(device: torch.device) -> bool:
    """Return whether a device is a CPU that has no instructions for BFloat16."""
    import torch  # noqa: PLC0415  (the launcher reads this package without it)

    if device.type != "cpu":
        return False
    can = torch.cpu.get_capabilities()
    return not any(can.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
