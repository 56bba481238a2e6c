"""A source file, taken apart into its top-level statements."""

from __future__ import annotations

import ast
import copy
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.normalizer.prelude import AVAILABLE, BUILTINS, KNOWN, Modernised
from codeio.normalizer.scopes import Function, bound_names, changed_names, free_names
from codeio.normalizer.timing import Untimed
from codeio.runtime.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Statement:
    """A top-level statement; those under `if __name__ == "__main__"` come last."""

    node: ast.stmt
    binds: frozenset[str]
    changes: frozenset[str]
    in_main: bool

    @property
    def is_definition(self) -> bool:
        return isinstance(self.node, Function | ast.ClassDef)

    @property
    def is_import(self) -> bool:
        return isinstance(self.node, ast.Import | ast.ImportFrom)


@dataclass(frozen=True)
class SourceFile:
    """A parsed file.

    `original` is the tree as written, from which types are read; `statements`
    are cleaned: annotations and decorators that need what is not there are gone.
    """

    text: str
    original: ast.Module
    statements: tuple[Statement, ...]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for statement in self.statements for name in statement.binds)

    def functions(self) -> Iterator[Function]:
        for statement in self.statements:
            if isinstance(statement.node, Function):
                yield statement.node

    def classes(self) -> Iterator[ast.ClassDef]:
        for statement in self.statements:
            if isinstance(statement.node, ast.ClassDef):
                yield statement.node


# Definitions of one name that are looked at, each as if it were the only one.
_MOST_VERSIONS = 4


def versions(file: SourceFile) -> Iterator[tuple[SourceFile, frozenset[str] | None]]:
    """Yield the file with one definition of each name, and the names that are new in it.

    People keep several solutions of a problem in one file, all by one name;
    Python would see the last one only. The first version holds the last ones,
    and all its names are new, which None stands for.
    """
    repeated: dict[str, list[ast.stmt]] = {}
    for node in file.original.body:
        if isinstance(node, Function | ast.ClassDef):
            repeated.setdefault(node.name, []).append(node)
    repeated = {name: nodes for name, nodes in repeated.items() if len(nodes) > 1}
    if not repeated:
        yield file, None
        return
    most = max(len(nodes) for nodes in repeated.values())
    for number in range(min(most, _MOST_VERSIONS)):
        dropped = {
            id(node)
            for nodes in repeated.values()
            for position, node in enumerate(reversed(nodes))
            if position != min(number, len(nodes) - 1)
        }
        tree = ast.Module([n for n in file.original.body if id(n) not in dropped], [])
        new = frozenset(name for name, nodes in repeated.items() if len(nodes) > number)
        yield _taken_apart(file.text, tree), new if number else None


def parse(text: str) -> SourceFile:
    """Parse a file.

    Raises:
        Rejected: it is not Python 3.
    """
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    try:
        tree = syntax_tree(text)
    except TabError:
        # Python 2 let tabs and spaces be mixed, a tab reaching to the next multiple of eight.
        return parse(text.expandtabs(8))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Rejected("not_parseable", str(error)) from error
    defined = frozenset().union(*(bound_names(node) for node in tree.body))
    tree = Untimed().visit(Modernised(defined).visit(tree))
    return _taken_apart(text, tree)


def syntax_tree(text: str) -> ast.Module:
    """Parse as `ast.parse` does, without its warnings, which are the author's concern."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _taken_apart(text: str, tree: ast.Module) -> SourceFile:
    defined = frozenset().union(*(bound_names(node) for node in tree.body))
    cleaned = _Cleaned(_unavailable(tree, defined)).visit(copy.deepcopy(tree))
    return SourceFile(text, tree, tuple(_statements(cleaned)))


def _statements(tree: ast.Module) -> Iterator[Statement]:
    late: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.If) and is_main_guard(node.test):
            late.extend(node.body)
        elif not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            yield _statement(node, in_main=False)
    for node in late:
        yield _statement(node, in_main=True)


def _statement(node: ast.stmt, *, in_main: bool) -> Statement:
    definition = isinstance(node, Function | ast.ClassDef)
    changes = frozenset() if definition else changed_names(node)
    return Statement(node, bound_names(node), changes, in_main)


def is_main_guard(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
    )


def _unavailable(tree: ast.Module, defined: frozenset[str]) -> frozenset[str]:
    """Return the names that would fail when an annotation or decorator is evaluated."""
    missing: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.split(".")[0]
                if root not in AVAILABLE:
                    missing.add((alias.asname or root).split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            root = (node.module or "").split(".")[0]
            if node.level or root not in AVAILABLE:
                missing.update(alias.asname or alias.name for alias in node.names)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return frozenset(missing | (used - defined - BUILTINS - KNOWN))


class _Cleaned(ast.NodeTransformer):
    """Drops annotations and compiling decorators that name what is not there."""

    def __init__(self, missing: frozenset[str]) -> None:
        self._missing = missing

    def _lacking(self, node: ast.expr | None) -> bool:
        return node is not None and bool(free_names(node) & self._missing)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        if self._lacking(node.annotation):
            node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if self._lacking(node.annotation):
            node.annotation = ast.Name("object", ast.Load())
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if self._lacking(node.returns):
            node.returns = None
        # numba's decorators make a function fast and leave its meaning.
        node.decorator_list = [
            decorator
            for decorator in node.decorator_list
            if not (
                self._lacking(decorator)
                and ast.unparse(decorator).split("(")[0].split(".")[-1]
                in ("jit", "njit", "vectorize", "profile", "timeit", "timer", "override")
            )
        ]
        return self.generic_visit(node)
