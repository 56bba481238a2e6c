"""Takes out stop-watches: code that measures how long other code takes, and only prints it."""

from __future__ import annotations

import ast

from codeio.normalizer.scopes import free_names

_CLOCKS = frozenset(
    {
        *("time.time", "time.clock", "time.perf_counter", "time.process_time", "time.monotonic"),
        *("timeit.default_timer", "default_timer", "perf_counter", "clock"),
        *("datetime.now", "datetime.datetime.now"),
    }
)

_HARMLESS = frozenset(
    {"print", "round", "str", "int", "float", *(clock.split(".")[0] for clock in _CLOCKS)}
)


class Untimed(ast.NodeTransformer):
    """Removes readings of a clock, what is computed from them, and prints of that.

    Where a reading is used for anything else all of it stays, and makes the code impure.
    """

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self.generic_visit(node)
        node.body = _without_watch(node.body)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.body = _without_watch(node.body) or [ast.Pass()]
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        node.body = _without_watch(node.body) or [ast.Pass()]
        return node


def _without_watch(body: list[ast.stmt]) -> list[ast.stmt]:
    readings: set[str] = set()
    kept: list[ast.stmt] = []
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_timed(value, readings):
                readings.add(name)
            case ast.Expr(value=ast.Call(func=ast.Name(id="print")) as call) if (
                _is_timed(call, readings) and free_names(call) <= readings | _HARMLESS
            ):
                pass
            case _:
                kept.append(statement)
    used = {name for statement in kept for name in free_names(statement)}
    return body if readings & used else kept


def _is_timed(node: ast.expr, readings: set[str]) -> bool:
    return bool(free_names(node) & readings) or any(
        isinstance(child, ast.Call) and ast.unparse(child.func) in _CLOCKS
        for child in ast.walk(node)
    )
