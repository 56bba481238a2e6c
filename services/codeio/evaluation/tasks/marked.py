"""Answers that end in a mark, before which a model may reason."""

from __future__ import annotations

import re

_DOUBLE = re.compile(r"\[\[\s*(.*?)\s*\]\](?!\])", re.DOTALL)
_BOXED = re.compile(r"\\boxed\{(.*?)\}", re.DOTALL)


def marked(text: str) -> str | None:
    """Return what the last double brackets hold, or else the last box."""
    found = _DOUBLE.findall(text) or _BOXED.findall(text)
    return str(found[-1]) if found else None
