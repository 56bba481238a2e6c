"""Works out expressions over plain values: arithmetic, comparisons, indexing, a few functions.

Nothing is compiled or executed. A syntax tree is walked, only what stands in the tables
below is known, and sizes are bounded, so that no text of a rationale can cost much.
"""

from __future__ import annotations

import ast
import math
import operator
from typing import TYPE_CHECKING, Any

from codeio.verifier.statements.vocabulary import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_MAX_NODES = 300
_MAX_LENGTH = 4000
_MAX_BITS = 2000
_MAX_ROUNDS = 100


class Opaque:
    """A value that is not known in full."""


OPAQUE = Opaque()


class UnevaluableError(ValueError):
    """The expression has no value that can be worked out here."""


def literal_of(node: ast.expr | str) -> Any:
    """Return the value of a literal that needs no working out, else `OPAQUE`."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return OPAQUE


def free_names(node: ast.AST) -> set[str]:
    """Return the names in an expression that it does not bind itself."""
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    own = [part.target for part in ast.walk(node) if isinstance(part, ast.comprehension)]
    return names - {n.id for target in own for n in ast.walk(target) if isinstance(n, ast.Name)}


def evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """Return the value of an expression where its names have these values, or are functions.

    Raises:
        UnevaluableError: it names something unknown, fails, or would get too large.
    """
    if sum(1 for _ in ast.walk(node)) > _MAX_NODES:
        raise UnevaluableError("too long")
    try:
        return _value(node, names)
    except UnevaluableError:
        raise
    except (ArithmeticError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise UnevaluableError(str(error)) from error


def _value(  # noqa: C901, PLR0912  (one case per kind of expression)
    node: ast.expr, names: Mapping[str, Any]
) -> Any:
    def value(part: ast.expr) -> Any:
        return _value(part, names)

    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as constant):
            return constant
        case ast.Name(id=name):
            if name in names:
                return names[name]
        case ast.List(elts=parts):
            return [value(part) for part in parts]
        case ast.Tuple(elts=parts):
            return tuple(value(part) for part in parts)
        case ast.Set(elts=parts):
            return {value(part) for part in parts}
        case ast.Dict(keys=keys, values=parts) if None not in keys:
            return {value(k): value(v) for k, v in zip(keys, parts, strict=True) if k}
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _bounded(type(op), value(left), value(right))
        case ast.BoolOp(op=op, values=parts):
            stopping = isinstance(op, ast.Or)
            for part in parts[:-1]:
                if bool(found := value(part)) is stopping:
                    return found
            return value(parts[-1])
        case ast.Compare(left=left, ops=ops, comparators=parts):
            before = value(left)
            for sign, part in zip(ops, parts, strict=True):
                after = value(part)
                if not _COMPARISONS[type(sign)](before, after):
                    return False
                before = after
            return True
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return value(body) if value(test) else value(orelse)
        case ast.Subscript(value=base, slice=ast.Slice(lower=lower, upper=upper, step=step)):
            bounds = (None if part is None else value(part) for part in (lower, upper, step))
            return value(base)[slice(*bounds)]
        case ast.Subscript(value=base, slice=index):
            return value(base)[value(index)]
        case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
            found = [_value(node.elt, known) for known in _rounds(node.generators, names)]
            return set(found) if isinstance(node, ast.SetComp) else found
        case ast.DictComp(key=key, value=part, generators=generators):
            rounds = _rounds(generators, names)
            return {_value(key, known): _value(part, known) for known in rounds}
        case ast.Call(func=ast.Name(id=name), args=parts) if callable(names.get(name)):
            return names[name](*_arguments(parts, names))
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*_arguments(parts, names))
        case ast.Call(func=ast.Attribute(value=base, attr=name), args=parts, keywords=[]):
            owner = value(base)
            if type(owner) is str and name in _METHODS and len(owner) <= _MAX_LENGTH:
                return getattr(owner, name)(*map(value, parts))
            if type(owner) is dict and name in _VIEWS and not parts:
                return list(getattr(owner, name)())
        case _:
            pass
    raise UnevaluableError(type(node).__name__)


def _arguments(parts: Sequence[ast.expr], names: Mapping[str, Any]) -> Iterator[Any]:
    for part in parts:
        if isinstance(part, ast.Starred):
            yield from _value(part.value, names)
        else:
            yield _value(part, names)


def _rounds(
    generators: Sequence[ast.comprehension], names: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """Yield the variables of each round of a comprehension."""
    if not generators:
        yield names
        return
    generator, *inner = generators
    items = _value(generator.iter, names)
    if len(items) > _MAX_ROUNDS:
        raise UnevaluableError("too long a comprehension")
    for item in items:
        known = {**names, **_bind(generator.target, item)}
        if all(_value(test, known) for test in generator.ifs):
            yield from _rounds(inner, known)


def _bind(target: ast.expr, item: Any) -> dict[str, Any]:
    match target:
        case ast.Name(id=name):
            return {name: item}
        case ast.Tuple(elts=parts) if isinstance(item, list | tuple) and len(item) == len(parts):
            pairs = zip(parts, item, strict=True)
            return {name: value for part, one in pairs for name, value in _bind(part, one).items()}
        case _:
            raise UnevaluableError("an odd target")


def _bounded(  # noqa: C901  (one bound per operator)
    op: type[ast.operator], left: Any, right: Any
) -> Any:
    if op is ast.Pow:
        small = isinstance(right, int | float) and abs(right) <= 200
        if not small or (isinstance(left, int) and left.bit_length() * abs(right) > _MAX_BITS):
            raise UnevaluableError("too large a power")
    elif op is ast.LShift:
        if not 0 <= right <= 200:
            raise UnevaluableError("too large a shift")
    elif op is ast.Mod and isinstance(left, str):
        raise UnevaluableError("a format")
    elif op is ast.Mult:
        for text, times in ((left, right), (right, left)):
            if isinstance(text, str | list | tuple) and (
                not isinstance(times, int) or len(text) * times > _MAX_LENGTH
            ):
                raise UnevaluableError("too long a repetition")
    for side in (left, right):
        if isinstance(side, int) and side.bit_length() > _MAX_BITS:
            raise UnevaluableError("too large a number")
    return _BINARY[op](left, right)


def _sized(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        for one in arguments:
            if isinstance(one, range) and len(one) > _MAX_LENGTH:
                raise UnevaluableError("too long a range")
        return function(*arguments)

    return call


def _round(number: float, digits: int | None = None) -> float:
    if digits is not None and abs(digits) > 30:
        raise UnevaluableError("too many digits")
    return round(number, digits)


_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_,
    ast.Invert: operator.invert,
}  # fmt: skip
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.Pow: operator.pow, ast.BitXor: operator.xor, ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_, ast.LShift: operator.lshift, ast.RShift: operator.rshift,
}  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b, ast.Is: lambda a, b: a is b or a == b,
    ast.IsNot: lambda a, b: a is not b and a != b,
}  # fmt: skip
_KNOWN: dict[str, Callable[..., Any]] = {
        "abs": abs, "bool": bool, "bin": bin, "chr": chr, "dict": dict, "divmod": divmod,
        "float": float, "floor": math.floor, "ceil": math.ceil, "gcd": math.gcd, "int": int,
        "len": len, "list": list, "max": max, "min": min, "ord": ord, "range": range,
        "reversed": lambda items: list(reversed(items)), "round": _round, "set": set,
        "sorted": sorted, "sqrt": math.sqrt, "str": str, "sum": sum, "tuple": tuple,
        "enumerate": lambda items: list(enumerate(items)),
        "zip": lambda *parts: list(zip(*parts, strict=False)),
}  # fmt: skip
_FUNCTIONS = {name: _sized(function) for name, function in _KNOWN.items()}
_METHODS = words(
    "upper lower strip lstrip rstrip title capitalize swapcase split count find index "
    "startswith endswith isdigit isalpha isalnum isupper islower isspace"
)
_VIEWS = words("items keys values")
