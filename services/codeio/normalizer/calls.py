"""What calls tell about types: of arguments, of objects whose methods are called, of results."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.normalizer.annotations import vote_annotation
from codeio.normalizer.evidence import ANNOTATED, Slot, unify
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
    from codeio.normalizer.bodies import Body
    from codeio.normalizer.signatures import Signature

_ELEMENTWISE = frozenset(listed("exp log sqrt sin cos tan abs power log2 log10 round sign tanh"))


def call_result(body: Body, node: ast.Call) -> Slot:
    for keyword in node.keywords:
        if keyword.arg is None:
            body.value(keyword.value)
    if isinstance(node.func, ast.Name):
        return _call_name(body, node, node.func.id)
    if isinstance(node.func, ast.Attribute):
        return _call_method(body, node, node.func)
    body.value(node.func)
    _values(body, node)
    return Slot()


def _call_name(body: Body, node: ast.Call, name: str) -> Slot:
    signature = body.local_functions.get(name) or body.inference.signatures.get(name)
    if signature is not None and not signature.takes_self:
        return _bind(body, node, signature, skip=0)
    constructor = body.inference.signatures.get(f"{name}.__init__")
    if constructor is not None:
        _bind(body, node, constructor, skip=1)
        made = Slot()
        made.classes[name] += 1
        return made
    if name in body.scope and name not in BUILTIN_RESULTS:
        body.scope[name].vote("callable", ANNOTATED)
        body.scope[name].arity = len(_values(body, node))
        return Slot()
    return _call_builtin(body, node, name)


def _call_builtin(body: Body, node: ast.Call, name: str) -> Slot:  # noqa: C901, PLR0912  (one case per kind)
    first = node.args[0] if node.args else None
    if name == "range":
        body.iterate(node)
        return Slot().vote("list")
    if name == "len" and first is not None:
        body.value(first).vote("sized", 1)
        return Slot().vote("int")
    if name == "isinstance" and len(node.args) == 2:
        vote_annotation(body.value(first), node.args[1])
        return Slot().vote("bool")
    if name in ("map", "filter") and len(node.args) == 2:
        item = body.iterate(node.args[1])
        mapped = Slot().vote("list")
        function = node.args[0]
        if isinstance(function, ast.Name):
            if function.id in CONVERSIONS and name == "map":
                item.vote("str", 0.5)
                mapped.element.vote(CONVERSIONS[function.id], 1)
                return mapped
            target = body.inference.signatures.get(function.id)
            if target is not None and target.names:
                unify(target.parameters[target.names[0]], item)
        else:
            body.value(function)
        return mapped
    if name in ITERATING and first is not None and len(node.args) == 1:
        item = body.iterate(first)
        if name == "sum":
            item.vote("num", 1)
        for keyword in node.keywords:
            body.value(keyword.value)
        if name in ("min", "max", "sum"):
            return item
        made = Slot().vote("set" if name == "set" else "list", 1)
        unify(made.element, item)
        return made
    values = _values(body, node)
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


def _call_method(body: Body, node: ast.Call, function: ast.Attribute) -> Slot:  # noqa: C901, PLR0912  (one case per kind)
    name = function.attr
    owner = function.value
    if isinstance(owner, ast.Name) and owner.id == body.own_name and body.signature is not None:
        own = body.inference.signatures.get(f"{body.signature.owner}.{name}")
        if own is not None:
            return _bind(body, node, own, skip=1 if own.takes_self else 0)
    if isinstance(owner, ast.Name) and f"{owner.id}.{name}" in body.inference.signatures:
        static = body.inference.signatures[f"{owner.id}.{name}"]
        return _bind(body, node, static, skip=0)
    if isinstance(owner, ast.Name) and owner.id in NUMERIC_MODULES:
        return _call_numeric(body, node, owner.id, name)
    target = body.value(owner)
    candidates = body.inference.methods_named(name)
    if len(candidates) == 1 and not (name in METHOD_OWNERS and _builtin_like(target)):
        if candidates[0].owner:
            target.classes[candidates[0].owner] += 1
        return _bind(body, node, candidates[0], skip=1)
    values = _values(body, node)
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


def _call_numeric(body: Body, node: ast.Call, module: str, name: str) -> Slot:
    values = _values(body, node)
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


def _bind(body: Body, node: ast.Call, signature: Signature, skip: int) -> Slot:
    names = signature.names[skip:]
    for position, argument in enumerate(node.args):
        if isinstance(argument, ast.Starred):
            body.value(argument)
            break
        value = body.value(argument)
        if position < len(names):
            unify(signature.parameters[names[position]], value)
    for keyword in node.keywords:
        if keyword.arg in signature.parameters:
            unify(signature.parameters[keyword.arg], body.value(keyword.value))
    return signature.result


def _values(body: Body, node: ast.Call) -> list[Slot]:
    values = [body.value(argument) for argument in node.args]
    for keyword in node.keywords:
        body.value(keyword.value)
    return values


def _builtin_like(slot: Slot) -> bool:
    return any(slot.votes[kind] for kind in ("list", "str", "dict", "set"))
