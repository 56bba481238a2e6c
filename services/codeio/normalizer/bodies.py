"""Walks the body of a function and lets every operation vote on the slots of its values."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.normalizer.annotations import vote_annotation
from codeio.normalizer.calls import call_result
from codeio.normalizer.evidence import NODE, USED, Slot, unify
from codeio.normalizer.operators import binary, constant_slot, is_string, number
from codeio.normalizer.scopes import Function
from codeio.normalizer.signatures import Signature
from codeio.normalizer.vocabulary import BUILTIN_RESULTS, ITERATING, METHOD_RESULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.normalizer.usage import Inference

_LINKED_FIELDS = {"next", "next_node", "nextNode", "prev"}
_TREE_FIELDS = {"left", "right", "left_child", "right_child", "leftChild", "rightChild"}


class Body:
    """Walks the statements of one scope."""

    def __init__(
        self, inference: Inference, scope: dict[str, Slot], signature: Signature | None
    ) -> None:
        self.inference = inference
        self.scope = scope
        self.signature = signature
        self.own_name: str | None = None
        self.local_functions: dict[str, Signature] = {}

    def run(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            if isinstance(statement, Function) and self.signature is not None:
                self.local_functions[statement.name] = Signature(statement)
        for statement in statements:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:  # noqa: C901, PLR0912  (one case per kind)
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._nested(node)
            case ast.ClassDef():
                pass
            case ast.Assign():
                value = self.value(node.value)
                for target in node.targets:
                    self._assign(target, value, node.value)
            case ast.AnnAssign():
                vote_annotation(self.value(node.target), node.annotation)
                if node.value is not None:
                    self._assign(node.target, self.value(node.value), node.value)
            case ast.AugAssign():
                binary(node.op, self.value(node.target), self.value(node.value), node.value)
            case ast.For() | ast.AsyncFor():
                self._assign(node.target, self.iterate(node.iter), None)
                self._block(node.body, node.orelse)
            case ast.While() | ast.If():
                self._condition(node.test)
                self._block(node.body, node.orelse)
            case ast.Return():
                if node.value is not None and self.signature is not None:
                    value = self.value(node.value)
                    if not (isinstance(node.value, ast.Constant) and node.value.value is None):
                        unify(self.signature.result, value)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    self.value(item.context_expr)
                self._block(node.body)
            case ast.Try():
                self._block(node.body, node.orelse, node.finalbody)
                for handler in node.handlers:
                    self._block(handler.body)
            case ast.Assert():
                self._condition(node.test)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.value(child)

    def _block(self, *bodies: Sequence[ast.stmt]) -> None:
        for body in bodies:
            self.run(body)

    def _nested(self, node: Function) -> None:
        signature = self.local_functions.get(node.name)
        if signature is None:
            return
        inner = Body(self.inference, {**self.scope, **signature.parameters}, signature)
        inner.own_name = self.own_name
        inner.local_functions = dict(self.local_functions)
        inner.run(node.body)

    def _assign(self, target: ast.expr, value: Slot, source: ast.expr | None) -> None:  # noqa: C901, PLR0912  (one case per kind)
        match target:
            case ast.Name():
                # `n = str(n)` makes a new value; `n = n + 1` goes on with the old one.
                if target.id in self.scope and not _is_conversion(source):
                    unify(self.scope[target.id], value)
                else:
                    self.scope[target.id] = value
            case ast.Tuple() | ast.List() if isinstance(value, _Pair) and len(target.elts) == 2:
                self._assign(target.elts[0], value.first, None)
                self._assign(target.elts[1], value.second, None)
            case ast.Tuple() | ast.List():
                starred = any(isinstance(item, ast.Starred) for item in target.elts)
                if not starred and not isinstance(source, ast.Tuple):
                    value.vote("iterable", 1)
                    value.arity = len(target.elts)
                if isinstance(source, ast.Tuple) and len(source.elts) == len(target.elts):
                    for item, part in zip(target.elts, source.elts, strict=True):
                        self._assign(item, self.value(part), part)
                else:
                    for item in target.elts:
                        self._assign(item, value.element, None)
            case ast.Starred():
                self._assign(target.value, Slot().vote("list"), None)
            case ast.Subscript():
                container = self.value(target.value)
                container.vote("mutable", 1)
                unify(self._subscript(target, container), value)
            case ast.Attribute():
                unify(self.value(target), value)
            case _:
                self.value(target)

    # Expressions ---------------------------------------------------------------

    def value(self, node: ast.expr | None) -> Slot:  # noqa: C901, PLR0912  (one case per kind)
        match node:
            case None:
                return Slot()
            case ast.Constant():
                return constant_slot(node)
            case ast.Name():
                if node.id in self.scope:
                    return self.scope[node.id]
                return self.inference.globals.get(node.id) or self.scope.setdefault(node.id, Slot())
            case ast.BinOp():
                left, right = self.value(node.left), self.value(node.right)
                if isinstance(node.op, ast.Mod) and is_string(node.left):
                    return Slot().vote("str")
                return binary(node.op, left, right, node.right)
            case ast.UnaryOp():
                operand = self.value(node.operand)
                if isinstance(node.op, ast.Not):
                    return Slot().vote("bool")
                return operand.vote("num", 1)
            case ast.BoolOp():
                for part in node.values:
                    self._condition(part)
                return Slot()
            case ast.Compare():
                return self._compare(node)
            case ast.IfExp():
                self._condition(node.test)
                return unify(self.value(node.body), self.value(node.orelse))
            case ast.Subscript():
                return self._subscript(node, self.value(node.value))
            case ast.Attribute():
                return self._attribute(node)
            case ast.Call():
                return call_result(self, node)
            case ast.List() | ast.Set() | ast.Tuple():
                kind = {ast.List: "list", ast.Set: "set", ast.Tuple: "tuple"}[type(node)]
                made = Slot().vote(kind)
                for item in node.elts:
                    unify(made.element, self.value(item))
                return made
            case ast.Dict():
                made = Slot().vote("dict", 2 * USED)
                for key, item in zip(node.keys, node.values, strict=True):
                    if key is not None:
                        unify(made.key, self.value(key))
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        made.key.choices.append(key.value)
                    unify(made.element, self.value(item))
                return made
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._comprehension(node)
            case ast.JoinedStr():
                for child in ast.walk(node):
                    if isinstance(child, ast.FormattedValue):
                        self.value(child.value)
                return Slot().vote("str")
            case ast.Lambda():
                inner = Body(self.inference, dict(self.scope), self.signature)
                for arg in node.args.args:
                    inner.scope[arg.arg] = Slot()
                inner.value(node.body)
                return Slot().vote("callable")
            case ast.NamedExpr():
                value = self.value(node.value)
                self._assign(node.target, value, node.value)
                return value
            case ast.Starred():
                return self.iterate(node.value)
            case ast.Yield():
                if self.signature is not None:
                    unify(self.signature.result.vote("list").element, self.value(node.value))
                return Slot()
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.value(child)
                return Slot()

    def _condition(self, node: ast.expr) -> None:
        value = self.value(node)
        if isinstance(node, ast.Name):
            value.vote("bool", 0.2)

    def _compare(self, node: ast.Compare) -> Slot:
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            self._comparison(left, operator, right)
            left = right
        return Slot().vote("bool")

    def _comparison(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> None:  # noqa: C901, PLR0912  (one case per kind)
        a, b = self.value(left), self.value(right)
        match operator:
            case ast.In() | ast.NotIn():
                if isinstance(left, ast.Constant) and isinstance(left.value, str):
                    b.vote("str", 1)
                if isinstance(right, ast.Constant) and isinstance(right.value, str):
                    a.vote("str", 1)
                    a.choices.extend(right.value)
                    return
                b.vote("iterable", 1)
                if b.votes["str"] > b.votes["list"]:
                    a.vote("str", 1)
                else:
                    unify(b.element, a) if not b.votes["dict"] else unify(b.key, a)
            case ast.Is() | ast.IsNot():
                if isinstance(right, ast.Constant) and right.value is None:
                    a.role("optional")
            case _:
                for slot, other in ((a, right), (b, left)):
                    known = self.inference.constants.get(ast.unparse(other), other)
                    constant = number(known)
                    if constant is not None:
                        slot.bounds.append(constant)
                    if isinstance(known, ast.Constant) and isinstance(known.value, str):
                        slot.vote("str", 1)
                        slot.choices.append(known.value)
                if not isinstance(operator, ast.Eq | ast.NotEq):
                    ordered = a.votes["str"] or b.votes["str"]
                    for slot in (a, b):
                        slot.vote("num", 0 if ordered else 1)
                unify(a, b)

    def _subscript(  # noqa: C901  (one case per kind)
        self, node: ast.Subscript, container: Slot
    ) -> Slot:
        index = node.slice
        if isinstance(index, ast.Slice):
            container.vote("indexable", 1.5)
            for part in (index.lower, index.upper, index.step):
                if part is not None:
                    self.value(part).vote("int", 1).role("index")
            return container
        if isinstance(index, ast.Tuple):
            container.vote("array", 2).role("matrix")
            for part in index.elts:
                self.value(part)
            return container.element.element
        position = self.value(index)
        if position.votes["str"] > position.votes["int"] + position.votes["num"]:
            container.vote("dict", 2)
            if isinstance(index, ast.Constant):
                container.role("record")
                return container.attribute(f"[{index.value!r}]")
        elif isinstance(index, ast.Constant | ast.UnaryOp | ast.BinOp):
            container.vote("indexable", 1.5)
            position.vote("int", 0.5)
            if isinstance(index, ast.Constant) and type(index.value) is int:
                container.reach = max(container.reach, index.value)
        else:
            container.vote("indexable", 1)
            position.vote("int", 0.7).role("index")
        if container.votes["dict"] > 1.5 * USED:
            unify(container.key, position)
        return container.element

    def _attribute(self, node: ast.Attribute) -> Slot:
        if isinstance(node.value, ast.Name) and node.value.id == self.own_name:
            owner = self.signature.owner if self.signature else None
            if owner is not None:
                return self.inference.fields[owner].setdefault(node.attr, Slot())
        owner_slot = self.value(node.value)
        if node.attr in _TREE_FIELDS:
            owner_slot.vote("tree", NODE)
            return unify(owner_slot.attribute(node.attr), owner_slot)
        if node.attr in _LINKED_FIELDS:
            owner_slot.vote("linked", NODE)
            return unify(owner_slot.attribute(node.attr), owner_slot)
        if node.attr in ("shape", "T", "ndim", "size"):
            owner_slot.vote("array", 3)
        return owner_slot.attribute(node.attr)

    def iterate(self, node: ast.expr) -> Slot:
        """Return the slot of the items that iterating gives."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name, args = node.func.id, node.args
            if name == "range":
                for argument in args:
                    self.value(argument).vote("int", 2).role("size")
                return Slot().vote("int")
            if name == "enumerate" and args:
                return _Pair(Slot().vote("int"), self.iterate(args[0]))
            if name == "zip" and len(args) == 2:
                return _Pair(self.iterate(args[0]), self.iterate(args[1]))
            if name in ("reversed", "sorted", "list", "set", "tuple", "iter") and args:
                return self.iterate(args[0])
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("items", "keys", "values")
        ):
            mapping = self.value(node.func.value).vote("dict", 3)
            if node.func.attr == "items":
                return _Pair(mapping.key, mapping.element)
            return mapping.key if node.func.attr == "keys" else mapping.element
        slot = self.value(node)
        slot.vote("iterable", 1.5)
        return slot.element

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> Slot:
        inner = Body(self.inference, dict(self.scope), self.signature)
        inner.own_name = self.own_name
        inner.local_functions = self.local_functions
        for generator in node.generators:
            item = inner.iterate(generator.iter)
            for name in _targets(generator.target):
                inner.scope[name] = Slot()
            inner._assign(generator.target, item, None)
            for condition in generator.ifs:
                inner._condition(condition)
        if isinstance(node, ast.DictComp):
            made = Slot().vote("dict")
            unify(made.key, inner.value(node.key))
            unify(made.element, inner.value(node.value))
            return made
        made = Slot().vote("set" if isinstance(node, ast.SetComp) else "list")
        unify(made.element, inner.value(node.elt))
        return made


class _Pair(Slot):
    """A pair whose two items have slots of their own, for `items`, `zip` and `enumerate`."""

    def __init__(self, first: Slot, second: Slot) -> None:
        super().__init__()
        self.first, self.second = first, second


def _targets(node: ast.expr) -> list[str]:
    return [child.id for child in ast.walk(node) if isinstance(child, ast.Name)]


def _is_conversion(source: ast.expr | None) -> bool:
    if not isinstance(source, ast.Call):
        return False
    if isinstance(source.func, ast.Name):
        return source.func.id in BUILTIN_RESULTS or source.func.id in ITERATING
    return isinstance(source.func, ast.Attribute) and source.func.attr in METHOD_RESULTS
