"""Node classes of linked lists and binary trees, as the code at hand defines them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from codeio.normalizer.scopes import Function

if TYPE_CHECKING:
    from collections.abc import Iterable

NodeKind: TypeAlias = Literal["linked", "tree"]

_VALUE_FIELDS = ("val", "value", "data", "key", "item")


@dataclass(frozen=True)
class NodeClass:
    """How a node is made and where its value is."""

    name: str
    kind: NodeKind
    value_field: str
    required: int
    """How many arguments its constructor asks for."""

    def construct(self, value: str) -> str:
        rest = ", None" * (self.required - 1)
        return f"{self.name}({value}{rest})"


def default_node_class(statements: Iterable[ast.stmt], kind: NodeKind) -> ast.stmt:
    """Return a class of nodes with the value field that the code at hand reads."""
    used = {
        node.attr
        for statement in statements
        for node in ast.walk(statement)
        if isinstance(node, ast.Attribute)
    }
    field = next((name for name in _VALUE_FIELDS if name in used), "val")
    name, links = ("ListNode", ["next"]) if kind == "linked" else ("TreeNode", ["left", "right"])
    parameters = ", ".join([f"{field}=0", *(f"{link}=None" for link in links)])
    lines = [f"class {name}:", f"    def __init__(self, {parameters}):"]
    lines += [f"        self.{part} = {part}" for part in (field, *links)]
    return ast.parse("\n".join(lines)).body[0]


def node_class(statements: Iterable[ast.stmt], kind: NodeKind) -> NodeClass | None:
    """Return the first class among the statements that makes such nodes."""
    for statement in statements:
        if isinstance(statement, ast.ClassDef):
            found = _node_class(statement)
            if found is not None and found.kind == kind:
                return found
    return None


def _node_class(node: ast.ClassDef) -> NodeClass | None:
    constructor = next(
        (m for m in node.body if isinstance(m, Function) and m.name == "__init__"), None
    )
    if constructor is None:
        return None
    fields = {
        child.attr
        for child in ast.walk(constructor)
        if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store)
    }
    value = next((name for name in _VALUE_FIELDS if name in fields), None)
    if value is None:
        return None
    arguments = constructor.args
    required = len(arguments.args) - 1 - len(arguments.defaults)
    if not required and len(arguments.args) < 2:
        return None
    if {"left", "right"} <= fields:
        return NodeClass(node.name, "tree", value, max(required, 1))
    if "next" in fields:
        return NodeClass(node.name, "linked", value, max(required, 1))
    return None
