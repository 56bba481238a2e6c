"""Which of a file's programs are worth keeping."""

from __future__ import annotations

import ast
import math
from typing import TYPE_CHECKING

from codeio.runtime import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.normalizer.trials import Trial


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Return the programs worth having, best first, no two alike.

    Many distinct outputs and much logic that the inputs reach come first;
    trivial ones (no decision, no loop) last. Programs that mostly give one of
    their inputs back are left out.
    """
    unique: dict[str, Trial] = {}
    for trial in sorted(trials, key=_worth, reverse=True):
        if gives_back(trial.inputs, trial.outputs):
            continue
        if not any(_wraps(trial, kept) for kept in unique.values()):
            unique.setdefault(_fingerprint(trial), trial)
    return sorted(unique.values(), key=is_trivial)


def _wraps(trial: Trial, other: Trial) -> bool:
    """Tell whether one of two programs merely calls the other."""
    if trial.inputs != other.inputs or trial.outputs != other.outputs:
        return False
    mine, its = (t.unit.name.split(".")[-1] for t in (trial, other))
    return mine != its and (f"{mine}(" in other.program or f"{its}(" in trial.program)


def is_trivial(trial: Trial) -> bool:
    return not trial.unit.logic


def _worth(trial: Trial) -> float:
    variety = min(trial.distinct, 10) / 10
    logic = 0.4 * math.log1p(min(trial.unit.logic, 12)) * trial.coverage
    return variety + logic + 0.1 * bool(trial.examples)


def gives_back(inputs: Sequence[str], outputs: Sequence[str]) -> bool:
    """Tell whether outputs mostly are one of the arguments; both are JSON texts."""
    same = sum(
        any(values.equal(item, values.loads(output)) for item in values.loads(text).values())
        for text, output in zip(inputs, outputs, strict=True)
    )
    return same > 0.8 * len(inputs)


def _fingerprint(trial: Trial) -> str:
    """Return the code with its names replaced in order of appearance."""
    names: dict[str, str] = {}
    tree = ast.parse(trial.program)
    for node in ast.walk(tree):
        for field in ("id", "name", "arg", "attr"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                setattr(node, field, names.setdefault(value, f"n{len(names)}"))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" in node.value:
            node.value = ""
    return ast.dump(tree)
