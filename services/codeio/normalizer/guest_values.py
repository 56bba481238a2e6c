"""Runs inside the sandbox: turns what programs return into JSON, and notes how.

This text is sent to the guest ahead of `guest_trial`.
"""

import json
import math
from typing import Any

CONTAINER_ITEMS = 20
STRING_CHARS = 100
VALUE_BYTES = 1024

# Spelt in two parts: the name in a job's code asks for the interpreter that has it loaded.
NUMERIC = "num" + "py"


class NotJson(Exception):
    pass


def encode(  # noqa: C901, PLR0912  (one case per type)
    value: Any, kinds: set[str], *, top: bool = False
) -> Any:
    """Turn a result into JSON; note in `kinds` every conversion that was needed."""
    where = "top" if top else "deep"
    if value is None or (isinstance(value, (bool, str)) and type(value) in (bool, str, type(None))):
        return value
    if type(value) is int:
        return value
    if isinstance(value, float) and type(value) is float:
        if math.isfinite(value):
            return value
        kinds.add(f"{where}:infinite")
        return str(value)
    if type(value) in (list, tuple):
        return [encode(item, kinds) for item in value]
    if isinstance(value, dict):
        made = {}
        for key, item in value.items():
            if isinstance(key, KEYS) and type(key).__module__ != NUMERIC:
                made[key] = encode(item, kinds)
            else:
                kinds.add(f"{where}:keys")
                made[str(key)] = encode(item, kinds)
        return made
    if isinstance(value, (set, frozenset)):
        kinds.add(f"{where}:set")
        items = [encode(item, kinds) for item in value]
        try:
            return sorted(items)
        except TypeError:
            raise NotJson("a set that has no order") from None
    module = type(value).__module__.split(".")[0]
    if module == NUMERIC and hasattr(value, "tolist"):
        kinds.add(f"{where}:array")
        return encode(value.tolist(), kinds)
    if isinstance(value, str):
        kinds.add(f"{where}:text")
        return str(value)
    if isinstance(value, int):
        kinds.add(f"{where}:int")
        return int(value)
    if isinstance(value, complex):
        kinds.add(f"{where}:complex")
        return [encode(value.real, kinds), encode(value.imag, kinds)]
    if isinstance(value, (bytes, bytearray)):
        kinds.add(f"{where}:bytes")
        return list(value)
    if module in ("fractions", "decimal", "datetime", "sympy"):
        kinds.add(f"{where}:text")
        return str(value)
    fields = getattr(value, "__dict__", None) or {
        name: getattr(value, name)
        for name in getattr(value, "__slots__", ())
        if hasattr(value, name)
    }
    if module == "program" and any(name in fields for name in ("left", "right")):
        kinds.add(f"{where}:tree")
        return encode_tree(value, kinds)
    if module == "program" and "next" in fields:
        kinds.add(f"{where}:linked")
        return encode_linked(value, kinds)
    if hasattr(value, "__next__") or type(value).__name__ in ITERABLES or module == "collections":
        kinds.add(f"{where}:iterable")
        items = []
        for item in value:
            items.append(encode(item, kinds))
            if len(items) > 200:
                raise NotJson("an iterator without end")
        return items
    if module == "program" and shows_itself(type(value)):
        kinds.add(f"{where}:text")
        return str(value)
    raise NotJson(f"a value of type {type(value).__name__}")


KEYS = (str, int, float, bool, type(None))
ITERABLES = {"range", "dict_keys", "dict_values", "dict_items", "deque"}


def shows_itself(kind: Any) -> bool:
    return kind.__str__ is not object.__str__ or kind.__repr__ is not object.__repr__


def encode_linked(node: Any, kinds: set[str]) -> list[Any]:
    found: list[Any] = []
    seen: set[int] = set()
    while node is not None and len(found) < 200:
        if id(node) in seen:
            raise NotJson("a linked list with a cycle")
        seen.add(id(node))
        found.append(encode(first_field(node, ("val", "value", "data", "key", "item")), kinds))
        node = node.next
    return found


def encode_tree(root: Any, kinds: set[str]) -> list[Any]:
    found: list[Any] = []
    level = [root]
    while any(node is not None for node in level):
        following = []
        for node in level:
            if node is None:
                found.append(None)
                continue
            found.append(encode(first_field(node, ("val", "value", "data", "key", "item")), kinds))
            following += [node.left, node.right]
        if len(found) > 200:
            raise NotJson("a tree that is too large")
        level = following
    while found and found[-1] is None:
        found.pop()
    return found


def first_field(node: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        if hasattr(node, name):
            return getattr(node, name)
    raise NotJson(f"a node of type {type(node).__name__} without a value")


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def fits(text: str) -> bool:
    return len(text.encode()) <= VALUE_BYTES and small(json.loads(text))


def small(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) < STRING_CHARS
    if isinstance(value, (list, tuple)):
        return len(value) < CONTAINER_ITEMS and all(small(item) for item in value)
    if isinstance(value, dict):
        return len(value) < CONTAINER_ITEMS and all(small(item) for item in value.values())
    return True
