"""How programs read standard input, and what type each way of reading expects."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from codeio.normalizer.evidence import OBSERVED, Slot

_CONVERTERS = {"int": "int", "float": "float", "eval": "int", "str": "str"}
_STRIPPING = ("strip", "rstrip", "lstrip")
_CONTAINERS = ("list", "tuple", "sorted")


@dataclass(frozen=True)
class Reading:
    """What an expression reads: a scalar, or a line of them."""

    kind: str
    is_list: bool = False
    prompt: str = ""

    def slot(self) -> Slot:
        if not self.is_list:
            return Slot().vote(self.kind, OBSERVED)
        made = Slot().vote("list", OBSERVED)
        made.element.vote(self.kind, OBSERVED)
        return made

    def item(self) -> Reading:
        return Reading(self.kind)


def reading(node: ast.expr) -> Reading | None:  # noqa: C901  (one case per form)
    """Return what an expression such as `list(map(int, input().split()))` reads, if it does."""
    match node:
        case ast.Call(func=ast.Name(id="input"), args=args):
            prompt = args[0].value if args and isinstance(args[0], ast.Constant) else ""
            return Reading("str", prompt=str(prompt).strip(" :?\n>"))
        case ast.Call(func=ast.Attribute(value=owner, attr="readline")) if _is_stdin(owner):
            return Reading("str")
        case ast.Call(func=ast.Name(id=name), args=[inner]) if name in _CONVERTERS:
            found = reading(inner)
            if found is None or found.is_list:
                return None
            return Reading(_CONVERTERS[name], prompt=found.prompt)
        case ast.Call(func=ast.Name(id=name), args=[inner]) if name in _CONTAINERS:
            found = reading(inner)
            return found if found is not None and found.is_list and name != "sorted" else None
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in _STRIPPING:
            return reading(owner)
        case ast.Call(func=ast.Attribute(value=owner, attr="split")):
            found = reading(owner)
            return Reading("str", is_list=True, prompt=found.prompt) if found else None
        case ast.Call(func=ast.Name(id="map"), args=[ast.Name(id=name), inner]):
            found = reading(inner)
            if found is None or not found.is_list or name not in _CONVERTERS:
                return None
            return Reading(_CONVERTERS[name], is_list=True, prompt=found.prompt)
        case ast.ListComp(elt=ast.Call(func=ast.Name(id=name)), generators=[generator]):
            found = reading(generator.iter)
            if found is None or not found.is_list or name not in _CONVERTERS or generator.ifs:
                return None
            return Reading(_CONVERTERS[name], is_list=True, prompt=found.prompt)
        case _:
            return None


class LineReads(ast.NodeTransformer):
    """Lets reads that are left over, such as those in loops, take from `lines` instead."""

    def __init__(self) -> None:
        self.found = False
        self.iterates = False

    def visit_For(self, node: ast.For) -> ast.AST:
        if _is_stdin(node.iter):
            self.found = True
            node.iter = ast.Name("lines", ast.Load())
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node.func:
            case ast.Name(id="input"):
                return self._next_line()
            case ast.Attribute(attr="readline", value=owner) if _is_stdin(owner):
                return self._next_line()
            case ast.Attribute(attr="readlines", value=owner) if _is_stdin(owner):
                self.found = True
                return ast.Name("lines", ast.Load())
            case ast.Attribute(attr="read", value=owner) if _is_stdin(owner):
                self.found = True
                return ast.parse('"\\n".join(lines)', mode="eval").body
            case _:
                return node

    def _next_line(self) -> ast.expr:
        self.found = self.iterates = True
        return ast.parse("next(remaining)", mode="eval").body


def _is_stdin(node: ast.expr) -> bool:
    return ast.unparse(node) in ("sys.stdin", "stdin")
