"""Scripts, and functions without parameters, made functions of what they read or hold constant."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codeio.normalizer.closure import close
from codeio.normalizer.docs import Documentation, english
from codeio.normalizer.evidence import OBSERVED, Slot, unify
from codeio.normalizer.purity import check
from codeio.normalizer.reading import LineReads, Reading, reading
from codeio.normalizer.scopes import Function, bound_names, free_names
from codeio.normalizer.units import Unit, state_resets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeio.normalizer.source import SourceFile
    from codeio.normalizer.usage import Inference

SCRIPT = "script"
_MOST_CONSTANTS = 4
_PLAIN = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.UnaryOp, ast.USub, ast.expr_context)


@dataclass
class _Lifted:
    """A body on its way to being a function: its statements and what they need from outside."""

    body: list[ast.stmt]
    slots: dict[str, Slot] = field(default_factory=dict)
    meanings: dict[str, str] = field(default_factory=dict)

    def add(self, wanted: str, found: Reading) -> str:
        name, number = wanted, 2
        while name in self.slots:
            name, number = f"{wanted}_{number}", number + 1
        self.slots[name] = found.slot()
        if found.prompt:
            self.meanings[name] = english(found.prompt)
        return name


def script_unit(file: SourceFile, inference: Inference, *, constants: bool) -> Unit | None:
    """Make a unit of the top level of a file.

    Args:
        file: the file.
        inference: what is known of its types.
        constants: whether literals at the top may become parameters where nothing is read.

    Raises:
        Rejected: it needs what is missing, or is impure.
    """
    statements = [s.node for s in file.statements if not s.is_definition and not s.is_import]
    body = [node for node in statements if not _is_docstring(node)]
    return _unit(file, inference, SCRIPT, copy.deepcopy(body), constants=constants)


def parameterless_unit(file: SourceFile, inference: Inference, node: Function) -> Unit | None:
    """Make a unit of a function without parameters, such as `main`.

    Raises:
        Rejected: it needs what is missing, or is impure.
    """
    body = [part for part in copy.deepcopy(node.body) if not _is_docstring(part)]
    return _unit(file, inference, node.name, body, constants=True)


def _unit(
    file: SourceFile, inference: Inference, name: str, body: list[ast.stmt], *, constants: bool
) -> Unit | None:
    lifted = _lift_reads(body)
    if not lifted.slots and constants:
        lifted = _lift_constants(body) or _lift_limits(body)
    if not lifted.slots or not lifted.body:
        return None
    function_name = "solve" if name == SCRIPT else name
    at_top = name == SCRIPT
    shared = _shared_names(file, lifted) if at_top else frozenset()
    node = _function(function_name, lifted, shared)
    signature = inference.infer(node)
    slots = {}
    for parameter, slot in lifted.slots.items():
        inner = f"given_{parameter}" if parameter in shared else parameter
        slots[parameter] = unify(slot, signature.parameters[inner])
        if at_top and parameter in inference.globals:
            slots[parameter] = unify(slot, inference.globals[parameter])
    given = frozenset().union(*(bound_names(part) for part in lifted.body), lifted.slots)
    closure = close(
        file,
        free_names(node) - {function_name},
        frozenset(),
        given=given if at_top else frozenset(),
        extra=(node,),
    )
    check(closure.statements)
    return Unit(
        name=name,
        node=node,
        slots=slots,
        closure=closure,
        call=f"{function_name}({', '.join(f'{{{parameter}}}' for parameter in slots)})",
        reset=state_resets(closure),
        documentation=Documentation(meanings=lifted.meanings),
        is_script=at_top,
    )


def _function(name: str, lifted: _Lifted, shared: frozenset[str]) -> ast.FunctionDef:
    body = _returning(lifted.body)
    if shared:
        taken = [n for n in lifted.slots if n in shared]
        first: list[ast.stmt] = [ast.Global(sorted(shared))]
        first += [ast.parse(f"{n} = given_{n}").body[0] for n in taken]
        body = [*first, *body]
    parameters = [f"given_{n}" if n in shared else n for n in lifted.slots]
    source = f"def {name}({', '.join(parameters)}): pass"
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef)
    node.body = [_Ending().visit(part) for part in body]
    return ast.fix_missing_locations(node)


def _shared_names(file: SourceFile, lifted: _Lifted) -> frozenset[str]:
    """Return the names that the script binds and the functions of the file read."""
    read = frozenset().union(*(free_names(s.node) for s in file.statements if s.is_definition))
    bound = frozenset().union(*(bound_names(part) for part in lifted.body), lifted.slots)
    own = frozenset().union(*(s.binds for s in file.statements if s.is_definition))
    return (read & bound) - own


# What is read ------------------------------------------------------------------


def _lift_reads(body: Sequence[ast.stmt]) -> _Lifted:
    """Replace what is read from standard input by parameters."""
    lifted = _Lifted([])
    for statement in body:
        lifted.body += _without_reads(copy.deepcopy(statement), lifted)
    lines = LineReads()
    lifted.body = [lines.visit(statement) for statement in lifted.body]
    if lines.found:
        lifted.slots["lines"] = Slot().vote("list", OBSERVED).role("lines")
        lifted.slots["lines"].element.vote("str", OBSERVED)
        lifted.meanings["lines"] = "the lines of the input"
        if lines.iterates:
            lifted.body.insert(0, ast.parse("remaining = iter(lines)").body[0])
    return lifted


def _without_reads(statement: ast.stmt, lifted: _Lifted) -> Iterator[ast.stmt]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, found = statement.targets[0], reading(statement.value)
        if found is not None and isinstance(target, ast.Name) and target.id not in lifted.slots:
            lifted.add(target.id, found)
            return
        names = [e.id for e in getattr(target, "elts", []) if isinstance(e, ast.Name)]
        if found is not None and found.is_list and names and not lifted.slots.keys() & set(names):
            for name in names:
                lifted.add(name, found.item())
            return
        if isinstance(target, ast.Name) and target.id in lifted.slots:
            converted = _conversion_of(statement.value, target.id)
            if converted is not None:
                lifted.slots[target.id] = Slot().vote(converted, OBSERVED)
                return
    replaced = _ReadsReplaced(lifted).visit(statement)
    assert isinstance(replaced, ast.stmt)
    yield replaced


def _conversion_of(value: ast.expr, name: str) -> str | None:
    match value:
        case ast.Call(func=ast.Name(id="int" | "float" as kind), args=[ast.Name(id=read)]):
            return kind if read == name else None
        case _:
            return None


class _ReadsReplaced(ast.NodeTransformer):
    """Replaces reads outside of loops by parameters."""

    def __init__(self, lifted: _Lifted) -> None:
        self._lifted = lifted

    def visit(self, node: ast.AST) -> ast.AST:
        loops = ast.For | ast.While | Function | ast.Lambda | ast.ListComp | ast.GeneratorExp
        if isinstance(node, ast.expr):
            found = reading(node)
            if found is not None:
                return ast.Name(self._lifted.add("value", found), ast.Load())
        if isinstance(node, loops):
            return node
        return self.generic_visit(node)


# Constants ---------------------------------------------------------------------


def _lift_constants(body: Sequence[ast.stmt]) -> _Lifted | None:
    """Make parameters of names that are bound to a literal before anything else happens."""
    lifted = _Lifted([])
    for position, statement in enumerate(body):
        value = statement.value if isinstance(statement, ast.Assign) else None
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if value is not None and isinstance(target, ast.Name) and _is_literal(value):
            used = any(target.id in free_names(later) for later in body[position + 1 :])
            shown = ast.literal_eval(value)
            if used and target.id not in lifted.slots and shown not in (0, "", [], {}, None, True):
                lifted.slots[target.id] = Slot()
                lifted.slots[target.id].show(shown)
                continue
        lifted.body.append(statement)
    return lifted if 0 < len(lifted.slots) <= _MOST_CONSTANTS else None


def _lift_limits(body: Sequence[ast.stmt]) -> _Lifted:
    """Make parameters of the numbers that bound loops."""
    limits = _Limits()
    lifted = _Lifted([limits.visit(copy.deepcopy(statement)) for statement in body])
    for value, name in list(limits.names.items())[:2]:
        lifted.slots[name] = Slot()
        lifted.slots[name].show(value)
    return lifted


class _Limits(ast.NodeTransformer):
    """Replaces numbers in `range(...)` and in comparisons of loops by names."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id == "range" and len(node.args) < 3:
            node.args[-1] = self._replaced(node.args[-1])
        return self.generic_visit(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        if isinstance(node.test, ast.Compare):
            node.test.comparators = [self._replaced(c) for c in node.test.comparators]
        return self.generic_visit(node)

    def _replaced(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value >= 5:
            if node.value not in self.names and len(self.names) == 2:
                return node
            name = self.names.setdefault(node.value, "limit" if not self.names else "second_limit")
            return ast.Name(name, ast.Load())
        return node


def _is_literal(node: ast.expr) -> bool:
    if not all(isinstance(child, _PLAIN) for child in ast.walk(node)):
        return False
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError):
        return False
    return True


# Output ------------------------------------------------------------------------


def _returning(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the value instead of printing it, where one value is printed, at the very end."""
    prints = [
        node
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    tails = list(_tail_prints(body))
    if not tails or len(tails) != len(prints):
        return body
    for block, call in tails:
        block[-1] = ast.Return(call.args[0])
    return body


def _tail_prints(body: list[ast.stmt]) -> Iterator[tuple[list[ast.stmt], ast.Call]]:
    last = body[-1] if body else None
    if isinstance(last, ast.If):
        yield from _tail_prints(last.body)
        yield from _tail_prints(last.orelse)
    elif (
        isinstance(last, ast.Expr)
        and isinstance(last.value, ast.Call)
        and isinstance(last.value.func, ast.Name)
        and last.value.func.id == "print"
        and len(last.value.args) == 1
        and not last.value.keywords
    ):
        yield body, last.value


class _Ending(ast.NodeTransformer):
    """Turns `exit()` into `return`."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in (
            *("exit", "quit", "sys.exit"),
        ):
            return ast.Return(None)
        return node


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
