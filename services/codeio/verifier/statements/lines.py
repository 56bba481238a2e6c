"""The lines of a rationale: what is a heading, a bullet, a table row, a code line, the answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

LineKind: TypeAlias = Literal["text", "heading", "bullet", "row", "code"]

MAX_LENGTH = 100_000
"""Characters of a rationale that are read; what comes after them is not checked."""

_BULLET = re.compile(r"([ \t]*)(?:[-*+•◦▪–]|\(?\d{1,4}[.)]|[a-z][.)])[ \t]+")
_HEADING = re.compile(r"[ \t]{0,3}(#{1,6})[ \t]+")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)[ \t]*([\w+-]{0,20})")
_TAG = re.compile(r"[ \t]*</?[a-zA-Z]{1,20}>[ \t]*")
_SEPARATOR = re.compile(r"[ \t]*\|?[ \t]*:?-{2,}[-:| \t]*\Z")
_WRITTEN = re.compile(
    r"[ \t]*(?:(?:async )?def |class |@\w|import |from \w{1,40} import|print ?\()"
)
_COMMENT = re.compile(r"([ \t]*)(?:#|//)+[ \t]*")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the text without its mark."""

    kind: LineKind
    start: int
    end: int
    indent: int
    """Depth; headings stand highest."""
    whole: int
    """Where the line begins, mark included."""
    written: bool = False
    """Whether it is of a code block that defines or calls something: code, not what it did."""


def lines(text: str) -> list[Line]:
    """Return the lines that can hold statements, the final answer's block left out."""
    return list(_lines(text[:MAX_LENGTH]))


def cells(text: str, line: Line) -> list[tuple[int, int]]:
    """Return where the cells of a table row lie, white space left out."""
    found: list[tuple[int, int]] = []
    at = line.start
    for piece in text[line.start : line.end].split("|"):
        start = at + len(piece) - len(piece.lstrip())
        found.append((start, max(start, at + len(piece.rstrip()))))
        at += len(piece) + 1
    if found and text[line.start : line.end].lstrip().startswith("|"):
        found = found[1:]
    if found and text[line.start : line.end].rstrip().endswith("|"):
        found = found[:-1]
    return found


def is_separator(text: str, line: Line) -> bool:
    return bool(_SEPARATOR.match(text[line.start : line.end].strip()))


def _lines(text: str) -> Iterator[Line]:
    answer = _final_block(text)
    fenced = written = False
    position = 0
    pieces = text.splitlines(keepends=True)
    definitions = _definitions(pieces)
    for number, piece in enumerate(pieces):
        start, end = position, position + len(piece.rstrip("\r\n"))
        position += len(piece)
        content = text[start:end]
        if answer and answer[0] <= start < answer[1]:
            continue
        if _FENCE.match(content):
            fenced = not fenced
            written = number in definitions
            continue
        if not content.strip() or _TAG.fullmatch(content):
            continue
        line = _line(content, start, end, fenced=fenced)
        yield replace(line, written=True) if fenced and written else line


def _definitions(pieces: list[str]) -> set[int]:
    """Return the opening fences of the code blocks that hold a program."""
    found: set[int] = set()
    opening: int | None = None
    for number, piece in enumerate(pieces):
        if _FENCE.match(piece):
            opening = number if opening is None else None
        elif opening is not None and _WRITTEN.match(piece):
            found.add(opening)
    return found


def _line(content: str, start: int, end: int, *, fenced: bool) -> Line:
    if content.lstrip().startswith("|") or (content.count("|") >= 2 and not fenced):
        return Line("row", start, end, 1, start)
    if fenced:
        comment = _COMMENT.match(content)
        shift = comment.end() if comment else 0
        return Line("code", start + shift, end, 1 + len(content) - len(content.lstrip()), start)
    if heading := _HEADING.match(content):
        return Line("heading", start + heading.end(), end, len(heading[1]) - 10, start)
    if bullet := _BULLET.match(content):
        depth = len(bullet[1].expandtabs(4))
        return Line("bullet", start + bullet.end(), end, 1 + depth, start)
    depth = len(content.expandtabs(4)) - len(content.expandtabs(4).lstrip())
    return Line("text", start, end, depth, start)


def _final_block(text: str) -> tuple[int, int] | None:
    """Return the extent of a code block at the end that holds JSON and nothing else."""
    stripped = text.rstrip()
    if not stripped.endswith("```"):
        return None
    opening = stripped.rfind("```", 0, len(stripped) - 3)
    if opening < 0:
        return None
    body = stripped[opening + 3 : -3].strip()
    language, _, rest = body.partition("\n")
    if language.strip().lower() in ("json", "python", "text"):
        body = rest
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return None
    return opening, len(stripped)
