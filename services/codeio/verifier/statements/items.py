"""Tokens gathered to items: expressions, words and signs.

An expression is what a program or a calculation could hold: a literal, a variable of
the program, a call, arithmetic. Comparisons and equations are left as signs between
expressions in prose; inside brackets everything goes that Python can parse.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

from codeio.verifier.statements.evaluation import UnevaluableError, evaluate

ItemKind: TypeAlias = Literal["expression", "word", "sign"]

NO_VALUE = object()


@dataclass(frozen=True)
class Item:
    """One item of a sentence."""

    kind: ItemKind
    text: str
    start: int
    end: int
    code: bool = False
    spaced: bool = True
    joined: bool = False
    """Whether it is a comparison that signs in the text join, not one piece of code."""
    node: ast.expr | None = field(default=None, compare=False)
    value: Any = field(default=NO_VALUE, compare=False)
    """The value of an expression without names."""

    @property
    def literal(self) -> bool:
        """Whether it is an expression whose value needs no program."""
        return self.value is not NO_VALUE

    @property
    def name(self) -> str:
        """The variable that it is, or nothing."""
        return self.node.id if isinstance(self.node, ast.Name) else ""

    @cached_property
    def lower(self) -> str:
        return self.text.lower()

    @cached_property
    def plain(self) -> bool:
        """Whether it is written as a literal, with nothing to work out."""
        return self.literal and not any(
            isinstance(part, ast.BinOp | ast.Call | ast.Subscript | ast.Compare)
            for part in ast.walk(self.node or ast.Constant(0))
        )


def with_comparisons(items: list[Item]) -> list[Item]:
    """Join expressions that comparison signs stand between."""
    found: list[Item] = []
    for item in items:
        found.append(item)
        while (
            len(found) >= 3
            and found[-1].kind == found[-3].kind == "expression"
            and found[-2].text in _COMPARISONS
            and (joined := _joined(found[-3], found[-2].text, found[-1])) is not None
        ):
            found[-3:] = [joined]
    return found


_COMPARISONS: dict[str, ast.cmpop] = {
    "==": ast.Eq(), "!=": ast.NotEq(), "<": ast.Lt(), "<=": ast.LtE(), ">": ast.Gt(),
    ">=": ast.GtE(),
}  # fmt: skip


def _joined(left: Item, sign: str, right: Item) -> Item | None:
    if left.node is None or right.node is None or isinstance(right.node, ast.Compare | ast.BoolOp):
        return None
    op = _COMPARISONS[sign]
    if isinstance(left.node, ast.Compare) and not left.text.startswith("("):
        chained = ast.Compare(
            left.node.left, [*left.node.ops, op], [*left.node.comparators, right.node]
        )
    else:
        chained = ast.Compare(left.node, [op], [right.node])
    text = f"{left.text} {sign} {right.text}"
    return replace(
        left, text=text, end=right.end, joined=True, node=chained, value=literal_value(chained)
    )


def literal_value(node: ast.expr) -> Any:
    try:
        return evaluate(node, {})
    except UnevaluableError:
        return NO_VALUE
