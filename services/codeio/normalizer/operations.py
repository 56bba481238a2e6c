"""Classes with state: a program applies a list of operations to an object of the class."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.normalizer.closure import Closure, close
from codeio.normalizer.docs import read_docstring
from codeio.normalizer.purity import check
from codeio.normalizer.scopes import MUTATORS, Function, base_name
from codeio.normalizer.units import Operation, Unit, state_resets, wanted_parameters
from codeio.runtime.errors import Rejected

if TYPE_CHECKING:
    from codeio.normalizer.source import SourceFile
    from codeio.normalizer.usage import Inference

PARAMETER = "operations"
_MOST_METHODS = 6
_PRINTING_TEMPLATE = """
import contextlib
import io

def apply_all(target, operations):
    results = []
    for method, *arguments in operations:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            result = getattr(target, method)(*arguments)
        if result is None and printed.getvalue():
            result = printed.getvalue().splitlines()
        results.append(result)
    return results
"""
_TEMPLATE = """
def apply_all(target, operations):
    results = []
    for method, *arguments in operations:
        results.append(getattr(target, method)(*arguments))
    return results
"""


def operations_unit(file: SourceFile, inference: Inference, owner: ast.ClassDef) -> Unit | None:
    """Make a unit of a class that has state and at least two methods.

    Raises:
        Rejected: the class cannot be built from what is there.
    """
    members = [m for m in owner.body if isinstance(m, Function)]
    constructor = inference.signatures.get(f"{owner.name}.__init__")
    if constructor is None or PARAMETER in constructor.parameters:
        return None
    changing = _changing_methods(members)
    usable: list[Operation] = []
    for member in members:
        if member.name.startswith("_") or member.decorator_list or len(usable) == _MOST_METHODS:
            continue
        signature = inference.signatures[f"{owner.name}.{member.name}"]
        names = wanted_parameters(signature, skip=1)
        if len(names) > 2 or not _stands_alone(file, owner, member):
            continue
        slot_names = tuple(f"{member.name}.{name}" for name in names)
        adds = bool(names) and member.name in changing
        usable.append(Operation(member.name, slot_names, adds))
    if len(usable) < 2 or not changing & {operation.method for operation in usable}:
        return None
    built = wanted_parameters(constructor, skip=1)
    slots = {name: constructor.parameters[name] for name in built}
    for operation in usable:
        signature = inference.signatures[f"{owner.name}.{operation.method}"]
        slots |= {n: signature.parameters[n.split(".", 1)[1]] for n in operation.slot_names}
    closure = _closure(file, owner, frozenset(operation.method for operation in usable))
    documentation = read_docstring(ast.get_docstring(owner))
    documentation.types.clear()
    arguments = ", ".join(f"{name}={{{name}}}" for name in built)
    return Unit(
        name=owner.name,
        node=members[0],
        slots=slots,
        closure=closure,
        call=f"apply_all({owner.name}({arguments}), {{{PARAMETER}}})",
        reset=state_resets(closure),
        documentation=documentation,
        operations=tuple(usable),
    )


def _closure(file: SourceFile, owner: ast.ClassDef, methods: frozenset[str]) -> Closure:
    # Its `getattr` reaches the listed methods only, so the others can be left out.
    closure = close(file, frozenset({owner.name}), methods)
    check(closure.statements)
    template = _PRINTING_TEMPLATE if "print" in closure.names else _TEMPLATE
    return Closure((*closure.statements, *ast.parse(template).body), closure.names)


def _stands_alone(file: SourceFile, owner: ast.ClassDef, member: Function) -> bool:
    try:
        check(close(file, frozenset({owner.name}), frozenset({member.name})).statements)
    except Rejected:
        return False
    return True


def _changing_methods(members: list[Function]) -> frozenset[str]:
    """Return the methods that change the object, by themselves or through one another."""
    changing: set[str] = set()
    while True:
        found = {
            m.name
            for m in members
            if m.name != "__init__" and m.args.args and _changes(m, changing)
        }
        if found <= changing:
            return frozenset(changing)
        changing |= found


def _changes(member: Function, changing: set[str]) -> bool:
    own = member.args.args[0].arg
    for node in ast.walk(member):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            mine = base_name(node.func) == own
            if mine and (node.func.attr in MUTATORS or node.func.attr in changing):
                return True
    return False
