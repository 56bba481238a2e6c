"""What a folder holds of earlier evaluations: it is kept where it fits, and else not overwritten.

A table is of one model, or of two, under one set of settings. So suites may be added to a folder,
and fewer may be asked for than it holds; anything else needs another folder.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from codeio.evaluation.measurement import Measured, header_of, read_summary, write_summary
from codeio.evaluation.results import difference, read_result
from codeio.evaluation.suites import all_suites, held_out_suites
from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from codeio.evaluation.measurement import Plan

TABLE = "evaluation.json"


def check_fits(folder: Path, plan: Plan, *, model: Mapping[str, str]) -> None:
    """See that what is measured now can stand beside what a folder holds, answers in part too.

    `model` is what is known of its header.

    Raises:
        UsageError: it cannot; the message says what differs.
        RunError: a local file cannot be used.
    """
    known = all_suites() | held_out_suites()
    for file in sorted(folder.glob("*.jsonl")):
        was = _header_in(file)
        suite = known.get(str(was.get("suite")))
        if suite is None:
            continue
        if why := difference(was, {**model, **header_of(plan, suite)}):
            raise UsageError(
                f"{folder} holds another evaluation, by {suite.name}: {why}; choose another --out"
            )


def earlier_in(folder: Path) -> Measured:
    """Return what a folder holds of suites that were measured to their end."""
    told = read_summary(folder)
    earlier = Measured({}, {}, told[1].left_out if told else {})
    for file in sorted(folder.glob("*.jsonl")):
        if kept := read_result(file):
            earlier.results[kept[1].suite] = kept[1]
    return earlier


def model_in(folder: Path) -> str | None:
    """Return the model that a folder is of, if it holds anything."""
    models = (_header_in(file).get("model") for file in sorted(folder.glob("*.jsonl")))
    return next(filter(None, models), None)


def search_in(out: Path) -> dict[str, Any] | None:
    """Return what a table tells of text that its suites share with training data, if it does."""
    try:
        told = json.loads((out / TABLE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told.get("contamination") if isinstance(told, dict) else None


def together(earlier: Measured, now: Measured, folder: Path) -> Measured:
    """Return, and write down, what was measured now and what is there of other suites.

    Raises:
        RunError: it cannot be written.
    """
    results = earlier.results | now.results
    missing = {name: why for name, why in now.not_measured.items() if name not in results}
    both = Measured(results, missing, earlier.left_out | now.left_out)
    write_summary(folder, both)
    return both


def _header_in(file: Path) -> dict[str, Any]:
    """Return the header of a result or of answers, or nothing where there is none."""
    try:
        with file.open(encoding="utf-8") as lines:
            header = json.loads(lines.readline())
    except (OSError, ValueError):
        return {}
    return header if isinstance(header, dict) else {}
