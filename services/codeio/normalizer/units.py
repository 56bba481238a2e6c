"""What a file offers to be made a program of: functions and methods."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codeio.normalizer.closure import Closure, close
from codeio.normalizer.docs import Documentation, comments_above, read_docstring
from codeio.normalizer.purity import check
from codeio.normalizer.scopes import MUTATORS, Function, attribute_names, base_name, body_nodes
from codeio.normalizer.structures import NodeKind, node_class

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codeio.normalizer.evidence import Slot
    from codeio.normalizer.signatures import Signature
    from codeio.normalizer.source import SourceFile
    from codeio.normalizer.usage import Inference


@dataclass(frozen=True)
class Operation:
    """A method that may be called on an object; its arguments are slots of the unit by name."""

    method: str
    slot_names: tuple[str, ...]
    adds: bool
    """Whether it takes an argument and changes the object."""


@dataclass(frozen=True)
class Unit:
    """A function, method or script that may become a program."""

    name: str
    """Qualified name in the file."""
    node: Function
    slots: Mapping[str, Slot]
    """What is known of each parameter of the program."""
    closure: Closure
    call: str
    """Expression that calls it, with `{parameter}` where an argument goes."""
    reset: tuple[str, ...] = ()
    """Lines that give module-level state its first value again."""
    documentation: Documentation = field(default_factory=Documentation)
    examples: list[dict[str, Any]] = field(default_factory=list)
    operations: tuple[Operation, ...] = ()
    """Where the parameter `operations` lists what is done to an object: what there is to do."""

    is_script: bool = False

    @property
    def logic(self) -> int:
        """How many decisions, loops and comprehensions there are, helpers included."""
        return logic_of(self.closure.statements)


def logic_of(statements: Iterable[ast.stmt]) -> int:
    """Count decisions, loops and comprehensions."""
    return sum(
        isinstance(node, ast.If | ast.For | ast.While | ast.comprehension | ast.IfExp)
        for statement in statements
        for node in ast.walk(statement)
    )


@dataclass(frozen=True)
class Refusal:
    """A unit that cannot become a program, and why."""

    name: str
    reason: str
    detail: str


def function_unit(file: SourceFile, inference: Inference, node: Function) -> Unit | None:
    signature = inference.signatures.get(node.name)
    if signature is None or signature.node.name != node.name:
        return None
    names = wanted_parameters(signature, skip=0)
    self_like = bool(signature.names) and signature.names[0] == "self"
    if self_like:
        names.remove("self")
    if not names:
        return None
    arguments = _arguments(signature, names, skip=0)
    call = f"{node.name}({'None, ' if self_like else ''}{arguments})"
    closure = closed(file, frozenset({node.name}), frozenset())
    return Unit(
        name=node.name,
        node=node,
        slots={name: signature.parameters[name] for name in names},
        closure=closure,
        call=call,
        reset=state_resets(closure),
        documentation=_documentation(file, node),
    )


def method_unit(
    file: SourceFile, inference: Inference, owner: ast.ClassDef, node: Function
) -> Unit | None:
    signature = inference.signatures[f"{owner.name}.{node.name}"]
    constructor = inference.signatures.get(f"{owner.name}.__init__")
    static = not signature.takes_self or _is_classmethod(node)
    skip = 1 if signature.takes_self else 0
    names = wanted_parameters(signature, skip=skip)
    slots: dict[str, Slot] = {name: signature.parameters[name] for name in names}
    if static:
        made = owner.name
    else:
        built = [] if constructor is None else wanted_parameters(constructor, skip=1)
        renamed = {name: f"initial_{name}" if name in slots else name for name in built}
        first = {renamed[n]: constructor.parameters[n] for n in built} if constructor else {}
        slots = {**first, **slots}
        made = f"{owner.name}({', '.join(f'{name}={{{renamed[name]}}}' for name in built)})"
    if not slots:
        return None
    closure = closed(file, frozenset({owner.name}), frozenset({node.name}))
    return Unit(
        name=f"{owner.name}.{node.name}",
        node=node,
        slots=slots,
        closure=closure,
        call=f"{made}.{node.name}({_arguments(signature, names, skip=skip)})",
        reset=state_resets(closure),
        documentation=_documentation(file, node),
    )


def closed(file: SourceFile, names: frozenset[str], attributes: frozenset[str]) -> Closure:
    """Return what a unit of these names and methods needs.

    Raises:
        Rejected: it is impure, or something that it needs is missing.
    """
    closure = close(file, names, attributes)
    # A function on nodes need not name their class; making its arguments does.
    used = frozenset().union(*(attribute_names(part) for part in closure.statements))
    definitions = list(file.classes())
    kinds: list[tuple[NodeKind, str]] = [("linked", "next"), ("tree", "left")]
    for kind, link in kinds:
        found = node_class(definitions, kind)
        if link in used and found is not None and not node_class(closure.statements, kind):
            closure = close(file, names | {found.name}, attributes)
    check(closure.statements)
    return closure


def wanted_parameters(signature: Signature, skip: int) -> list[str]:
    """Return the parameters that the program gets: those without default, and simple defaults."""
    node = signature.node
    positional = signature.names[skip:]
    defaults: dict[str, ast.expr] = dict(
        zip(reversed(signature.names), reversed(node.args.defaults), strict=False)
    )
    keyword_defaults = zip(signature.keyword_names, node.args.kw_defaults, strict=True)
    defaults |= {name: default for name, default in keyword_defaults if default is not None}
    accumulated = _accumulators(node)
    wanted = []
    for name in (*positional, *signature.keyword_names):
        default = defaults.get(name)
        if default is None or (name not in accumulated and _is_telling(default)):
            wanted.append(name)
    if node.args.vararg and not wanted:
        wanted.append(node.args.vararg.arg)
    return wanted


def _is_telling(default: ast.expr) -> bool:
    """Tell whether a default shows that the caller may choose a value, and of what type."""
    if isinstance(default, ast.Constant):
        return default.value is not None
    return isinstance(default, ast.UnaryOp) or bool(getattr(default, "elts", []))


def _accumulators(node: Function) -> set[str]:
    """Return the parameters with defaults that a recursive function passes on to itself."""
    names = [arg.arg for arg in node.args.args]
    passed: set[str] = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Call) and ast.unparse(child.func).split(".")[-1] == node.name:
            count = len(child.args) + (1 if isinstance(child.func, ast.Attribute) else 0)
            passed.update(names[:count])
            passed.update(keyword.arg for keyword in child.keywords if keyword.arg)
    return passed


def _fresh_defaults(node: Function, names: list[str]) -> list[str]:
    """Return arguments for parameters whose default is one empty container for all calls."""
    pairs = zip(reversed(node.args.args), reversed(node.args.defaults), strict=False)
    return [
        f"{arg.arg}={'{{}}' if isinstance(default, ast.Dict) else '[]'}"
        for arg, default in pairs
        if arg.arg not in names
        and isinstance(default, ast.List | ast.Dict)
        and not ast.unparse(default).strip("[]{}")
    ]


def _arguments(signature: Signature, names: list[str], skip: int) -> str:
    positional = signature.names[skip:]
    parts = []
    broken = False
    for name in positional:
        if name in names:
            parts.append(f"{name}={{{name}}}" if broken else f"{{{name}}}")
        else:
            broken = True
    parts += [f"{name}={{{name}}}" for name in signature.keyword_names if name in names]
    parts += _fresh_defaults(signature.node, names)
    vararg = signature.node.args.vararg
    if vararg and vararg.arg in names:
        parts.append(f"*{{{vararg.arg}}}")
    return ", ".join(parts)


def state_resets(closure: Closure) -> tuple[str, ...]:
    """Return lines that set module-level state that functions change to its first value."""
    initial = {
        statement.targets[0].id: ast.unparse(statement.value)
        for statement in closure.statements
        if isinstance(statement, ast.Assign)
        and len(statement.targets) == 1
        and isinstance(statement.targets[0], ast.Name)
        and _is_plain(statement.value)
    }
    changed: set[str] = set()
    for statement in closure.statements:
        if not isinstance(statement, Function | ast.ClassDef):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Global):
                changed.update(node.names)
            elif isinstance(node, Function):
                changed |= _changed_outer(node) & initial.keys()
    names = [name for name in initial if name in changed]
    if not names:
        return ()
    return (f"global {', '.join(names)}", *(f"{name} = {initial[name]}" for name in names))


def _changed_outer(node: Function) -> set[str]:
    changed: set[str] = set()
    local = {arg.arg for arg in node.args.args}
    for child in body_nodes(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            local.add(child.id)
    for child in body_nodes(node):
        name: str | None = None
        if isinstance(child, ast.Subscript) and isinstance(child.ctx, ast.Store):
            name = base_name(child)
        elif (
            isinstance(child, ast.Call)
            and isinstance(child.func, ast.Attribute)
            and child.func.attr in MUTATORS
        ):
            name = base_name(child.func)
        if name is not None and name not in local:
            changed.add(name)
    return changed


_PLAIN = (
    *(ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.expr_context),
    *(ast.UnaryOp, ast.unaryop, ast.BinOp, ast.operator),
)


def _is_plain(node: ast.expr) -> bool:
    """Tell whether an expression is a literal, or an empty container."""
    return all(
        isinstance(child, _PLAIN)
        or (isinstance(child, ast.Call) and not child.args)
        or (isinstance(child, ast.Name) and child.id in ("list", "dict", "set"))
        for child in ast.walk(node)
    )


def _documentation(file: SourceFile, node: Function) -> Documentation:
    docstring = ast.get_docstring(node)
    return read_docstring(docstring or comments_above(file.text, node.lineno))


def _is_classmethod(node: Function) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "classmethod" for d in node.decorator_list)
