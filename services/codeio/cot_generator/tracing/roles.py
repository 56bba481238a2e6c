"""What a loop is for, read from what its body does to variables."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.cot_generator.tracing.wording import code, listed

if TYPE_CHECKING:
    from codeio.cot_generator.tracing.story import LoopRun
    from codeio.runtime.trace import Trace

_MOST = 2


def role(run: LoopRun, trace: Trace) -> str:
    """Return the loop's purpose as a participle, such as "adding up `total`"; empty if unclear."""
    found: dict[str, None] = {}
    for node in run.node.body:
        for part in ast.walk(node):
            purpose = _purpose(part, run, trace)
            if purpose:
                found[purpose] = None
    return listed(list(found)[:_MOST])


def _purpose(node: ast.AST, run: LoopRun, trace: Trace) -> str:
    match node:
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=value):
            text = trace.variable(name, frame=run.first.frame, after=len(trace.steps)) or ""
            if text[:1] in ("'", '"'):
                return f"building up {code(name)}"
            if isinstance(value, ast.Constant):
                steering = isinstance(run.node, ast.While) and name in _names(run.node.test)
                return "" if steering else f"counting in {code(name)}"
            return f"adding up {code(name)}"
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Mult()):
            return f"multiplying up {code(name)}"
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.Call(func=ast.Name(id="max" | "min" as function), args=[*parts]),
        ) if name in {part.id for part in parts if isinstance(part, ast.Name)}:
            size = "largest" if function == "max" else "smallest"
            return f"keeping the {size} value in {code(name)}"
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append" | "add")):
            return f"collecting in {code(name)}"
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))]):
            return f"filling {code(name)}"
        case ast.AugAssign(target=ast.Subscript(value=ast.Name(id=name))):
            return f"updating {code(name)}"
    return ""


def _names(node: ast.expr) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
