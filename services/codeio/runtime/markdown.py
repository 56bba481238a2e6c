"""Texts in Markdown."""

from __future__ import annotations

import re


def fenced(text: str, language: str = "") -> str:
    """Return the text as a block whose fence is longer than any inside."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
