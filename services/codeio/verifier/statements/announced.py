"""Outputs in a code block of their own, after a line such as `The output is:`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from codeio.verifier.statements.evaluation import OPAQUE, literal_of
from codeio.verifier.statements.judging import Support
from codeio.verifier.statements.lines import MAX_LENGTH
from codeio.verifier.statements.stated import alike

if TYPE_CHECKING:
    from codeio.verifier.statements.context import Context

_LARGEST = 4000
_ANNOUNCED = re.compile(
    r"^[^\n]{0,80}?(?P<said>\b(?:output|result|return value)[ ](?:is|will[ ]be)(?:[ ]then)?:)"
    r"[ \t]*\n\s{0,4}```\w{0,10}[ \t]*\n",
    re.MULTILINE | re.IGNORECASE,
)


def read_announced(context: Context) -> None:
    """Find the outputs that a text shows in blocks of code."""
    text = context.text[:MAX_LENGTH]
    for match in _ANNOUNCED.finditer(text):
        end = text.find("```", match.end(), match.end() + _LARGEST)
        body = text[match.end() : end].strip() if end >= 0 else ""
        value = _value(body)
        if value is OPAQUE or not context.runs:
            continue
        run = context.runs[0]
        unwrapped = (
            value["output"] if isinstance(value, dict) and list(value) == ["output"] else value
        )
        if run.output is OPAQUE or not run.complete:
            support = Support.UNKNOWN
        elif alike(value, run.output) or alike(unwrapped, run.output):
            support = Support.SUPPORTED
        else:
            support = Support.CONTRADICTED
        context.add_at("result", match.start("said"), match.end("said"), "output", body, support)


def _value(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return literal_of(body)
