"""The names that a run may ask to be measured by; `codeio.evaluation` has the suites themselves."""

from __future__ import annotations

from typing import Literal, get_args

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
