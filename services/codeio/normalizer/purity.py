"""Refuses code whose result depends on more than its arguments."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.runtime.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable

from codeio.normalizer.vocabulary import listed

_MODULES = {
    **dict.fromkeys(
        listed(
    "shutil tempfile glob pickle shelve sqlite3 zipfile tarfile csv fileinput"
), "file"
    ),
    **dict.fromkeys(
        listed(
    "socket urllib http ftplib smtplib ssl requests xmlrpc asyncio selectors"
), "network"
    ),
    **dict.fromkeys(
        listed(
    "subprocess multiprocessing threading concurrent signal ctypes pty"
), "process"
    ),
    **dict.fromkeys(listed(
    "tkinter turtle curses webbrowser msvcrt winsound getpass"
), "interaction"),
    **dict.fromkeys(["secrets", "uuid"], "randomness"),
    **dict.fromkeys(["timeit", "cProfile", "profile"], "clock"),
    **dict.fromkeys(["argparse", "optparse", "getopt", "platform"], "environment"),
}  # fmt: skip
_PURE_OS = frozenset({"path", "sep", "linesep"})
_PURE_OS_PATH = frozenset(
    {"join", "split", "splitext", "basename", "dirname", "normpath", "commonprefix", "sep"}
)
_CLOCKS = frozenset({"now", "today", "utcnow"})
_SYS = {"argv": "environment", "stdin": "stdin", "platform": "environment", "path": "environment"}
_BUILTINS = {
    "open": "file",
    "input": "stdin",
    "__import__": "environment",
    "breakpoint": "interaction",
}


def check(statements: Iterable[ast.stmt]) -> None:
    """Check a closure, the unit itself included.

    Raises:
        Rejected: `impure:` with what it depends on.
    """
    nodes = [node for statement in statements for node in ast.walk(statement)]
    modules = _imported(nodes)
    seeded = any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "seed"
        and node.args
        for node in nodes
    )
    for node in nodes:
        kind = _impurity(node, modules, seeded=seeded)
        if kind is not None:
            raise Rejected(f"impure:{kind}", f"line {getattr(node, 'lineno', 0)}: {_shown(node)}")


def _imported(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """Return local name to dotted origin for everything imported."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    found[alias.asname] = alias.name
                else:
                    root = alias.name.split(".")[0]
                    found[root] = root
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def _impurity(node: ast.AST, modules: dict[str, str], *, seeded: bool) -> str | None:
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in _BUILTINS and name not in modules:
            return _BUILTINS[name]
        case ast.Name(id=name) if name in modules:
            return _origin(modules[name], seeded=seeded)
        case ast.Attribute():
            dotted = _dotted(node)
            if dotted is None:
                return None
            root, _, rest = dotted.partition(".")
            if root in modules:
                return _origin(f"{modules[root]}.{rest}", seeded=seeded)
        case _:
            pass
    return None


def _origin(dotted: str, *, seeded: bool) -> str | None:
    parts = dotted.split(".")
    root, last = parts[0], parts[-1]
    if root in _MODULES and len(parts) > 1:
        return None if dotted.startswith("csv.") and last == "reader" else _MODULES[root]
    if root == "os" and len(parts) > 1:
        pure = parts[1] in _PURE_OS and (len(parts) < 3 or last in _PURE_OS_PATH)
        return None if pure else "file" if parts[1] != "environ" else "environment"
    if root == "time" and len(parts) > 1:
        return "clock"
    if root == "datetime" and last in _CLOCKS:
        return "clock"
    if root == "sys" and len(parts) > 1:
        return _SYS.get(parts[1])
    if root == "random" and len(parts) > 1:
        return None if seeded or parts[1] in ("Random", "seed") else "randomness"
    if root in ("numpy", "scipy") and "random" in parts[1:-1]:
        return None if seeded or last in ("seed", "RandomState") else "randomness"
    if root == "pathlib" or (root in ("numpy", "pandas") and last.startswith(_READERS)):
        return "file"
    return None


_READERS = ("loadtxt", "genfromtxt", "read_csv", "read_excel", "savetxt", "fromfile", "read_json")


def _dotted(node: ast.expr) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def _shown(node: ast.AST) -> str:
    return ast.unparse(node)[:80]
