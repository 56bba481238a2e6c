"""What a loop is for, read from what its body does to variables."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.cot_generator.tracing.wording import code, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeio.cot_generator.tracing.story import LoopRun
    from codeio.runtime.trace import Trace

_MOST = 2


def role(run: LoopRun, trace: Trace) -> str:
    """Return the loop's purpose as a participle, such as "adding up `total`"; empty if unclear."""
    found: dict[str, dict[str, None]] = {}
    for node in _own(run.node.body):
        purpose = _purpose(node, run, trace)
        if purpose is not None:
            found.setdefault(purpose[0], {})[code(purpose[1])] = None
    parts = [f"{verb} {listed(list(names))}" for verb, names in found.items()]
    return listed(parts[:_MOST])


def _own(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Yield what a loop's body does itself, without the loops and functions inside it."""
    waiting: list[ast.AST] = list(reversed(body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.For | ast.While | ast.FunctionDef | ast.Lambda | ast.ClassDef):
            continue
        yield node
        waiting.extend(reversed(list(ast.iter_child_nodes(node))))


def _purpose(node: ast.AST, run: LoopRun, trace: Trace) -> tuple[str, str] | None:
    match node:
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=value):
            text = trace.variable(name, frame=run.first.frame, after=len(trace.steps)) or ""
            if text[:1] in ("'", '"'):
                return "building up", name
            if isinstance(value, ast.Constant):
                steering = isinstance(run.node, ast.While) and name in _names(run.node.test)
                return None if steering else ("counting in", name)
            return "adding up", name
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Mult()):
            return "multiplying up", name
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.Call(func=ast.Name(id="max" | "min" as function), args=[*parts]),
        ) if name in {part.id for part in parts if isinstance(part, ast.Name)}:
            size = "largest" if function == "max" else "smallest"
            return f"keeping the {size} value in", name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append" | "add")):
            return "collecting in", name
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))]):
            return "filling", name
        case ast.AugAssign(target=ast.Subscript(value=ast.Name(id=name))):
            return "updating", name
    return None


def _names(node: ast.expr) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
