"""Names for what goes wrong in a program: the reasons of rejections, whichever stage ran it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from codeio.v1.execution_pb2 import CallResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

_MISSING_MODULE = re.compile(r"No module named '([^'.]+)")

_NAMES = {
    Outcome.OUTCOME_NOT_JSON: "not_json",
    Outcome.OUTCOME_TOO_LARGE: "output_too_large",
    Outcome.OUTCOME_CPU_TIMEOUT: "timeout",
    Outcome.OUTCOME_WALL_TIMEOUT: "wall_timeout",
    Outcome.OUTCOME_MEMORY: "out_of_memory",
    Outcome.OUTCOME_OUTPUT_FLOOD: "output_flood",
    Outcome.OUTCOME_EXITED: "exited",
    Outcome.OUTCOME_CRASHED: "crashed",
}
# Reading the clock shows in the output or it does not matter; the rest is forbidden.
_IMPURE = {"file:read": "file", "file:write": "file", "network": "network", "process": "process"}


def refusal(result: CallResult) -> tuple[str, str]:
    """Return reason and detail for a result that makes no pair; ('', '') for one never reached."""
    detail = ": ".join(part for part in (result.error_type, result.error_message) if part)
    match result.outcome:
        case Outcome.OUTCOME_UNSPECIFIED:
            return "", ""
        case Outcome.OUTCOME_OK if result.near_limit:
            return "timeout", f"it took {result.cpu_seconds:.1f} s, too close to the limit"
        case Outcome.OUTCOME_OK:
            return "mutates_argument", "it returns nothing and leaves its result in an argument"
        case Outcome.OUTCOME_RAISED:
            return f"raised:{result.error_type}", detail
        case Outcome.OUTCOME_LOAD_FAILED:
            missing = _MISSING_MODULE.match(result.error_message)
            if missing:
                return f"missing_package:{missing[1]}", detail
            return f"load_failed:{result.error_type}", detail
        case outcome:
            return _NAMES[outcome], detail


def impurity(results: Iterable[CallResult]) -> str:
    """Return the first forbidden effect of any call; empty when there is none."""
    for result in results:
        for effect in result.effects:
            if effect in _IMPURE:
                return _IMPURE[effect]
    return ""
