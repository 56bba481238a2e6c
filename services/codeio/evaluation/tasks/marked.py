"""Answers that end in a mark, before which a model may reason."""

from __future__ import annotations

import re

_DOUBLE = re.compile(r"\[\[\s*(.*?)\s*\]\](?!\])", re.DOTALL)
# A brace that is a sign of its own, as in `\{1, 2\}`, opens and closes nothing.
_BRACE = re.compile(r"\\f?boxed\{|(?<!\\)[{}]")
_TEXT = re.compile(r"\\text\{([^{}]*)\}")


def marked(text: str) -> str | None:
    """Return what the last double brackets hold, or else the last box."""
    found = _DOUBLE.findall(text) or boxes(text)
    return str(found[-1]) if found else None


def boxes(text: str) -> list[str]:
    r"""Return what closed boxes hold, in the order of their beginnings; `\text` is taken off."""
    opened: list[re.Match[str]] = []
    found: dict[int, str] = {}
    for brace in _BRACE.finditer(text):
        if brace[0] != "}":
            opened.append(brace)
        elif opened and (start := opened.pop())[0] != "{":
            found[start.end()] = text[start.end() : brace.start()]
    return [_TEXT.sub(r"\1", found[place]).strip() for place in sorted(found)]
