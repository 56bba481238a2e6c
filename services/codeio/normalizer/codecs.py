"""Source that turns JSON into what a unit takes, and what it gives into JSON."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codeio.normalizer.shapes import (
    AlongWith,
    DictOf,
    FunctionOf,
    Graph,
    Grid,
    Instance,
    Linked,
    ListOf,
    Shape,
    Tree,
    TupleOf,
)
from codeio.normalizer.structures import NodeClass, NodeKind, default_node_class, node_class

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass
class Codecs:
    """Collects the imports, classes and functions that the conversions need."""

    statements: tuple[ast.stmt, ...]
    imports: list[str] = field(default_factory=list)
    classes: list[ast.stmt] = field(default_factory=list)
    functions: dict[str, str] = field(default_factory=dict)

    def decode(self, shape: Shape, value: str) -> str:  # noqa: C901, PLR0912  (one case per kind)
        """Return an expression that makes the argument out of its JSON form."""
        match shape:
            case ListOf(element=element, container=container):
                inner = self.decode(element, "item")
                made = value if inner == "item" else f"[{inner} for item in {value}]"
                return self._contain(container, made)
            case FunctionOf(arity=arity):
                name = "FUNCTIONS" if arity == 1 else "FUNCTIONS_OF_TWO"
                entries = [f"    {key!r}: {code}," for key, code in shape.choices.items()]
                self.functions[name] = "\n".join([f"{name} = {{", *entries, "}\n"])
                return f"{name}[{value}]"
            case AlongWith(element=element, container=container):
                return self.decode(ListOf(element, container=container), value)
            case Grid(container=container):
                return self._contain(container, value)
            case TupleOf(elements=elements, container=container):
                parts = [self.decode(e, f"{value}[{i}]") for i, e in enumerate(elements)]
                if all(part == f"{value}[{i}]" for i, part in enumerate(parts)):
                    return self._contain(container, value)
                return self._contain(container, f"[{', '.join(parts)}]")
            case DictOf(value=item, integer_keys=integer_keys):
                key = "int(key)" if integer_keys else "key"
                inner = self.decode(item, "item")
                if key == "key" and inner == "item":
                    return value
                return f"{{{key}: {inner} for key, item in {value}.items()}}"
            case Graph(edges="mapping", integer_nodes=True):
                inner = "{int(other): weight for other, weight in edges.items()}"
                return f"{{int(node): {inner} for node, edges in {value}.items()}}"
            case Graph(integer_nodes=True):
                return f"{{int(node): others for node, others in {value}.items()}}"
            case Linked():
                self._add_linked_decoder()
                return f"linked_list({value})"
            case Tree():
                self._add_tree_decoder()
                return f"binary_tree({value})"
            case Instance(class_name=name, fields=fields):
                if name == "SimpleNamespace":
                    self._import("from types import SimpleNamespace")
                parts = [f"{key}={self.decode(s, f'{value}[{key!r}]')}" for key, s in fields]
                return f"{name}({', '.join(parts)})"
            case _:
                return value

    def _contain(self, container: str, value: str) -> str:
        match container:
            case "tuple" | "set":
                return f"{container}({value})"
            case "array":
                return f"{self._numpy()}.array({value})"
            case _:
                return value

    def encode(self, value: str, kinds: Iterable[str]) -> str:
        """Return an expression that makes JSON out of a result.

        Args:
            value: the expression of the result.
            kinds: the conversions that the sandbox saw, such as `top:set` or `deep:array`.
        """
        wanted = set(kinds)
        if not wanted:
            return value
        if len(wanted) == 1:
            direct = {
                "top:set": f"sorted({value})",
                "top:iterable": f"list({value})",
                "top:array": f"{value}.tolist()",
                "top:text": f"str({value})",
                "top:int": f"int({value})",
                "top:bytes": f"list({value})",
            }.get(next(iter(wanted)))
            if direct is not None:
                return direct
            if wanted == {"top:linked"}:
                return f"{self._add_linked_encoder()}({value})"
            if wanted == {"top:tree"}:
                return f"{self._add_tree_encoder()}({value})"
        self.functions["to_json"] = self._general_encoder({kind.split(":")[1] for kind in wanted})
        return f"to_json({value})"

    def _general_encoder(self, kinds: set[str]) -> str:
        lines = ["def to_json(value):"]
        for kind, condition, result in _BRANCHES:
            if kind in kinds:
                if kind == "array":
                    condition = condition.replace("numpy", self._numpy())  # noqa: PLW2901
                lines += [f"    if {condition}:", f"        return {result}"]
        if "infinite" in kinds:
            self._import("import math")
        if "linked" in kinds:
            name, node = self._add_linked_encoder(), self._node("linked")
            lines += [f"    if isinstance(value, {node.name}):", f"        return {name}(value)"]
        if "tree" in kinds:
            name, node = self._add_tree_encoder(), self._node("tree")
            lines += [f"    if isinstance(value, {node.name}):", f"        return {name}(value)"]
        key = "str(key)" if "keys" in kinds else "key"
        lines += [
            "    if isinstance(value, dict):",
            f"        return {{{key}: to_json(item) for key, item in value.items()}}",
            "    if isinstance(value, (list, tuple)):",
            "        return [to_json(item) for item in value]",
        ]
        if "text" in kinds:
            lines += [
                "    if value is not None and not isinstance(value, (bool, int, float)):",
                "        return str(value)",
            ]
        lines.append("    return value")
        return "\n".join(lines) + "\n"

    def _node(self, kind: NodeKind) -> NodeClass:
        found = node_class(self.statements, kind)
        if found is None:
            made = default_node_class(self.statements, kind)
            self.classes.append(made)
            self.statements = (*self.statements, made)
            found = node_class([made], kind)
        assert found is not None
        return found

    def _numpy(self) -> str:
        """Return the name under which the program knows numpy."""
        for statement in self.statements:
            if isinstance(statement, ast.Import):
                for alias in statement.names:
                    if alias.name == "numpy":
                        return alias.asname or alias.name
        self._import("import numpy")
        return "numpy"

    def _import(self, line: str) -> None:
        if line not in self.imports:
            self.imports.append(line)

    def _add_linked_decoder(self) -> None:
        node = self._node("linked")
        self.functions["linked_list"] = (
            "def linked_list(values):\n"
            "    head = None\n"
            "    for value in reversed(values):\n"
            f"        node = {node.construct('value')}\n"
            "        node.next = head\n"
            "        head = node\n"
            "    return head\n"
        )

    def _add_linked_encoder(self) -> str:
        node = self._node("linked")
        self.functions["linked_values"] = (
            "def linked_values(node):\n"
            "    values = []\n"
            "    while node is not None:\n"
            f"        values.append(node.{node.value_field})\n"
            "        node = node.next\n"
            "    return values\n"
        )
        return "linked_values"

    def _add_tree_decoder(self) -> None:
        node = self._node("tree")
        made = node.construct("values[0]")
        self.functions["binary_tree"] = (
            "def binary_tree(values):\n"
            "    if not values or values[0] is None:\n"
            "        return None\n"
            f"    root = {made}\n"
            "    level, rest = [root], iter(values[1:])\n"
            "    for node in level:\n"
            "        for side in ('left', 'right'):\n"
            "            value = next(rest, None)\n"
            f"            child = None if value is None else {node.construct('value')}\n"
            "            setattr(node, side, child)\n"
            "            if child is not None:\n"
            "                level.append(child)\n"
            "    return root\n"
        )

    def _add_tree_encoder(self) -> str:
        node = self._node("tree")
        self.functions["tree_values"] = (
            "def tree_values(root):\n"
            "    values, level = [], [root]\n"
            "    for node in level:\n"
            "        if node is None:\n"
            "            values.append(None)\n"
            "            continue\n"
            f"        values.append(node.{node.value_field})\n"
            "        level += [node.left, node.right]\n"
            "    while values and values[-1] is None:\n"
            "        values.pop()\n"
            "    return values\n"
        )
        return "tree_values"


_BRANCHES = [
    ("array", "isinstance(value, (numpy.ndarray, numpy.generic))", "to_json(value.tolist())"),
    ("infinite", "isinstance(value, float) and not math.isfinite(value)", "str(value)"),
    ("set", "isinstance(value, (set, frozenset))", "sorted(to_json(item) for item in value)"),
    ("complex", "isinstance(value, complex)", "[value.real, value.imag]"),
    ("bytes", "isinstance(value, (bytes, bytearray))", "list(value)"),
    ("int", "isinstance(value, int) and not isinstance(value, bool)", "int(value)"),
    (
        "iterable",
        "hasattr(value, '__iter__') and not isinstance(value, (str, dict, list, tuple))",
        "[to_json(item) for item in value]",
    ),
]


def decoded(codecs: Codecs, shapes: Mapping[str, Shape]) -> dict[str, str]:
    """Return the expression of every argument."""
    return {name: codecs.decode(shape, name) for name, shape in shapes.items()}
