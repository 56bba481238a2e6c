"""Single operations turned round: which operand gives the wanted result."""

from __future__ import annotations

import ast
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_LENGTH = 60
_MAX_NUMBER = 10**18


class Impossible(Exception):
    """There is no such operand, or none that these rules find."""


def demanded_operand(op: ast.operator, operand: Any, other: Any, target: Any, *, left: bool) -> Any:
    """Return what one operand of a binary operation must be.

    `operand` is what it was, `left` tells its side, `other` is the other one.

    Raises:
        Impossible: no value does it.
    """
    if isinstance(target, str | list) and isinstance(op, ast.Add):
        return _rest(operand, other, target, left=left)
    if any(isinstance(x, bool) or not isinstance(x, int | float) for x in (operand, other, target)):
        if isinstance(op, ast.Mult) and isinstance(target, str | list):
            return _repeated(operand, other, target)
        raise Impossible
    if any(abs(x) > _MAX_NUMBER for x in (operand, other, target)):
        raise Impossible
    try:
        wanted = _number(op, operand, other, target, left=left)
    except (ZeroDivisionError, OverflowError, ValueError) as error:
        raise Impossible from error
    return _typed(wanted, operand)


def _number(  # noqa: C901  (one case per operator)
    op: ast.operator, operand: Any, other: Any, target: Any, *, left: bool
) -> Any:
    match op:
        case ast.Add():
            return target - other
        case ast.Sub():
            return target + other if left else other - target
        case ast.Mult():
            return _divided(target, other)
        case ast.Div():
            return target * other if left else _divided(other, target)
        case ast.FloorDiv() if left:
            # The nearest dividend keeps the rest that there was.
            return target * other + (operand % other if isinstance(operand, int) else 0)
        case ast.Mod() if left and isinstance(other, int) and 0 <= target < other:
            return operand - operand % other + target
        case ast.Pow() if left and target >= 0 and other > 0:
            root = target ** (1 / other)
            if isinstance(operand, int) and not math.isclose(round(root) ** other, target):
                raise Impossible
            return round(root) if isinstance(operand, int) else root
        case ast.Pow() if not left and target > 0 and other > 1:
            return math.log(target, other)
        case ast.BitXor():
            return target ^ other
        case ast.LShift() if left and 0 <= other < 64:
            return target >> other
        case ast.RShift() if left and 0 <= other < 64:
            return target << other
    raise Impossible


def _divided(target: Any, other: Any) -> Any:
    if isinstance(target, int) and isinstance(other, int) and target % other == 0:
        return target // other
    return target / other


def _typed(wanted: Any, like: Any) -> Any:
    """Return a number in the type that the operand had."""
    if isinstance(like, int):
        if isinstance(wanted, float):
            if not math.isfinite(wanted) or abs(wanted - round(wanted)) > 1e-6:
                raise Impossible
            wanted = round(wanted)
        return wanted
    wanted = float(wanted)
    if not math.isfinite(wanted):
        raise Impossible
    return float(f"{wanted:.12g}")


def _rest(operand: Any, other: Any, target: Any, *, left: bool) -> Any:
    if type(operand) is not type(target) or type(other) is not type(target):
        raise Impossible
    size = len(other)
    if left and (target[len(target) - size :] if size else target[:0]) == other:
        return target[: len(target) - size]
    if not left and target[:size] == other:
        return target[size:]
    raise Impossible


