"""What operators tell about the types of their operands."""

from __future__ import annotations

import ast

from codeio.normalizer.evidence import Slot, unify


def binary(operator: ast.operator, left: Slot, right: Slot, source: ast.expr) -> Slot:
    match operator:
        case ast.Add():
            return unify(left, right)
        case ast.Mult():
            for one, other in ((left, right), (right, left)):
                if one.votes["str"] or one.votes["list"]:
                    other.vote("int", 1)
                    return one
            left.vote("num", 1)
            right.vote("num", 1)
            return Slot().vote("num", 0.5)
        case ast.Mod() | ast.FloorDiv() | ast.LShift() | ast.RShift():
            left.vote("int", 1.5)
            right.vote("int", 1.5).role("divisor")
            if isinstance(source, ast.Constant) and source.value == 10:
                left.role("digits")
            return Slot().vote("int")
        case ast.BitAnd() | ast.BitOr() | ast.BitXor():
            left.vote("int", 1)
            right.vote("int", 1)
            return Slot().vote("int", 1)
        case ast.Div():
            left.vote("num", 2)
            right.vote("num", 2).role("divisor")
            return Slot().vote("float", 1)
        case ast.MatMult():
            left.vote("array", 2)
            right.vote("array", 2)
            return Slot().vote("array")
        case _:
            left.vote("num", 1)
            right.vote("num", 1)
            return Slot().vote("num", 1)


def number(node: ast.expr) -> float | None:
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        number = float(node.value)  # type: ignore[arg-type]
        return sign * number if abs(number) < 1e15 else None
    return None


def is_string(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def constant_slot(node: ast.Constant) -> Slot:
    kinds: dict[type, str] = {bool: "bool", int: "int", float: "float", str: "str"}
    kind = kinds.get(type(node.value))
    if kind is None:
        return Slot()
    # An integer literal joins floats as readily as integers.
    return Slot().vote("num" if kind == "int" else kind, 1)
