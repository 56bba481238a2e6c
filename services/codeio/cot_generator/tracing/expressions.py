"""Expressions with their values put in: `(lo + hi) // 2 = (0 + 7) // 2 = 7 // 2 = 3`."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.runtime.trace import ELISION, Step, Trace, claim_value, position
from codeio.v1.records_pb2 import Claim

if TYPE_CHECKING:
    from collections.abc import Sequence

_OPERATORS = ast.BinOp | ast.UnaryOp | ast.Compare | ast.Call | ast.Subscript | ast.IfExp


@dataclass(frozen=True)
class Said:
    """A piece of text and the claims that it makes."""

    text: str
    claims: tuple[Claim, ...] = ()


class Reading:
    """What one step of a trace says about the expressions of its statement."""

    def __init__(self, trace: Trace, step: Step, *, input_json: str, width: int) -> None:
        self.trace = trace
        self.step = step
        self.input_json = input_json
        self.width = width
        """Longest text of a value that is put into an expression."""

    def shown(self, text: str | None) -> bool:
        """Tell whether a value's text is complete and short enough to be told."""
        return (
            text is not None
            and ELISION not in text
            and len(text) <= self.width
            and not text.startswith("<")
        )

    def claim(
        self, kind: Claim.Kind, subject: str, text: str, *, step: Step | None = None
    ) -> Claim:
        at = step or self.step
        return Claim(
            kind=kind,
            input_json=self.input_json,
            step=at.index,
            line=at.statement.line,
            subject=subject,
            value_json=claim_value(text),
        )

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
        """Return an expression's value with its claim, where it may be told."""
        text = self.value(node)
        if text is None or not self.shown(text):
            return None
        if isinstance(node, ast.Constant | ast.UnaryOp) and position(node) not in self.step.values:
            return Said(text)
        if isinstance(node, ast.Name):
            step = self._name(node.id)[1]
            return Said(text, (self.claim(Claim.KIND_VALUE, node.id, text, step=step),))
        return Said(text, (self.claim(Claim.KIND_VALUE, ast.unparse(node), text),))

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
        final = self.told(node)
        stages = [Said(source)] if len(source) <= limit else []
        if not isinstance(node, ast.Constant | ast.Name):
            stages += [stage for stage in self._stages(node) if len(stage.text) <= limit]
        if final is not None:
            stages.append(final)
        elif len(stages) == 0:
            stages = [Said(source if len(source) <= 2 * limit else source[: limit - 2] + " …")]
        kept = [
            stage
            for stage, after in zip(stages, [*stages[1:], None], strict=True)
            if after is None or stage.text != after.text
        ]
        return join(kept, " = ")

    def _stages(self, node: ast.expr) -> list[Said]:
        height = _height(node)
        levels = sorted({0, height - 1} if height > 3 else set(range(height)))
        return [self.substituted(node, level) for level in levels]

    def substituted(self, node: ast.expr, level: int = 0) -> Said:
        """Return the expression with every part up to the given height replaced by its value."""
        writer = _Substitution(self, level)
        tree = writer.visit(_copy(node)) if level < _height(node) or level == 0 else node
        return Said(ast.unparse(tree), tuple(writer.claims))


class _Substitution(ast.NodeTransformer):
    """Replaces parts of a copied expression by the texts of their values."""

    def __init__(self, reading: Reading, level: int) -> None:
        self.reading = reading
        self.level = level
        self.claims: list[Claim] = []
        self.bound: set[str] = set()
        self.top = True

    def visit(self, node: ast.AST) -> ast.AST:
        top, self.top = self.top, False
        if isinstance(node, ast.Constant):
            return node
        if isinstance(node, ast.Lambda):
            return node
        if isinstance(node, ast.expr) and not top and _height(node) <= self.level:
            replaced = self._replace(node)
            if replaced is not None:
                return replaced
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            return self._comprehension(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.JoinedStr | ast.NamedExpr):
            return node
        if isinstance(node, ast.Attribute | ast.Subscript):
            node.value = self._base(node.value)
            if isinstance(node, ast.Subscript):
                node.slice = self._visited(node.slice)
            return node
        return self.generic_visit(node)

    def _visited(self, node: ast.expr) -> ast.expr:
        found = self.visit(node)
        return found if isinstance(found, ast.expr) else node

    def _replace(self, node: ast.expr) -> ast.expr | None:
        if isinstance(node, ast.Name) and (
            node.id in self.bound or not isinstance(node.ctx, ast.Load)
        ):
            return None
        if self.bound and any(
            isinstance(part, ast.Name) and part.id in self.bound for part in ast.walk(node)
        ):
            return None
        told = self.reading.told(node)
        if told is None:
            return None
        self.claims += told.claims
        text = f"({told.text})" if told.text.startswith("-") else told.text
        return ast.Name(id=text, ctx=ast.Load())

    def _base(self, node: ast.expr) -> ast.expr:
        # `nums[2]` reads better than `[4, 8, 15][2]`.
        return node if isinstance(node, ast.Name) else self._visited(node)

    def _call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Attribute):
            text = self.reading.value(node.func.value)
            short = text is not None and text[:1] in "'\"" and isinstance(node.func.value, ast.Name)
            if short or not isinstance(node.func.value, ast.Name):
                node.func.value = self._visited(node.func.value)
        node.args = [self._visited(argument) for argument in node.args]
        for keyword in node.keywords:
            keyword.value = self._visited(keyword.value)
        return node

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> ast.AST:
        for generator in node.generators:
            if not isinstance(generator.iter, ast.Name) or not self.bound:
                generator.iter = self._visited(generator.iter)
        return node


def _height(node: ast.AST) -> int:
    """Return how many operations lie on top of one another: 0 for names, elements, attributes."""
    if isinstance(node, ast.Name | ast.Constant | ast.Attribute | ast.Lambda | ast.JoinedStr):
        return 0
    if isinstance(node, ast.Subscript):
        return 1 if isinstance(node.slice, ast.Slice) else 0
    if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
        return 0
    below = max((_height(child) for child in ast.iter_child_nodes(node)), default=0)
    return below + (1 if isinstance(node, _OPERATORS | ast.BoolOp) else 0)


def _copy(node: ast.expr) -> ast.expr:
    # Positions must stay: values are looked up by them.
    if isinstance(node, ast.expr):
        return _clone(node)
    return node


def _clone(node: ast.expr) -> ast.expr:
    import copy

    return copy.deepcopy(node)


def join(parts: Sequence[Said], separator: str) -> Said:
    return Said(
        separator.join(part.text for part in parts),
        tuple(claim for part in parts for claim in part.claims),
    )
