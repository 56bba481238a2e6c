"""What bodies tell about types: every operation on a value votes on its slot.

One walk over each function; calls between functions of the file join the slots
of argument and parameter, so that evidence flows both ways.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.normalizer.annotations import vote_annotation
from codeio.normalizer.evidence import USED, Slot, unify
from codeio.normalizer.scopes import Function
from codeio.normalizer.vocabulary import (
    BUILTIN_RESULTS,
    CONVERSIONS,
    ITERATING,
    METHOD_OWNERS,
    METHOD_RESULTS,
    NUMERIC_MODULES,
    listed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LINKED_FIELDS = {"next", "next_node", "nextNode", "prev"}
_TREE_FIELDS = {"left", "right", "left_child", "right_child", "leftChild", "rightChild"}


class Signature:
    """The slots of a function: one per parameter, one for the result."""

    def __init__(self, node: Function, owner: str | None = None) -> None:
        self.node = node
        self.owner = owner
        arguments = node.args
        self.names = [arg.arg for arg in (*arguments.posonlyargs, *arguments.args)]
        self.keyword_names = [arg.arg for arg in arguments.kwonlyargs]
        self.parameters = {name: Slot() for name in (*self.names, *self.keyword_names)}
        if arguments.vararg:
            self.parameters[arguments.vararg.arg] = Slot().vote("list", 3)
        self.result = Slot()
        self.takes_self = owner is not None and not _is_static(node) and bool(self.names)
        for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if arg.annotation is not None:
                vote_annotation(self.parameters[arg.arg], arg.annotation)
        if node.returns is not None:
            vote_annotation(self.result, node.returns)
        defaults = zip(reversed(self.names), reversed(arguments.defaults), strict=False)
        keyword_defaults = zip(self.keyword_names, arguments.kw_defaults, strict=True)
        for name, default in (*defaults, *keyword_defaults):
            if isinstance(default, ast.Constant) and default.value is not None:
                self.parameters[name].show(default.value, 4)


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
        _Body(self, self.globals, None).run(tree.body)
        for signature in self.signatures.values():
            self._walk(signature)

    def infer(self, node: Function) -> Signature:
        """Return the slots of a function that is not in the file but reads its names."""
        signature = Signature(node)
        self._walk(signature)
        return signature

    def _walk(self, signature: Signature) -> None:
        scope = dict(signature.parameters)
        body = _Body(self, scope, signature)
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


class _Body:
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
                self._binary(node.op, self.value(node.target), self.value(node.value), node.value)
            case ast.For() | ast.AsyncFor():
                self._assign(node.target, self._iterate(node.iter), None)
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
        inner = _Body(self.inference, {**self.scope, **signature.parameters}, signature)
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
                return _constant(node)
            case ast.Name():
                if node.id in self.scope:
                    return self.scope[node.id]
                return self.inference.globals.get(node.id) or self.scope.setdefault(node.id, Slot())
            case ast.BinOp():
                left, right = self.value(node.left), self.value(node.right)
                if isinstance(node.op, ast.Mod) and _is_string(node.left):
                    return Slot().vote("str")
                return self._binary(node.op, left, right, node.right)
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
                return self._call(node)
            case ast.List() | ast.Set() | ast.Tuple():
                kind = {ast.List: "list", ast.Set: "set", ast.Tuple: "tuple"}[type(node)]
                made = Slot().vote(kind)
                for item in node.elts:
                    unify(made.element, self.value(item))
                return made
            case ast.Dict():
                made = Slot().vote("dict")
                for key, item in zip(node.keys, node.values, strict=True):
                    if key is not None:
                        unify(made.key, self.value(key))
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
                inner = _Body(self.inference, dict(self.scope), self.signature)
                for arg in node.args.args:
                    inner.scope[arg.arg] = Slot()
                inner.value(node.body)
                return Slot().vote("callable")
            case ast.NamedExpr():
                value = self.value(node.value)
                self._assign(node.target, value, node.value)
                return value
            case ast.Starred():
                return self._iterate(node.value)
            case ast.Yield():
                if self.signature is not None:
                    unify(self.signature.result.vote("list").element, self.value(node.value))
                return Slot()
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.value(child)
                return Slot()

    def _binary(self, operator: ast.operator, left: Slot, right: Slot, source: ast.expr) -> Slot:
        match operator:
            case ast.Add():
                return unify(left, right)
            case ast.Mult():
                for one, other in ((left, right), (right, left)):
                    if one.votes["str"] or one.votes["list"]:
                        other.vote("int", 1)
                        return one
                left.vote("num", 1)
                right.vote("num", 1)
                return Slot().vote("num", 0.5)
            case ast.Mod() | ast.FloorDiv() | ast.LShift() | ast.RShift():
                left.vote("int", 1.5)
                right.vote("int", 1.5).role("divisor")
                if isinstance(source, ast.Constant) and source.value == 10:
                    left.role("digits")
                return Slot().vote("int")
            case ast.BitAnd() | ast.BitOr() | ast.BitXor():
                left.vote("int", 1)
                right.vote("int", 1)
                return Slot().vote("int", 1)
            case ast.Div():
                left.vote("num", 2)
                right.vote("num", 2).role("divisor")
                return Slot().vote("float", 1)
            case ast.MatMult():
                left.vote("array", 2)
                right.vote("array", 2)
                return Slot().vote("array")
            case _:
                left.vote("num", 1)
                right.vote("num", 1)
                return Slot().vote("num", 1)

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
                    constant = _number(known)
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
            owner_slot.vote("tree", 3)
            return unify(owner_slot.attribute(node.attr), owner_slot)
        if node.attr in _LINKED_FIELDS:
            owner_slot.vote("linked", 3)
            return unify(owner_slot.attribute(node.attr), owner_slot)
        if node.attr in ("shape", "T", "ndim", "size"):
            owner_slot.vote("array", 3)
        return owner_slot.attribute(node.attr)

    def _iterate(self, node: ast.expr) -> Slot:
        """Return the slot of the items that iterating gives."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name, args = node.func.id, node.args
            if name == "range":
                for argument in args:
                    self.value(argument).vote("int", 2).role("size")
                return Slot().vote("int")
            if name == "enumerate" and args:
                return _Pair(Slot().vote("int"), self._iterate(args[0]))
            if name == "zip" and len(args) == 2:
                return _Pair(self._iterate(args[0]), self._iterate(args[1]))
            if name in ("reversed", "sorted", "list", "set", "tuple", "iter") and args:
                return self._iterate(args[0])
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
        inner = _Body(self.inference, dict(self.scope), self.signature)
        inner.own_name = self.own_name
        inner.local_functions = self.local_functions
        for generator in node.generators:
            item = inner._iterate(generator.iter)
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

    # Calls ---------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Slot:
        for keyword in node.keywords:
            if keyword.arg is None:
                self.value(keyword.value)
        if isinstance(node.func, ast.Name):
            return self._call_name(node, node.func.id)
        if isinstance(node.func, ast.Attribute):
            return self._call_method(node, node.func)
        self.value(node.func)
        self._values(node)
        return Slot()

    def _call_name(self, node: ast.Call, name: str) -> Slot:
        signature = self.local_functions.get(name) or self.inference.signatures.get(name)
        if signature is not None and not signature.takes_self:
            return self._bind(node, signature, skip=0)
        constructor = self.inference.signatures.get(f"{name}.__init__")
        if constructor is not None:
            self._bind(node, constructor, skip=1)
            made = Slot()
            made.classes[name] += 1
            return made
        if name in self.scope and name not in BUILTIN_RESULTS:
            self.scope[name].vote("callable", 3)
            self._values(node)
            return Slot()
        return self._call_builtin(node, name)

    def _call_builtin(self, node: ast.Call, name: str) -> Slot:  # noqa: C901, PLR0912  (one case per kind)
        first = node.args[0] if node.args else None
        if name == "range":
            self._iterate(node)
            return Slot().vote("list")
        if name == "len" and first is not None:
            self.value(first).vote("sized", 1)
            return Slot().vote("int")
        if name == "isinstance" and len(node.args) == 2:
            vote_annotation(self.value(first), node.args[1])
            return Slot().vote("bool")
        if name in ("map", "filter") and len(node.args) == 2:
            item = self._iterate(node.args[1])
            mapped = Slot().vote("list")
            function = node.args[0]
            if isinstance(function, ast.Name):
                if function.id in CONVERSIONS and name == "map":
                    item.vote("str", 0.5)
                    mapped.element.vote(CONVERSIONS[function.id], 1)
                    return mapped
                target = self.inference.signatures.get(function.id)
                if target is not None and target.names:
                    unify(target.parameters[target.names[0]], item)
            else:
                self.value(function)
            return mapped
        if name in ITERATING and first is not None and len(node.args) == 1:
            item = self._iterate(first)
            if name == "sum":
                item.vote("num", 1)
            for keyword in node.keywords:
                self.value(keyword.value)
            if name in ("min", "max", "sum"):
                return item
            made = Slot().vote("set" if name == "set" else "list", 1)
            unify(made.element, item)
            return made
        values = self._values(node)
        if name in ("min", "max", "abs", "round", "pow", "divmod"):
            for value in values:
                value.vote("num", 1)
                unify(values[0], value) if name in ("min", "max") else None
            return values[0] if values and name in ("min", "max", "abs") else Slot().vote("num", 1)
        if name in ("int", "float") and values:
            values[0].vote("num", 0.4).vote("str", 0.3)
        elif name == "ord" and values:
            values[0].vote("str", 3).role("character")
        elif name in ("chr", "bin", "hex", "oct") and values:
            values[0].vote("int", 3)
        return Slot().vote(BUILTIN_RESULTS[name], 1.5) if name in BUILTIN_RESULTS else Slot()

    def _call_method(self, node: ast.Call, function: ast.Attribute) -> Slot:  # noqa: C901, PLR0912  (one case per kind)
        name = function.attr
        owner = function.value
        if isinstance(owner, ast.Name) and owner.id == self.own_name and self.signature is not None:
            own = self.inference.signatures.get(f"{self.signature.owner}.{name}")
            if own is not None:
                return self._bind(node, own, skip=1 if own.takes_self else 0)
        if isinstance(owner, ast.Name) and f"{owner.id}.{name}" in self.inference.signatures:
            static = self.inference.signatures[f"{owner.id}.{name}"]
            return self._bind(node, static, skip=0)
        if isinstance(owner, ast.Name) and owner.id in NUMERIC_MODULES:
            return self._call_numeric(node, owner.id, name)
        target = self.value(owner)
        candidates = self.inference.methods_named(name)
        if len(candidates) == 1 and not (name in METHOD_OWNERS and _builtin_like(target)):
            if candidates[0].owner:
                target.classes[candidates[0].owner] += 1
            return self._bind(node, candidates[0], skip=1)
        values = self._values(node)
        for kind, weight in METHOD_OWNERS.get(name, {}).items():
            target.vote(kind, weight)
        if name in ("append", "add", "appendleft", "remove", "index", "count") and values:
            if not target.votes["str"]:
                unify(target.element, values[0])
        elif name == "insert" and len(values) == 2:
            unify(target.element, values[1])
        elif name in ("extend", "union") and values:
            unify(target.element, values[0].element)
        elif name in ("get", "setdefault") and values:
            unify(target.key, values[0])
            return target.element
        elif name == "join" and values:
            values[0].vote("iterable", 1).element.vote("str", 2)
        elif name in ("pop", "popleft"):
            return target.element
        elif name == "copy":
            return target
        if name in METHOD_RESULTS:
            made = Slot().vote(METHOD_RESULTS[name], 1.5)
            if name in ("split", "splitlines"):
                made.element.vote("str")
            return made
        return Slot()

    def _call_numeric(self, node: ast.Call, module: str, name: str) -> Slot:
        values = self._values(node)
        if module == "math":
            integral = name in ("factorial", "gcd", "comb", "perm", "isqrt", "lcm")
            for value in values:
                value.vote("int" if integral else "num", 2)
            return Slot().vote("int" if integral or name in ("floor", "ceil") else "float", 1.5)
        if module in ("copy", "heapq") and values:
            if module == "heapq":
                values[0].vote("list", 2)
                return values[0].element if name in ("heappop", "heappushpop") else Slot()
            return values[0]
        if module == "collections" and name == "Counter" and values:
            values[0].vote("iterable", 1)
            return Slot().vote("dict")
        if module in ("np", "numpy"):
            for value in values:
                value.vote("array", 0.7 if name in _ELEMENTWISE else 1.5)
            return Slot().vote("array", 0.5)
        return Slot()

    def _bind(self, node: ast.Call, signature: Signature, skip: int) -> Slot:
        names = signature.names[skip:]
        for position, argument in enumerate(node.args):
            if isinstance(argument, ast.Starred):
                self.value(argument)
                break
            value = self.value(argument)
            if position < len(names):
                unify(signature.parameters[names[position]], value)
        for keyword in node.keywords:
            if keyword.arg in signature.parameters:
                unify(signature.parameters[keyword.arg], self.value(keyword.value))
        return signature.result

    def _values(self, node: ast.Call) -> list[Slot]:
        values = [self.value(argument) for argument in node.args]
        for keyword in node.keywords:
            self.value(keyword.value)
        return values


