"""Writes the values of a program as texts in the form of Python literals.

None of the program's code runs for it: no `__repr__`, no property, no iteration
of its own. What is left out is `…`, and no text holds an address or depends on
the order of a set.
"""

import collections
import enum
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
PLAIN_MODULES = frozenset({"datetime", "decimal", "fractions", "clocks"})

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
    try:
        if isinstance(value, CODE):
            return None
        text = Encoder().text(value, 0)
    except Exception:  # noqa: BLE001  (its class answers what is asked of every value by raising)
        return "…"
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


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
        elif kind in ATOMS:
            text = repr(value) if kind is not bytes or len(value) <= MAX_TEXT else "…"
        elif self.nodes <= 0 or depth >= MAX_DEPTH or id(value) in self.path:
            text = "…"
        else:
            self.path.add(id(value))
            text = self.compound(kind, value, depth + 1)
            self.path.discard(id(value))
        return text

    def compound(self, kind: type, value: Any, depth: int) -> str:  # noqa: C901  (one case per kind of value)
        if kind in SEQUENCES:
            return self.sequence(kind, value, depth)
        if kind in MAPPINGS:
            inner = self.pairs(dict.items(value), depth, "{}: {}")
            return MAPPINGS[kind].replace("{}", "{" + inner + "}")
        if kind is range:
            return repr(value)
        if isinstance(value, CODE):
            return f"<{getattr(value, '__name__', kind.__name__)}>"
        numpy = sys.modules.get("numpy")
        if numpy is not None and kind is getattr(numpy, "ndarray", None):
            return f"array({self.text(value.tolist(), depth)})" if value.size <= 400 else "array(…)"
        if numpy is not None and kind.__module__ == "numpy" and issubclass(kind, numpy.generic):
            return self.text(value.item(), depth)
        if isinstance(value, BaseException):
            return f"{kind.__name__}(…)"
        if kind.__module__ in PLAIN_MODULES and kind is getattr(
            sys.modules.get(kind.__module__), kind.__name__, None
        ):
            return repr(value)
        if isinstance(value, enum.Enum):
            return f"{kind.__name__}.{value._name_}"
        if isinstance(value, tuple):
            inner = ", ".join(self.text(item, depth) for item in tuple.__iter__(value))
            return f"{kind.__name__}({inner})"
        fields = attributes(value, kind)
        if fields is None:
            return f"<{kind.__name__}>"
        return f"{kind.__name__}({self.pairs(fields, depth, '{}={}', names=True)})"

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
            if names and isinstance(item, CODE):
                continue
            left = key if names else self.text(key, depth)
            texts.append(form.format(left, self.text(item, depth)))
            size += len(texts[-1]) + 2
        return ", ".join(texts)


def attributes(value: object, kind: type) -> list[tuple[str, Any]] | None:
    """Return the fields of an object of the program's own classes, or None; no property is run."""
    found: dict[Any, Any] = {}
    own = False
    for base in kind.__mro__:
        for name, member in base.__dict__.items():
            if type(member) is types.MemberDescriptorType and base.__module__ == "program":
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
