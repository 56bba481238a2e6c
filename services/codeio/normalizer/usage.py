"""What bodies tell about types: every operation on a value votes on its slot.

One walk over each function; calls between functions of the file join the slots
of argument and parameter, so that evidence flows both ways.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.normalizer.bodies import Body
from codeio.normalizer.scopes import Function
from codeio.normalizer.signatures import Signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeio.normalizer.evidence import Slot


class Inference:
    """The slots of all functions, methods and module-level names of a file."""

    def __init__(self, tree: ast.Module) -> None:
        self.signatures: dict[str, Signature] = {}
        self.fields: dict[str, dict[str, Slot]] = {}
        self.globals: dict[str, Slot] = {}
        self.constants = _constants(tree)
        for node in tree.body:
            if isinstance(node, Function):
                self.signatures[node.name] = Signature(node)
            elif isinstance(node, ast.ClassDef):
                self.fields[node.name] = {}
                for member in node.body:
                    if isinstance(member, Function):
                        signature = Signature(member, owner=node.name)
                        self.signatures[f"{node.name}.{member.name}"] = signature
        self._methods: dict[str, list[Signature]] = {}
        for qualified, signature in self.signatures.items():
            if signature.owner:
                self._methods.setdefault(qualified.split(".", 1)[1], []).append(signature)
        Body(self, self.globals, None).run(tree.body)
        for signature in self.signatures.values():
            self._walk(signature)

    def infer(self, node: Function) -> Signature:
        """Return the slots of a function that is not in the file but reads its names."""
        signature = Signature(node)
        self._walk(signature)
        return signature

    def _walk(self, signature: Signature) -> None:
        scope = dict(signature.parameters)
        body = Body(self, scope, signature)
        if signature.takes_self:
            body.own_name = signature.names[0]
        body.run(signature.node.body)

    def methods_named(self, name: str) -> Sequence[Signature]:
        return self._methods.get(name, ())

    def slots(self, qualified: str) -> Mapping[str, Slot]:
        return self.signatures[qualified].parameters


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """Return the literals that names of the module and of its classes are bound to."""
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for statement in inside:
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        found[f"{prefix}{target.id}"] = statement.value
    return found
