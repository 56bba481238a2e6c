"""Questions about made-up rules; how an answer is compared depends on its kind.

The authors have more rules, for single questions by number. These are those for
whole kinds, so that a score may be a little lower than theirs.
"""

from __future__ import annotations

import ast
import operator
import re
from typing import Any

from codeio.evaluation.tasks.marked import marked

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    said, truth = marked(results[0]), marked(doc["answer"]) or doc["answer"]
    right = said is not None and _right(said, truth, doc["category"], str(doc["rule_id"]))
    return {"exact_match": float(right)}


def _right(said: str, truth: str, kind: str, rule: str) -> bool:
    if kind == "logic":
        return _without(said, r"[\s\".]") == _without(truth, r"[\s\".]")
    if kind == "puzzle":
        return _puzzle_right(said, truth, rule)
    if _without(said, r"[\s\"\[\]]") == _without(truth, r"[\s\"\[\]]"):
        return True
    if kind != "operation":
        return False
    ways, their_ways = (re.split(r"\bor\b", text) for text in (said, truth))
    if len(ways) > 1 or len(their_ways) > 1:
        return sorted(map(_bare, ways)) == sorted(map(_bare, their_ways))
    return _equivalent(said, truth)


def _puzzle_right(said: str, truth: str, rule: str) -> bool:
    if rule in {"2", "4"}:  # any of several words
        return _letters(said) in {_letters(each) for each in truth.split(",")}
    if rule in {"3", "5"}:  # in any order
        return sorted(re.findall(r"\w+", said.lower())) == sorted(re.findall(r"\w+", truth.lower()))
    if rule in {"9", "10"}:  # a sum that works out, of the same numbers or signs
        ours, theirs = (text.partition("=")[0] for text in (said, truth))
        marks = r"[-+*/×−]" if rule == "9" else r"\w"
        return sorted(re.findall(marks, ours)) == sorted(re.findall(marks, theirs)) and (
            _computed(ours) is not None and _computed(ours) == _computed(theirs)
        )
    if rule == "1":
        return _letters(said) == _letters(truth)
    return _bare(said) == _bare(truth)


def _without(text: str, unwanted: str) -> str:
    return re.sub(unwanted, "", text)


def _bare(text: str) -> str:
    return _without(text, r"\W+")


def _letters(text: str) -> str:
    return _without(text, r"[^A-Za-z]").lower()


def _equivalent(said: str, truth: str) -> bool:
    from math_verify import parse, verify  # noqa: PLC0415  (slow)

    return bool(verify(parse(f"${truth}$"), parse(f"${said}$")))


def _computed(text: str) -> float | None:
    try:
        tree = ast.parse(text.replace("×", "*").replace("−", "-").strip(), mode="eval")
        return round(_value(tree.body), 9)
    except (SyntaxError, ValueError, ArithmeticError, RecursionError):
        return None


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return float(_OPERATORS[type(sign)](_value(left), _value(right)))
    raise ValueError("no sum")
