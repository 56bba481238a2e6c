"""What is prose and what is fenced code in a reply."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([^`\n]*)$")


@dataclass(frozen=True)
class Line:
    """A line outside of fenced blocks."""

    text: str


@dataclass(frozen=True)
class Block:
    """A fenced block; the last one of a reply may lack its closing fence."""

    language: str
    text: str
    closed: bool

    @property
    def source(self) -> str:
        """The block as it stood in the reply."""
        return f"```{self.language}\n{self.text}{'```' if self.closed else ''}"


Part: TypeAlias = Line | Block


def parts(reply: str) -> Iterator[Part]:
    """Yield the lines and blocks of a reply in order."""
    lines = iter(reply.replace("\r\n", "\n").split("\n"))
    for line in lines:
        fence = _FENCE.match(line)
        if fence is None:
            yield Line(line)
            continue
        inside: list[str] = []
        closed = False
        for inner in lines:
            end = _FENCE.match(inner)
            if end and not end[2] and end[1].startswith(fence[1]):
                closed = True
                break
            inside.append(inner)
        yield Block(fence[2].strip(), "".join(f"{text}\n" for text in inside), closed)
