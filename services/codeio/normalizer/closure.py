"""What a unit needs from its file, and nothing else."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.normalizer.prelude import AVAILABLE, BUILTINS, KNOWN, statement_for
from codeio.normalizer.scopes import Function, attribute_names, free_names
from codeio.runtime.errors import Rejected

if TYPE_CHECKING:
    from codeio.normalizer.source import SourceFile, Statement

# Special methods that nothing calls by name.
_DISPLAY_ONLY = frozenset({"__del__", "__reduce__", "__getstate__", "__setstate__"})


@dataclass(frozen=True)
class Closure:
    """Statements in the file's order; module-level state that functions change is named."""

    statements: tuple[ast.stmt, ...]
    names: frozenset[str]

    @property
    def source(self) -> str:
        return "\n\n".join(ast.unparse(statement) for statement in self.statements) + "\n"


def close(
    file: SourceFile,
    needed: frozenset[str],
    attributes: frozenset[str],
    *,
    given: frozenset[str] = frozenset(),
    extra: tuple[ast.stmt, ...] = (),
) -> Closure:
    """Return what names and methods need, transitively.

    Args:
        file: where to look.
        needed: names that the unit reads.
        attributes: attributes that the unit reads; methods of other names are left out.
        given: names that the unit defines itself.
        extra: statements of the unit that are not in the file; they come last.

    Raises:
        Rejected: a package is missing, or a name is defined nowhere.
    """
    attributes |= frozenset().union(*(attribute_names(node) for node in extra))
    kept: dict[int, ast.stmt] = {}
    while True:
        known = _Names(needed - given, attributes, kept)
        grown: dict[int, ast.stmt] = {}
        for index, statement in enumerate(file.statements):
            part = _needed_part(statement, known, given)
            if part is not None:
                grown[index] = part
        if _same(grown, kept):
            break
        kept = grown
    bound = file.names | BUILTINS | given
    undefined = sorted(known.names - bound)
    supplied = []
    for name in undefined:
        if name not in KNOWN:
            star = _star_import(file)
            raise Rejected(
                f"missing_package:{star}" if star else "undefined_name", f"{name} is not defined"
            )
        supplied.append(statement_for(name))
    ordered = [kept[index] for index in sorted(kept)]
    for node in ordered:
        _check_import(node)
    return Closure(_imports_first([*supplied, *ordered, *extra]), frozenset(known.names))


class _Names:
    """Names and attributes that are needed, given what is kept so far."""

    def __init__(
        self, names: frozenset[str], attributes: frozenset[str], kept: dict[int, ast.stmt]
    ) -> None:
        self.names = set(names)
        self.attributes = set(attributes)
        self.dynamic = "getattr" in names
        for node in kept.values():
            free = free_names(node)
            self.names |= free
            self.dynamic = self.dynamic or "getattr" in free
            self.attributes |= attribute_names(node)


def _needed_part(statement: Statement, known: _Names, given: frozenset[str]) -> ast.stmt | None:
    node = statement.node
    needed = known.names - given
    if isinstance(node, ast.Import | ast.ImportFrom):
        return _needed_aliases(node, needed)
    if isinstance(node, ast.ClassDef):
        return _needed_members(node, known) if node.name in needed else None
    if isinstance(node, Function):
        return node if node.name in needed else None
    if statement.in_main and not isinstance(node, ast.Assign | ast.AnnAssign):
        return None
    if isinstance(node, ast.Expr) and _calls(node, ("print", "input")):
        return None
    return node if (statement.binds | statement.changes) & needed else None


def _needed_aliases(node: ast.Import | ast.ImportFrom, needed: set[str]) -> ast.stmt | None:
    aliases = [
        alias
        for alias in node.names
        if (alias.asname or alias.name.split(".")[0]) in needed
        or (alias.name == "*" and (node.module or "") in AVAILABLE and not node.level)  # type: ignore[union-attr]
    ]
    if not aliases:
        return None
    part = copy.copy(node)
    part.names = aliases
    return part


def _needed_members(node: ast.ClassDef, known: _Names) -> ast.ClassDef:
    if known.dynamic:
        return node
    members: list[ast.stmt] = []
    last = {m.name: m for m in node.body if isinstance(m, Function)}
    for member in node.body:
        if isinstance(member, Function):
            special = member.name.startswith("__") and member.name.endswith("__")
            if special and member.name in _DISPLAY_ONLY:
                continue
            if not special and member.name not in known.attributes:
                continue
            if last[member.name] is not member and not member.decorator_list:
                continue
        members.append(member)
    part = copy.copy(node)
    part.body = members or [ast.Pass()]
    return part


def _check_import(node: ast.stmt) -> None:
    for child in ast.walk(node):
        modules: list[str] = []
        if isinstance(child, ast.Import):
            modules = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom):
            modules = [
                "." + (child.module or child.names[0].name) if child.level else child.module or ""
            ]
        for module in modules:
            root = module.lstrip(".").split(".")[0]
            if module.startswith(".") or root not in AVAILABLE:
                if isinstance(node, ast.Try):
                    continue
                raise Rejected(f"missing_package:{root}", f"import of {module.lstrip('.')}")


def _star_import(file: SourceFile) -> str | None:
    for statement in file.statements:
        node = statement.node
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            root = (node.module or "").split(".")[0]
            if node.level or root not in AVAILABLE:
                return root or "."
    return None


def _calls(node: ast.stmt, names: tuple[str, ...]) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id in names
    )


def _imports_first(statements: list[ast.stmt]) -> tuple[ast.stmt, ...]:
    imports = [s for s in statements if isinstance(s, ast.Import | ast.ImportFrom)]
    others = [s for s in statements if not isinstance(s, ast.Import | ast.ImportFrom)]
    return (*imports, *others)


def _same(left: dict[int, ast.stmt], right: dict[int, ast.stmt]) -> bool:
    return left.keys() == right.keys() and all(_size(left[i]) == _size(right[i]) for i in left)


def _size(node: ast.stmt) -> int:
    if isinstance(node, ast.ClassDef):
        return len(node.body)
    return len(node.names) if isinstance(node, ast.Import | ast.ImportFrom) else 1
