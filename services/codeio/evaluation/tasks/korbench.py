"""Questions about made-up rules; how an answer is compared depends on its kind and its rule.

As the authors' evaluator has it, but for this: of several marked answers the last
counts, not the first; one in single brackets does not; formulas are compared by
math-verify, where the authors list the question, by `idx`; a matrix's signs
count; and a word of puzzle 4 must be whole, where theirs may be any piece of it.
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
_BOUND = re.compile(r"([≥≤])\s*(-?\d+(?:\.\d+)?)")
_FORMULAS = frozenset(
    map(
        str,
        (
            *(18, 73, 74, 77, 94, 115, 116, 117, 121, 122, 123, 125, 131, 132, 134, 135, 136),
            *(141, 143, 145, 146, 147, 149, *range(151, 157), 160, 161, 162, 164, 165, 166, 170),
            *(206, 209, *range(211, 216), 217, 218),
        ),
    )
)
"""Operation questions, by `idx`, whose answers may be written in any equivalent form."""


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    said, truth = marked(results[0]), marked(doc["answer"]) or doc["answer"]
    return {"exact_match": float(said is not None and _right(said, truth, doc))}


def _right(said: str, truth: str, doc: dict[str, Any]) -> bool:
    rule = str(doc["rule_id"])
    match doc["category"]:
        case "logic":
            return _logic_right(said, truth, rule)
        case "puzzle":
            return _puzzle_right(said, truth, rule)
        case "operation":
            return _operation_right(said, truth, rule, is_formula=str(doc["idx"]) in _FORMULAS)
    return _plain(said) == _plain(truth)


def _logic_right(said: str, truth: str, rule: str) -> bool:
    ours, theirs = (_without(text, r"[\s\".]") for text in (said, truth))
    if rule == "5":  # the lines of a table, in any order
        return sorted(_lines(ours)) == sorted(_lines(theirs))
    return ours == theirs


def _lines(table: str) -> list[str]:
    return _without(table, r"[\[\]]").split(";")


def _operation_right(said: str, truth: str, rule: str, *, is_formula: bool) -> bool:
    if rule == "18":  # a set
        if bounds := _BOUND.findall(truth):
            return sorted(_BOUND.findall(said)) == sorted(bounds)
        return sorted(_bare(said)) == sorted(_bare(truth))
    if rule in {"23", "24", "25"}:  # a matrix
        ours, theirs = (re.findall(r"-?\d+", text) for text in (said, truth))
        return ours == theirs
    ways, their_ways = _ways(said), _ways(truth)
    if is_formula:
        return len(ways) == len(their_ways) and all(
            any(_equivalent(way, wanted) for way in ways) for wanted in their_ways
        )
    return sorted(ways) == sorted(their_ways)


def _ways(text: str) -> list[str]:
    """Return the values that an unknown may have, which stand as in `3or-3`."""
    return _plain(text).replace(r"\text{or}", "or").split("or")


def _puzzle_right(said: str, truth: str, rule: str) -> bool:
    if rule == "1":
        return _letters(said) == _letters(truth)
    if rule in {"2", "4"}:  # any of several words
        return _letters(said) in {_letters(each) for each in truth.split(",")}
    if rule == "3":  # words in any order
        return sorted(re.findall(r"\w+", said.lower())) == sorted(re.findall(r"\w+", truth.lower()))
    if rule == "5":  # parts in any order
        ours, theirs = (_without(text, r"\s").split(",") for text in (said, truth))
        return sorted(ours) == sorted(theirs)
    if rule in {"9", "10"}:
        return _sum_right(said, truth, in_order=rule == "9")
    if rule == "18":
        return _without(said, r"[,\s\[\]]") == _without(truth, r"[,\s\[\]]")
    return _bare(said) == _bare(truth)


def _sum_right(said: str, truth: str, *, in_order: bool) -> bool:
    """Judge a sum that must work out: of the same signs in their order, or of the same digits."""
    ours, theirs = (
        text.replace("×", "*").replace("−", "-").partition("=")[0] for text in (said, truth)
    )
    if in_order:
        alike = re.findall(r"[-+*/]", ours) == re.findall(r"[-+*/]", theirs)
    else:
        alike = sorted(_bare(ours)) == sorted(_bare(theirs))
    return alike and _computed(ours) is not None and _computed(ours) == _computed(theirs)


def _without(text: str, unwanted: str) -> str:
    return re.sub(unwanted, "", text)


def _plain(text: str) -> str:
    return _without(text, r"[\s\"\[\]]")


def _bare(text: str) -> str:
    return _without(text, r"\W+")


def _letters(text: str) -> str:
    return _without(text, r"[^A-Za-z]").lower()


def _equivalent(said: str, truth: str) -> bool:
    from math_verify import parse, verify  # noqa: PLC0415  (slow)

    ours, theirs = (f"${text.replace('$', '').rpartition('=')[2]}$" for text in (said, truth))
    return bool(verify(parse(theirs), parse(ours)))


def _computed(text: str) -> float | None:
    try:
        return round(_value(ast.parse(text.strip(), mode="eval").body), 9)
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
