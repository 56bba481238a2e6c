"""The names that a run may ask to be measured by; `codeio.evaluation` has the suites themselves."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

SuiteName = Literal[
    "bbh",
    "cruxeval-i",
    "cruxeval-o",
    "leetcode-o",
    "zebralogic",
    "korbench",
    "gsm8k",
    "math",
    "winogrande",
    "drop",
    "gpqa",
    "mmlu-stem",
    "livebench",
]
Category = Literal["symbolic", "logic", "mathematical", "commonsense", "scientific", "livebench"]

SUITES: tuple[SuiteName, ...] = get_args(SuiteName)
"""In the order of a report."""
CATEGORIES: tuple[Category, ...] = get_args(Category)


def unknown(name: str, known: Iterable[str], what: str) -> str:
    """Return what is told of a name that is not among those that are known."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"choose among {', '.join(known)}"
    return f"there is no {what} {name!r}; {hint}"