def _repeated(operand: Any, other: Any, target: Any) -> Any:
    if isinstance(operand, int) and isinstance(other, str | list) and other:
        if len(target) % len(other) == 0 and other * (len(target) // len(other)) == target:
            return len(target) // len(other)
    elif isinstance(other, int) and other > 0 and type(operand) is type(target):
        part = target[: len(target) // other]
        if part * other == target:
            return part
    raise Impossible


def demanded_argument(name: str, argument: Any, others: list[Any], place: int, target: Any) -> Any:
    """Return what an argument of a function of the standard library must be.

    Raises:
        Impossible: there is no rule, or no value does it.
    """
    try:
        return _argument(name, argument, others, place, target)
    except (TypeError, ValueError, OverflowError, IndexError) as error:
        raise Impossible from error


def _argument(  # noqa: C901, PLR0912  (one case per function)
    name: str, argument: Any, others: list[Any], place: int, target: Any
) -> Any:
    if place > 0 and name not in ("max", "min", "pow"):
        raise Impossible
    number = isinstance(target, int | float) and not isinstance(target, bool)
    if number and name.removeprefix("math.").removeprefix("np.") in _INVERSES:
        return _typed(_INVERSES[name.rsplit(".", maxsplit=1)[-1]](target), argument)
    match name:
        case "int" | "float" | "round" | "math.floor" | "math.ceil" if isinstance(argument, str):
            return str(target)
        case "int" | "math.floor" | "math.ceil" | "round" | "float" if number:
            return type(argument)(target)
        case "str" if isinstance(target, str) and isinstance(argument, int | float | str):
            return type(argument)(target)
        case "abs" if number and target >= 0:
            return -target if argument < 0 else target
        case "len" if isinstance(target, int) and 0 <= target <= _MAX_LENGTH:
            return _sized(argument, target)
        case "sum" if isinstance(argument, list) and argument:
            return [*argument[:-1], _typed(target - sum(argument[:-1]), argument[-1])]
        case "max" | "min" if not others and isinstance(argument, list) and argument:
            return _extreme(name, argument, target)
        case "max" | "min" if others:
            beaten = all(target >= x if name == "max" else target <= x for x in others)
            if beaten:
                return target
        case "sorted" if isinstance(target, list) and target == sorted(target):
            return list(reversed(target)) if len(target) > 1 else target
        case "list" | "tuple" | "reversed" if isinstance(argument, str):
            items = list(target)[:: -1 if name == "reversed" else 1]
            return "".join(items)
        case "list" | "tuple" if isinstance(target, list):
            return type(argument)(target) if isinstance(argument, list | tuple) else target
        case "reversed" if isinstance(target, list):
            return target[::-1]
        case "chr" if isinstance(target, str) and len(target) == 1:
            return ord(target)
        case "ord" if isinstance(target, int):
            return chr(target)
        case "bin" | "hex" | "oct" if isinstance(target, str):
            return int(target, 0)
        case "bool" if isinstance(target, bool):
            return type(argument)() if not target else argument or 1
    raise Impossible


def _squared(root: float) -> float:
    return root * root


# Functions of one number, by name, and what undoes them.
_INVERSES: dict[str, Callable[[float], float]] = {
    "sqrt": _squared,
    "exp": math.log,
    "log": math.exp,
    "log2": lambda power: 2**power,
    "log10": lambda power: 10**power,
    "degrees": math.radians,
    "radians": math.degrees,
    "sin": math.asin,
    "cos": math.acos,
    "tan": math.atan,
    "asin": math.sin,
    "acos": math.cos,
    "atan": math.tan,
}


def _sized(value: Any, size: int) -> Any:
    if isinstance(value, str | list) and value:
        longer = value * (size // len(value) + 1)
        return longer[:size]
    raise Impossible


def _extreme(name: str, items: list[Any], target: Any) -> list[Any]:
    """Put the target where the extreme was, and hold the others within it."""
    pick = max if name == "max" else min
    place = items.index(pick(items))
    held = [min(x, target) if name == "max" else max(x, target) for x in items]
    held[place] = target
    return held


def demanded_receiver(method: str, receiver: Any, arguments: list[Any], target: Any) -> Any:
    """Return what a method must be called on (for `join`: what it must be given).

    Raises:
        Impossible: there is no rule, or no value does it.
    """
    try:
        return _receiver(method, receiver, arguments, target)
    except (TypeError, ValueError, IndexError) as error:
        raise Impossible from error


def _receiver(method: str, receiver: Any, arguments: list[Any], target: Any) -> Any:
    match method:
        case "join" if isinstance(receiver, str) and isinstance(target, str):
            return target.split(receiver) if receiver else list(target)
        case "split" if isinstance(target, list) and isinstance(receiver, str):
            return (arguments[0] if arguments else " ").join(target)
        case (
            "lower" | "upper" | "strip" | "lstrip" | "rstrip" | "title" | "capitalize" | "swapcase"
        ) if isinstance(target, str):
            wanted = target.swapcase() if method == "swapcase" else target
            if getattr(wanted, method)(*arguments) == target:
                return wanted
        case "replace" if isinstance(target, str) and len(arguments) == 2:
            wanted = target.replace(arguments[1], arguments[0]) if arguments[1] else target
            if wanted.replace(*arguments) == target:
                return wanted
        case "zfill" | "rjust" | "ljust" if isinstance(target, str):
            wanted = target.lstrip("0") if method == "zfill" else target.strip()
            if getattr(wanted, method)(*arguments) == target:
                return wanted
        case "copy" | "tolist":
            return target
    raise Impossible


def demanded_side(
    operator: ast.cmpop, part: Any, other: Any, *, wanted: bool, swapped: bool
) -> list[Any]:
    """Return values for one side of a comparison that make it come out as wanted.

    `swapped`: the part is the right side.

    Raises:
        Impossible: there is no rule.
    """
    kind = type(operator)
    if swapped:
        kind = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}.get(kind, kind)
    if not wanted:
        kind = _OPPOSITE.get(kind, kind)
    if kind is ast.Eq:
        if type(part) is not type(other) and part is not None:
            raise Impossible
        return [other]
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (part, other))
    if numbers:
        one: Any = 1 if isinstance(part, int) and isinstance(other, int) else 0.5
        offered = {
            ast.NotEq: [other + one],
            ast.Lt: [other - one],
            ast.Gt: [other + one],
            ast.LtE: [other],
            ast.GtE: [other],
        }.get(kind)
        if offered is not None:
            return offered
    if kind is ast.In and not swapped and isinstance(other, list | tuple | set | dict | str):
        return sorted(other, key=str)[:3]
    raise Impossible


_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE,
    ast.LtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


def places(table: Any, target: Any) -> list[Any]:
    """Return up to three indices or keys under which a table holds a value."""
    if isinstance(table, dict):
        return [key for key, value in table.items() if value == target][:3]
    if isinstance(table, list | tuple | str):
        return [place for place, value in enumerate(table) if value == target][:3]
    return []


def converted(text: str, like: Any) -> Any:
    """Return a text as a value of the type of another.

    Raises:
        Impossible: it has none.
    """
    if isinstance(like, str):
        return text
    try:
        return type(like)(text)
    except (ValueError, TypeError) as error:
        raise Impossible from error


def range_of(text: str) -> range | None:
    """Return the range that a traced text stands for."""
    found = re.fullmatch(r"range\((-?\d{1,12}), (-?\d{1,12})(?:, (-?\d{1,12}))?\)", text)
    if found is None:
        return None
    start, stop, step = found.groups()
    return range(int(start), int(stop), int(step or 1))
