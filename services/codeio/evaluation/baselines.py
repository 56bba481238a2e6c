"""Scores that need no model: guessing, always saying the same, copying an argument.

A gain that they explain is none.
"""

from __future__ import annotations

import ast
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.evaluation.rows import Question
    from codeio.evaluation.suites import Suite
    from codeio.training_run.data.reading import Values

CHANCE = "guessing"
COMMONEST = "the commonest answer"
COPY = "the best copy of an argument"


def baselines_of(
    suite: Suite, questions: Sequence[Question], targets: Sequence[str]
) -> dict[str, float]:
    """Return the scores by what is done; the last two know the answers in choosing.

    The commonest answer is that of each part of a suite. The copy is right where
    any argument equals the output, as if one knew which.
    """
    if suite.chance is not None:
        return {CHANCE: suite.chance}
    if suite.name == "bbh":
        return {COMMONEST: _commonest([each.part.task for each in questions], targets)}
    if suite.name not in {"cruxeval-o", "leetcode-o", "held-out-output"}:
        return {}
    pairs = [_pair(suite.name, question.row) for question in questions]
    outputs = [output for _, output in pairs]
    copies = sum(output in arguments for arguments, output in pairs)
    return {
        COMMONEST: _commonest([""] * len(outputs), outputs),
        COPY: copies / len(pairs),
    }


def _commonest(parts: Sequence[str], targets: Sequence[str]) -> float:
    counts: dict[str, Counter[str]] = {}
    for part, target in zip(parts, targets, strict=True):
        counts.setdefault(part, Counter())[target] += 1
    return sum(each.most_common(1)[0][1] for each in counts.values()) / len(targets)


def _pair(name: str, row: Values) -> tuple[set[str], str]:
    """Return the arguments and the output, as canonical texts."""
    if name == "cruxeval-o":
        return _literal_arguments(row["input"]), _literal(row["output"])
    if name == "leetcode-o":
        given, output = row["input"], row["output"]
    else:
        info = json.loads(row["verification_info"])
        given, output = info["input_json"], info["output_json"]
    arguments: dict[str, Any] = json.loads(given)
    return {_canonical(value) for value in arguments.values()}, _canonical(json.loads(output))


def _canonical(value: Any) -> str:
    """Return a text that is the same for what a verifier holds equal, but for rounding."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return list(map(_plain, value))
        case dict():
            return {key: _plain(each) for key, each in value.items()}
    return value


def _literal_arguments(source: str) -> set[str]:
    match ast.parse(f"f({source})", mode="eval").body:
        case ast.Call(args=args, keywords=keywords):
            return {ast.unparse(each) for each in (*args, *(key.value for key in keywords))}
    return set()


def _literal(source: str) -> str:
    return ast.unparse(ast.parse(source, mode="eval").body)
