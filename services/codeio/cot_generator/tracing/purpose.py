"""What a program is for, in its author's words."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codeio.v1.records_pb2 import Program

_SECTION = re.compile(
    r"^\s*(:\w|@\w|-{3,}|>>>|(Parameters|Args|Arguments|Input|Inputs|Returns?|Output|Example|Examples)\b\s*:?)",
    re.IGNORECASE,
)

_CODE = re.compile(r"-->|[\[\]{}=]|\(\)|^\W")


def purpose_of(program: Program) -> str:
    """Return a sentence on what the program does; empty where nobody said."""
    return _docstring(program) or ""


def _docstring(program: Program) -> str:
    for node in ast.walk(ast.parse(program.code)):
        if isinstance(node, ast.FunctionDef) and node.name == program.entry_point:
            text = ast.get_docstring(node) or ""
            return first_sentence(text)
    return ""


def first_sentence(text: str) -> str:
    lines: list[str] = []
    for line in text.strip().splitlines():
        if _SECTION.match(line) or (lines and not line.strip()):
            break
        lines.append(line.strip())
    joined = " ".join(lines)
    sentence = re.split(r"(?<=[.!?])\s+(?=[A-Z])", joined)[0].strip()
    if not 12 <= len(sentence) <= 200 or sentence.endswith(":") or _CODE.search(sentence):
        return ""
    return sentence if sentence[-1] in ".!?" else sentence + "."
