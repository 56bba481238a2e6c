"""Which names a piece of code needs from outside, and which it binds."""

from __future__ import annotations

import ast
from typing import TypeAlias

from codeio.normalizer.vocabulary import listed

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


# Methods of the built-in containers that change the object they are called on.
MUTATORS = frozenset(
    listed(
        "append extend insert remove pop clear sort reverse add discard update setdefault "
        "popitem appendleft popleft extendleft rotate difference_update "
        "intersection_update"
    )
)


def free_names(node: ast.AST) -> frozenset[str]:
    """Return the names that the node reads from the scope around it."""
    scope = _Scope()
    scope.visit(node)
    return frozenset((scope.loads | scope.nested) - (scope.stores - scope.loads_first))


def bound_names(node: ast.AST) -> frozenset[str]:
    """Return the names that executing the node binds in its own scope."""
    scope = _Scope()
    scope.visit(node)
    return frozenset(scope.stores)


def attribute_names(node: ast.AST) -> frozenset[str]:
    """Return every attribute name that occurs in the node."""
    return frozenset(child.attr for child in ast.walk(node) if isinstance(child, ast.Attribute))


def changed_names(node: ast.AST) -> frozenset[str]:
    """Return the names whose objects the node changes in place, functions inside excluded."""
    changed: set[str] = set()
    for child in own_nodes(node):
        target: ast.AST | None = None
        if isinstance(child, ast.Subscript | ast.Attribute) and not isinstance(child.ctx, ast.Load):
            target = child
        elif (
            isinstance(child, ast.Call)
            and isinstance(child.func, ast.Attribute)
            and child.func.attr in MUTATORS
        ):
            target = child.func
        name = base_name(target) if target is not None else None
        if name is not None:
            changed.add(name)
    return frozenset(changed)


def base_name(node: ast.AST) -> str | None:
    """Return `a` for `a`, `a.b[0].c` and the like."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def own_nodes(node: ast.AST) -> list[ast.AST]:
    """Return the nodes below and including this one, bodies of functions and classes excluded."""
    found = [node]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return found
    for child in ast.iter_child_nodes(node):
        found.extend(own_nodes(child))
    return found


def body_nodes(node: Function) -> list[ast.AST]:
    """Return the nodes of a function's own body, functions inside excluded."""
    return [child for statement in node.body for child in own_nodes(statement)]


class _Scope(ast.NodeVisitor):
    def __init__(self) -> None:
        self.loads: set[str] = set()
        self.stores: set[str] = set()
        self.nested: set[str] = set()
        self.declared_global: set[str] = set()
        # Read by an augmented assignment, so needed from outside as well as bound here.
        self.loads_first: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        (self.loads if isinstance(node.ctx, ast.Load) else self.stores).add(node.id)

    def visit_Global(self, node: ast.Global) -> None:
        self.declared_global.update(node.names)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.loads.add(node.target.id)
            self.loads_first.add(node.target.id)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.stores.update((alias.asname or alias.name).split(".")[0] for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.stores.update(alias.asname or alias.name for alias in node.names)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.stores.add(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self.stores.add(node.name)
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.stores.add(node.name)
        for part in (*node.bases, *node.keywords, *node.decorator_list):
            self.visit(part)
        inner = _Scope()
        for statement in node.body:
            inner.visit(statement)
        # Names of a class body are no scope for its methods.
        self.nested |= (inner.loads - inner.stores) | inner.nested
        self.nested.discard(node.name)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._inner(node.args, [node.body])

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node)

    def _comprehension(self, node: ast.AST) -> None:
        inner = _Scope()
        inner.generic_visit(node)
        self.nested |= (inner.loads | inner.nested) - inner.stores

    def _function(self, node: Function) -> None:
        self.stores.add(node.name)
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        annotations = [arg.annotation for arg in every] + [node.returns]
        for part in (*node.decorator_list, *annotations):
            if part is not None:
                self.visit(part)
        self._inner(arguments, node.body)

    def _inner(self, arguments: ast.arguments, body: list[ast.stmt] | list[ast.expr]) -> None:
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self.visit(default)
        inner = _Scope()
        for part in body:
            inner.visit(part)
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [arg for arg in (arguments.vararg, arguments.kwarg) if arg]
        local = (inner.stores | {arg.arg for arg in every}) - inner.declared_global
        self.nested |= ((inner.loads | inner.nested) - local) | inner.declared_global
