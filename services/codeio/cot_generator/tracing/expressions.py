"""Expressions with their values put in: `(lo + hi) // 2 = (0 + 7) // 2 = 7 // 2 = 3`."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from codeio.runtime.trace import ELISION, Step, Trace, claim_value, position
from codeio.v1.records_pb2 import Claim

if TYPE_CHECKING:
    from collections.abc import Sequence

# A value that has no literal, such as a function, in the text of a value.
_OPAQUE = re.compile(r"(?:^|[\[({:= ])<\w")

N = TypeVar("N", bound=ast.AST)

_OPERATORS = (
    ast.BinOp | ast.UnaryOp | ast.Compare | ast.Call | ast.Subscript | ast.IfExp | ast.BoolOp
)


class Fact(NamedTuple):
    """A claim in the making: what is stated of a step of the run that is told."""

    kind: Claim.Kind
    step: int
    line: int
    subject: str
    text: str
    """The value as the trace has it."""

    def claim(self, input_json: str) -> Claim:
        return Claim(
            kind=self.kind,
            input_json=input_json,
            step=self.step,
            line=self.line,
            subject=self.subject,
            value_json=claim_value(self.text),
        )


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of text and what it states."""

    text: str
    facts: tuple[Fact, ...] = ()


class Reading:
    """What one step of a trace says about the expressions of its statement."""

    def __init__(self, trace: Trace, step: Step, *, width: int, staged: bool = True) -> None:
        self.trace = trace
        self.step = step
        self.staged = staged
        """Whether the stages between an expression and its value are told."""
        self.width = width
        """Longest text of a value that is put into an expression."""

    def shown(self, text: str | None) -> bool:
        """Tell whether a value's text is complete and short enough to be told."""
        return (
            text is not None
            and ELISION not in text
            and len(text) <= self.width
            and _OPAQUE.search(text) is None
        )

    def fact(self, kind: Claim.Kind, subject: str, text: str, *, step: Step | None = None) -> Fact:
        at = step or self.step
        return Fact(kind, at.index, at.statement.line, subject, text)

    def value(self, node: ast.expr) -> str | None:
        """Return what an expression evaluated to in this step, where it has one value."""
        if isinstance(node, ast.Constant):
            return repr(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
            return ast.unparse(node)
        if isinstance(node, ast.Name):
            return self._name(node.id)[0]
        texts = self.step.values.get(position(node), ())
        return texts[0] if len(texts) == 1 else None

    def told(self, node: ast.expr) -> Said | None:
        """Return an expression's value as a fact, where it may be told."""
        text = self.value(node)
        if text is None or not self.shown(text):
            return None
        if isinstance(node, ast.Constant | ast.UnaryOp) and position(node) not in self.step.values:
            return Said(text)
        if isinstance(node, ast.Name):
            step = self._name(node.id)[1]
            return Said(text, (self.fact(Claim.KIND_VALUE, node.id, text, step=step),))
        return Said(text, (self.fact(Claim.KIND_VALUE, ast.unparse(node), text),))

    def _name(self, name: str) -> tuple[str | None, Step]:
        """Return a variable's value before the statement, and the step that gave it."""
        changed = self.trace.changed(name, frame=self.step.frame, before=self.step.index)
        if changed is None:
            return self.trace.constants.get(name), self.step
        step = self.trace.steps[changed]
        return step.changes[name], step

    def outcome(self, test: ast.expr) -> bool | None:
        outcomes = self.step.outcomes.get(position(test), ())
        return outcomes[0] if len(outcomes) == 1 else None

    def chain(self, node: ast.expr, *, limit: int = 90) -> Said:
        """Return the expression, its stages with more and more values put in, and its value.

        A stage that says nothing new, or is longer than `limit`, is left out.
        """
        source = ast.unparse(node)
        stages = [Said(source if len(source) <= limit else _clipped(source, limit))]
        if not isinstance(node, ast.Constant | ast.Name):
            stages += [stage for stage in self.stages(node) if len(stage.text) <= limit]
        final = self.told(node)
        if final is not None and not final.text.startswith("range("):
            stages.append(final)
        texts = [stage.text for stage in stages]
        kept = [stage for place, stage in enumerate(stages) if stage.text not in texts[:place]]
        return join(kept, " = ")

    def stages(self, node: ast.expr) -> list[Said]:
        """Return the expression with values put in, from the names up to the last operation."""
        if not self.staged:
            return []
        top = height(node)
        levels = sorted({0, top - 1}) if top > 3 else range(top)
        return [self.substituted(node, level) for level in levels]

    def put(self, node: ast.expr) -> Said:
        """Return a plain operand's value, or an expression with the values of its names put in."""
        told = self.told(node) if height(node) == 0 else None
        return self.substituted(node) if told is None else told

    def substituted(self, node: ast.expr, level: int = 0) -> Said:
        """Return the expression with every part up to the given height replaced by its value."""
        writer = _Substitution(self, level)
        tree = writer.rewritten(_cloned(node))
        return Said(ast.unparse(tree), tuple(writer.facts))


def _cloned(node: N) -> N:
    """Copy an expression, positions and all; far faster than `copy.deepcopy`."""
    clone = node.__class__.__new__(node.__class__)
    for name, value in vars(node).items():
        part = value
        if isinstance(value, ast.AST):
            part = _cloned(value)
        elif isinstance(value, list):
            part = [_cloned(item) if isinstance(item, ast.AST) else item for item in value]
        setattr(clone, name, part)
    return clone


def _clipped(source: str, limit: int) -> str:
    return source[: limit - 2] + " …"


class _Substitution(ast.NodeTransformer):
    """Replaces parts of a copied expression by the texts of their values."""

    def __init__(self, reading: Reading, level: int) -> None:
        self.reading = reading
        self.level = level
        self.facts: list[Fact] = []
        self.bound: set[str] = set()

    def rewritten(self, node: ast.expr) -> ast.expr:
        """Return the expression with its parts replaced, itself excepted."""
        return self._parts(node)

    def visit(self, node: ast.AST) -> ast.AST:
        return self._visited(node) if isinstance(node, ast.expr) else self.generic_visit(node)

    def _visited(self, node: ast.expr, *, operand: bool = False) -> ast.expr:
        if isinstance(node, ast.Constant | ast.Lambda | ast.JoinedStr | ast.NamedExpr):
            return node
        if height(node) <= self.level:
            replaced = self._replaced(node, operand=operand)
            if replaced is not None:
                return replaced
        return self._parts(node)

    def _parts(self, node: ast.expr) -> ast.expr:
        match node:
            case ast.Constant() | ast.Lambda() | ast.JoinedStr() | ast.NamedExpr():
                pass
            case ast.BinOp():
                node.left = self._visited(node.left, operand=True)
                node.right = self._visited(node.right, operand=True)
            case ast.UnaryOp():
                node.operand = self._visited(node.operand, operand=True)
            case ast.Call():
                self._call(node)
            case ast.Attribute():
                node.value = self._base(node.value)
            case ast.Subscript():
                node.value = self._base(node.value)
                node.slice = self._visited(node.slice)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                # The first iterable alone is evaluated outside of the comprehension.
                first = node.generators[0]
                first.iter = self._visited(first.iter)
            case _:
                self.generic_visit(node)
        return node

    def _replaced(self, node: ast.expr, *, operand: bool) -> ast.expr | None:
        if not isinstance(getattr(node, "ctx", None) or ast.Load(), ast.Load):
            return None
        told = self.reading.told(node)
        if told is None or (told.text[:1] in _LONG and len(told.text) > _PART_WIDTH):
            return None
        self.facts += told.facts
        text = f"({told.text})" if operand and told.text.startswith("-") else told.text
        return ast.Name(id=text, ctx=ast.Load())

    def _base(self, node: ast.expr) -> ast.expr:
        # `nums[2]` reads better than `[4, 8, 15][2]`.
        return node if isinstance(node, ast.Name) else self._visited(node)

    def _call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute):
            receiver = node.func.value
            text = self.reading.value(receiver) or ""
            if not isinstance(receiver, ast.Name) or text[:1] in ("'", '"'):
                node.func.value = self._visited(receiver)
        node.args = [self._visited(argument) for argument in node.args]
        for keyword in node.keywords:
            keyword.value = self._visited(keyword.value)


# Values that are put into an expression only when they are short.
_LONG = frozenset("[({'\"ABCDEFGHIJKLMNOPQRSTUVWXYZd")
_PART_WIDTH = 36


def height(node: ast.AST) -> int:
    """Return how many operations lie on top of one another: 0 for names, elements, attributes."""
    if isinstance(node, ast.Name | ast.Constant | ast.Attribute | ast.Lambda | ast.JoinedStr):
        return 0
    if isinstance(node, ast.Subscript):
        return 1 if isinstance(node.slice, ast.Slice) else 0
    if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
        return 0
    below = max((height(child) for child in ast.iter_child_nodes(node)), default=0)
    return below + (1 if isinstance(node, _OPERATORS) else 0)


def join(parts: Sequence[Said], separator: str) -> Said:
    return Said(
        separator.join(part.text for part in parts),
        tuple(fact for part in parts for fact in part.facts),
    )
