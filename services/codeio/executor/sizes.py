"""The size limits of the paper on inputs and outputs (section 2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codeio.runtime.settings import LimitsSettings


def oversize(text: str, value: Any, limits: LimitsSettings) -> str:
    """Say in what a value with this JSON text exceeds the limits; empty when it does not."""
    size = len(text.encode())
    if size > limits.value_bytes:
        return f"has {size} bytes, more than {limits.value_bytes}"
    return _oversize(value, limits)


def _oversize(value: Any, limits: LimitsSettings) -> str:
    if isinstance(value, str) and len(value) >= limits.string_chars:
        return f"holds a string of {len(value)} characters, not under {limits.string_chars}"
    if isinstance(value, list | dict):
        if len(value) >= limits.container_items:
            return f"holds a container of {len(value)} items, not under {limits.container_items}"
        for item in value.values() if isinstance(value, dict) else value:
            complaint = _oversize(item, limits)
            if complaint:
                return complaint
    return ""
