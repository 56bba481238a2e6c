"""Changes the syntax tree of a program so that what it does can be recorded.

Statements get their number as their line, and the expressions inside functions
are wrapped in calls of two probes, which the recorder puts among the builtins.
What the program computes stays the same.
"""

import ast
from typing import Any, TypeAlias

Position: TypeAlias = list[int | None]

SILENT = (
    ast.Constant, ast.Name, ast.Lambda, ast.Starred, ast.Slice, ast.GeneratorExp,
    ast.Yield, ast.YieldFrom, ast.Await, ast.FormattedValue,
)  # fmt: skip
Tested: TypeAlias = ast.If | ast.While | ast.IfExp | ast.Assert


def instrument(tree: ast.Module, source: str) -> "Table":
    """Change the tree of a source in place; return where its statements and expressions stood."""
    table = Table(source)
    Instrumenter(table).visit(tree)
    renumber(tree, table, 1)
    ast.fix_missing_locations(tree)
    return table


class Table:
    """The source positions of statements and expressions, by number, and the probes' names."""

    def __init__(self, source: str) -> None:
        mark = "codeio"
        while f"__{mark}_" in source:
            mark += "_"  # the program is not to have such names itself
        self.value_probe, self.test_probe = f"__{mark}_value__", f"__{mark}_test__"
        self.statements: list[Position] = [[1, 0, 1, 0], [1, 0, 1, 0]]
        self.expressions: list[Position] = []


def position(node: ast.stmt | ast.expr | ast.excepthandler) -> Position:
    return [node.lineno, node.col_offset, node.end_lineno, node.end_col_offset]


def renumber(node: Any, table: Table, current: int) -> None:
    """Give every statement a line of its own, and its expressions the same line."""
    if isinstance(node, ast.stmt | ast.excepthandler):
        current = len(table.statements)
        table.statements.append(position(node))
    if hasattr(node, "lineno"):
        node.lineno = node.end_lineno = current
        node.col_offset = node.end_col_offset = 0
    for child in ast.iter_child_nodes(node):
        renumber(child, table, current)


class Instrumenter(ast.NodeTransformer):
    """Wraps the expressions inside functions whose values a reader of the code would ask for."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.inside = False

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return self.visit_body(node)
        if not self.inside or not isinstance(node, ast.expr):
            return super().visit(node)
        place = position(node)
        visited = super().visit(node)
        if not self.telling(visited):
            return visited
        return self.probe(self.table.value_probe, visited, place)

    def visit_body(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        before, self.inside = self.inside, True
        node.body = [self.visit(statement) for statement in node.body]
        self.inside = before
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        node.body = self.visit(node.body)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        before, self.inside = self.inside, False
        node.body = [self.visit(statement) for statement in node.body]
        self.inside = before
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.target = self.visit(node.target)
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        # What an expression statement gives is dropped; only its parts tell something.
        super().visit(node.value) if self.inside else self.generic_visit(node)
        return node

    def visit_If(self, node: Tested) -> ast.AST:
        return self.visit_tested(node)

    visit_While = visit_IfExp = visit_Assert = visit_If  # noqa: N815

    def visit_tested(self, node: Tested) -> ast.AST:
        if self.inside:
            place = position(node.test)
            node.test = self.probe(self.table.test_probe, self.visit(node.test), place)
            for name in ("body", "orelse", "msg"):
                part = getattr(node, name, None)
                if isinstance(part, list):
                    setattr(node, name, [self.visit(statement) for statement in part])
                elif part is not None:
                    setattr(node, name, self.visit(part))
            return node
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        # The function itself is no value worth telling; what its method is called on may be.
        if isinstance(node.func, ast.Attribute):
            node.func.value = self.visit_base(node.func.value)
        elif not isinstance(node.func, ast.Name):
            node.func = super().visit(node.func)
        node.args = [self.visit(argument) for argument in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.value = self.visit_base(node.value)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        node.value = self.visit_base(node.value)
        node.slice = self.visit(node.slice)
        return node

    def visit_base(self, node: ast.expr) -> Any:
        # `grid[i]` in `grid[i][j]` is told by `grid[i][j]`.
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            return super().visit(node)
        return self.visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                part.value = self.visit(part.value)
        return node

    def visit_Match(self, node: ast.Match) -> ast.AST:
        node.subject = self.visit(node.subject)
        for case in node.cases:
            if case.guard is not None:
                case.guard = self.visit(case.guard)
            case.body = [self.visit(statement) for statement in case.body]
        return node

    @staticmethod
    def telling(node: ast.expr) -> bool:
        if isinstance(node, SILENT) or type(node).__name__ in ("TemplateStr", "Interpolation"):
            return False
        if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
            return False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            # `super()` and `locals()` look at the frame that calls them.
            return node.func.id not in ("super", "locals", "vars", "dir", "eval", "exec")
        if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            return False
        # A slice with commas, as numpy has it, is no tuple to be told.
        return not (
            isinstance(node, ast.Tuple)
            and any(isinstance(item, ast.Slice | ast.Starred) for item in node.elts)
        )

    def probe(self, name: str, node: ast.expr, place: Position) -> ast.Call:
        if place in self.table.expressions[-1:]:
            number = len(self.table.expressions) - 1
        else:
            number = len(self.table.expressions)
            self.table.expressions.append(place)
        arguments = [ast.Constant(number), node]
        return ast.Call(ast.Name(name, ast.Load()), arguments, [])
