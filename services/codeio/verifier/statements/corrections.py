"""What the text itself takes back, and what its own wrong answer shows to be meant."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codeio.verifier.statements.evaluation import OPAQUE, literal_of
from codeio.verifier.statements.judging import Statement, Support
from codeio.verifier.statements.stated import alike

if TYPE_CHECKING:
    from collections.abc import Sequence

_REACH = 250
_MOST_BETWEEN = 40
_TAIL = 4000
_TAKES_BACK = re.compile(
    r"""[^\n]{0,80}?(?P<mark>
        \b(?:scrap[ ]that|scratch[ ]that|on[ ]second[ ]thought)\b
      | \b(?:hold[ ]on|oops|my[ ]mistake|correction|oh[ ]wait)\b
      | \bthat's[ ](?:wrong|not[ ]right)\b
      | \b(?:hmm+|wait|actually|sorry|oh)\b[,.! …]{0,4}[ ]?(?:hmm|wait|no\b|not\b|is[ ]it)
      | (?<=[.…:;?!—-][ ])no[,:] | (?<=[.…—-])no[,:]
    )""",
    re.VERBOSE | re.IGNORECASE,
)  # fmt: skip


def marked(found: Sequence[Statement], text: str) -> list[Statement]:
    """Mark what the text takes back at once: the statement last made before `wait, no`."""
    starts = sorted(one.start for one in found)
    result = []
    for one in found:
        match = _TAKES_BACK.match(text, one.end, one.end + 120)
        last = match is not None and bisect_left(starts, one.end) == bisect_left(
            starts, match.start("mark")
        )
        result.append(replace(one, corrected=True) if last else one)
    return result


def corrected(found: Sequence[Statement]) -> list[Statement]:
    """Contradict what is taken back where the value that replaces it is the right one."""
    result: list[Statement] = []
    for place, one in enumerate(found):
        replaced = one.corrected and any(
            other.subject == one.subject
            and one.end <= other.start <= one.end + _REACH
            and other.support is Support.SUPPORTED
            and other.stated != one.stated
            and not other.stated.startswith("not ")
            for other in found[place + 1 : place + _MOST_BETWEEN]
        )
        denied = replaced and not one.stated.startswith("not ")
        result.append(replace(one, support=Support.CONTRADICTED) if denied else one)
    return result


def answered(found: Sequence[Statement], text: str, output: Any) -> list[Statement]:
    """Contradict a variable's last statement where the answer repeats it under its name, wrong.

    A value that the variable has at some time is then said of the end.
    """
    answer = _last_object(text)
    if not isinstance(output, dict) or not isinstance(answer, dict):
        return list(found)
    wrong = {
        key: value
        for key, value in answer.items()
        if key in output and not alike(value, output[key])
    }
    last = {one.subject: place for place, one in enumerate(found) if one.subject in wrong}
    return [
        replace(one, support=Support.CONTRADICTED)
        if last.get(one.subject) == place
        and one.support is Support.SUPPORTED
        and _says(one.stated, wrong[one.subject])
        else one
        for place, one in enumerate(found)
    ]


def _says(text: str, value: Any) -> bool:
    said = literal_of(text)
    return said is not OPAQUE and alike(said, value)


def _last_object(text: str) -> Any:
    decoder = json.JSONDecoder()
    tail = text[-_TAIL:]
    found = None
    at = tail.find("{")
    while at >= 0:
        end = at + 1
        with suppress(ValueError, RecursionError):
            found, end = decoder.raw_decode(tail, at)
        at = tail.find("{", end)
    if isinstance(found, dict) and list(found) == ["output"] and isinstance(found["output"], dict):
        return found["output"]
    return found
