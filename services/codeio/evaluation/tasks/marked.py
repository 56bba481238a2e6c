"""Answers that end in a mark, before which a model may reason."""

from __future__ import annotations

import re

_DOUBLE = re.compile(r"\[\[\s*(.*?)\s*\]\](?!\])", re.DOTALL)
# What else follows a backslash opens and closes nothing, as in `\{1, 2\}`.
_BRACE = re.compile(r"\\(f?boxed|text)\{|\\.|[{}]", re.DOTALL)


def marked(text: str) -> str | None:
    """Return what the last double brackets hold, or else the last box."""
    found = _DOUBLE.findall(text) or boxes(text)
    return str(found[-1]) if found else None


def boxes(text: str) -> list[str]:
    r"""Return what closed boxes hold, in the order of their beginnings; `\text` is taken off."""
    signs = list(text)
    opened: list[re.Match[str]] = []
    found: dict[int, str] = {}
    for brace in _BRACE.finditer(text):
        if brace[1] or brace[0] == "{":
            opened.append(brace)
        elif brace[0] == "}" and opened:
            start = opened.pop()
            if start[1] == "text":
                for each in (start, brace):
                    signs[each.start() : each.end()] = [""] * len(each[0])
            elif start[1]:
                found[start.end()] = "".join(signs[start.end() : brace.start()]).strip()
    return [found[place] for place in sorted(found)]
