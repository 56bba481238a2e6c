"""A program's syntax tree in a form that does not depend on how somebody wrote it down.

Docstrings are dropped, and names that a program binds for itself are numbered
by their first use: comments, formatting and the names of locals do not count.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BUILTINS = frozenset(dir(builtins))
_Documented: TypeAlias = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def tree_digest(code: str, *, entry_point: str) -> bytes:
    """Return 16 bytes that are equal for programs with the same normalised syntax tree.

    Code that does not parse stands for itself, character by character.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as an invalid escape in somebody's string
            text = _normalised(ast.parse(code), entry_point)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        text = f"{entry_point}\n{code}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _normalised(tree: ast.Module, entry_point: str) -> str:
    """Return a tree as text, with the names that it binds numbered by their first use.

    One number stands for one name in the whole module, so two texts come out
    equal only where a consistent renaming turns one tree into the other. A name
    that also serves as an attribute or as a keyword, or that is a builtin's, may
    reach what is not the module's own, and stays.

    A node is its class followed by its fields, a list its length followed by
    its items: no brackets are needed to tell them apart.
    """
    parts: list[str] = []
    names: list[int] = []
    bound: set[str] = set()
    fixed: set[str] = set()
    left: list[Any] = [tree, entry_point]
    while left:
        item = left.pop()
        if isinstance(item, str):
            names.append(len(parts))
            parts.append(item)
        elif isinstance(item, ast.Constant):
            parts.append(f"={item.value!r}")
        elif isinstance(item, ast.AST):
            if name := _bound(item):
                bound.add(name)
            fixed.update(_reaching(item))
            if isinstance(item, _Documented):
                _drop_docstring(item)
            kind = type(item).__name__
            parts.append(kind)
            left += [getattr(item, field, None) for field in _fields_backwards(kind)]
        elif isinstance(item, list):
            parts.append(f"[{len(item)}")
            left += reversed(item)
        else:
            parts.append(f"~{item}")  # None where a field is empty, or a small number
    own = bound - fixed - _BUILTINS
    numbers: dict[str, str] = {}
    for place in names:
        name = parts[place]
        parts[place] = numbers.setdefault(name, f"#{len(numbers)}") if name in own else f"@{name}"
    return "\n".join(parts)


@cache
def _fields_backwards(kind: str) -> tuple[str, ...]:
    """Return the fields that say something; whether a name is read or written shows already."""
    fields: tuple[str, ...] = getattr(ast, kind)._fields
    silent = {"ctx", "type_comment", "type_ignores"}
    return tuple(field for field in reversed(fields) if field not in silent)


def _bound(node: ast.AST) -> str | None:
    """Return the name that a node binds, if any."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
            return name
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return name
        case ast.MatchMapping(rest=str(name)):
            return name
    return None


def _reaching(node: ast.AST) -> Iterable[str]:
    """Return the names in a node that may mean something outside the module."""
    match node:
        case ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
            return (name,)
        case ast.alias(name=name) | ast.ImportFrom(module=str(name)):
            return (name, name.partition(".")[0])
        case ast.MatchClass(kwd_attrs=names):
            return names
        case ast.ClassDef(body=body):
            return _members(body)
    return ()


def _members(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that a class body defines: they are attributes too."""
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Assign() | ast.AnnAssign():
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name):
                        yield node.id


def _drop_docstring(node: _Documented) -> None:
    match node.body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            node.body = rest or [ast.Pass()]
