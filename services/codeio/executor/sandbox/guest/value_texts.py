"""Writes the values of a program as texts in the form of Python literals.

None of the program's code runs for it: no `__repr__`, no property, no iteration
of its own. What is left out is `…`, and no text holds an address or depends on
the order of a set.
"""

import abc
import collections
import datetime as dt
import decimal
import enum
import fractions
import sys
import types
from collections.abc import Iterable
from typing import Any

MAX_TEXT = 400
MAX_NODES = 120
MAX_DEPTH = 6

ATOMS = frozenset({int, float, bool, str, bytes, complex, type(None)})

CODE = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.GenericAlias,
)

# Types whose `repr` is the standard library's own.
PLAIN = (
    dt.date,
    dt.time,
    dt.datetime,
    dt.timedelta,
    dt.timezone,
    decimal.Decimal,
    fractions.Fraction,
)
# Of those, the ones that may hold a time zone of the program's.
MOMENTS = (dt.datetime, dt.time)

# What is asked of a class, read where the interpreter keeps it. A metaclass of the
# program's may have put something else in its place, a hash and an equality included.
_NAME = type.__dict__["__name__"]
_MODULE = type.__dict__["__module__"]
_MRO = type.__dict__["__mro__"]
_DICT = type.__dict__["__dict__"]

SEQUENCES = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    collections.deque: ("deque([", "])"),
    type({}.keys()): ("[", "]"),
    type({}.values()): ("[", "]"),
    type({}.items()): ("[", "]"),
}
MAPPINGS = {
    dict: "{}",
    collections.OrderedDict: "OrderedDict({})",
    collections.defaultdict: "defaultdict({})",
    collections.Counter: "Counter({})",
}


def encode(value: Any) -> str | None:
    """Return a value's text without running any of the program's code; None for code itself."""
    kind = type(value)
    if kind is int and -(10**15) < value < 10**15:
        return int.__repr__(value)
    if is_code(kind):
        return None
    text = Encoder().text(value, 0)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def inherits(kind: type, *bases: type) -> bool:
    return any(base is wanted for base in _MRO.__get__(kind) for wanted in bases)


def is_code(kind: type) -> bool:
    return inherits(kind, *CODE)


def is_known(kind: type) -> bool:
    """Tell whether a class may be looked up in a table: its hash is not the program's."""
    return any(type(kind) is metaclass for metaclass in (type, abc.ABCMeta, enum.EnumMeta))


def is_atom(kind: type) -> bool:
    return is_known(kind) and kind in ATOMS


def is_plain(kind: type, value: Any) -> bool:
    """Tell whether the value's own `repr` runs the library's code alone."""
    clock = getattr(dt, _NAME.__get__(kind), None)
    if not any(kind is plain for plain in (*PLAIN, clock)):
        return False
    zone = value.tzinfo if inherits(kind, *MOMENTS) else None
    return zone is None or type(zone) is dt.timezone


class Encoder:
    """Writes one value, within limits of depth, number of parts and length."""

    def __init__(self) -> None:
        self.nodes = MAX_NODES
        self.path: set[int] = set()

    def text(self, value: Any, depth: int) -> str:
        self.nodes -= 1
        kind = type(value)
        if kind is str:
            text = str.__repr__(value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…")
        elif kind is int:
            text = int.__repr__(value) if value.bit_length() < 4 * MAX_TEXT else "…"
        elif is_atom(kind):
            text = repr(value) if kind is not bytes or len(value) <= MAX_TEXT else "…"
        elif self.nodes <= 0 or depth >= MAX_DEPTH or id(value) in self.path:
            text = "…"
        else:
            self.path.add(id(value))
            text = self.compound(kind, value, depth + 1)
            self.path.discard(id(value))
        return text

    def compound(self, kind: type, value: Any, depth: int) -> str:  # noqa: C901, PLR0912  (one case per kind of value)
        name = _NAME.__get__(kind)
        if is_known(kind) and kind in SEQUENCES:
            return self.sequence(kind, value, depth)
        if is_known(kind) and kind in MAPPINGS:
            inner = self.pairs(dict.items(value), depth, "{}: {}")
            return MAPPINGS[kind].replace("{}", "{" + inner + "}")
        if kind is range:
            return repr(value)
        if kind is types.FunctionType:
            return f"<{value.__name__}>"
        if inherits(kind, type):
            return f"<{_NAME.__get__(value)}>"
        if is_code(kind):
            return f"<{name}>"
        numpy = sys.modules.get("numpy")
        if numpy is not None and kind is getattr(numpy, "ndarray", None):
            return f"array({self.text(value.tolist(), depth)})" if value.size <= 400 else "array(…)"
        if numpy is not None and inherits(kind, numpy.generic) and kind is getattr(numpy, name, 0):
            return self.text(value.item(), depth)
        if inherits(kind, BaseException):
            return f"{name}(…)"
        if is_plain(kind, value):
            return repr(value)
        fields = attributes(value, kind)
        if fields is not None and inherits(kind, enum.Enum):
            member = dict(fields).get("_name_")
            return f"{name}.{member}" if type(member) is str else f"<{name}>"
        if inherits(kind, tuple):
            inner = ", ".join(self.text(item, depth) for item in tuple.__iter__(value))
            return f"{name}({inner})"
        if fields is None:
            return f"<{name}>"
        return f"{name}({self.pairs(fields, depth, '{}={}', names=True)})"

    def sequence(self, kind: type, value: Iterable[Any], depth: int) -> str:
        opening, closing = SEQUENCES[kind]
        texts = []
        size = 0
        for item in value:
            if self.nodes <= 0 or size > MAX_TEXT:
                texts.append("…")
                break
            texts.append(self.text(item, depth))
            size += len(texts[-1]) + 2
        if kind in (set, frozenset):
            if not texts:
                return f"{kind.__name__}()"
            # What is left out of a set must not depend on its order.
            texts = ["…"] if "…" in texts else sorted(texts, key=lambda text: (len(text), text))
        elif kind is tuple and len(texts) == 1:
            closing = ",)"
        return opening + ", ".join(texts) + closing

    def pairs(
        self, items: Iterable[tuple[Any, Any]], depth: int, form: str, *, names: bool = False
    ) -> str:
        texts = []
        size = 0
        for key, item in items:
            if self.nodes <= 0 or size > MAX_TEXT:
                texts.append("…")
                break
            if names and is_code(type(item)):
                continue
            left = key if names else self.text(key, depth)
            texts.append(form.format(left, self.text(item, depth)))
            size += len(texts[-1]) + 2
        return ", ".join(texts)


def attributes(value: object, kind: type) -> list[tuple[str, Any]] | None:
    """Return the fields of an object of the program's own classes, or None; no property is run."""
    found: dict[Any, Any] = {}
    own = False
    for base in _MRO.__get__(kind):
        for name, member in _DICT.__get__(base).items():
            if type(member) is types.MemberDescriptorType and _MODULE.__get__(base) == "program":
                own = True
                try:
                    found[name] = member.__get__(value)
                except AttributeError:
                    continue
            elif name == "__dict__" and type(member) is types.GetSetDescriptorType:
                fields = member.__get__(value)
                if type(fields) is dict:
                    own = True
                    found.update(fields)
    if not own:
        return None
    return [(name, item) for name, item in found.items() if type(name) is str]