_ELEMENTWISE = frozenset(listed("exp log sqrt sin cos tan abs power log2 log10 round sign tanh"))


class _Pair(Slot):
    """A pair whose two items have slots of their own, for `items`, `zip` and `enumerate`."""

    def __init__(self, first: Slot, second: Slot) -> None:
        super().__init__()
        self.first, self.second = first, second


def _targets(node: ast.expr) -> list[str]:
    return [child.id for child in ast.walk(node) if isinstance(child, ast.Name)]


def _is_static(node: Function) -> bool:
    return any(
        isinstance(decorator, ast.Name) and decorator.id == "staticmethod"
        for decorator in node.decorator_list
    )


def _is_string(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_conversion(source: ast.expr | None) -> bool:
    if not isinstance(source, ast.Call):
        return False
    if isinstance(source.func, ast.Name):
        return source.func.id in BUILTIN_RESULTS or source.func.id in ITERATING
    return isinstance(source.func, ast.Attribute) and source.func.attr in METHOD_RESULTS


def _builtin_like(slot: Slot) -> bool:
    return any(slot.votes[kind] for kind in ("list", "str", "dict", "set"))


def _number(node: ast.expr) -> float | None:
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        number = float(node.value)  # type: ignore[arg-type]
        return sign * number if abs(number) < 1e15 else None
    return None


def _constant(node: ast.Constant) -> Slot:
    kinds: dict[type, str] = {bool: "bool", int: "int", float: "float", str: "str"}
    kind = kinds.get(type(node.value))
    if kind is None:
        return Slot()
    # An integer literal joins floats as readily as integers.
    return Slot().vote("num" if kind == "int" else kind, 1)
