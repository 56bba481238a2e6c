"""What is known about the type of a value: votes from every source, in one structure.

Annotations, docstrings, examples, names and the way a body uses a value all
vote on the same slot. Nothing is ever decided here: `hypotheses` reads the
votes and ranks what they speak for, and the sandbox has the last word.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

# How much each source of evidence counts.
OBSERVED = 12.0
ANNOTATED = 8.0
DOCUMENTED = 6.0
USED = 2.0
HINTED = 0.6
# An attribute that only nodes of linked lists or trees have.
NODE = 3.0


class Slot:
    """A type variable with votes for kinds of type.

    Kinds: `int float num bool str list tuple dict set array linked tree
    callable none`, and the vague ones `iterable indexable sized mutable`.
    """

    def __init__(self) -> None:
        self._merged_into: Slot | None = None
        self._votes: Counter[str] = Counter()
        self._element: Slot | None = None
        self._key: Slot | None = None
        self._attributes: dict[str, Slot] = {}
        self._values: list[Any] = []
        self._bounds: list[float] = []
        self._choices: list[str] = []
        self._roles: set[str] = set()
        self._arity = 0
        self._classes: Counter[str] = Counter()
        self._reach = 0

    def find(self) -> Slot:
        slot = self
        while slot._merged_into is not None:
            slot = slot._merged_into
        return slot

    @property
    def votes(self) -> Counter[str]:
        return self.find()._votes

    @property
    def values(self) -> list[Any]:
        """Values seen in examples, as JSON has them."""
        return self.find()._values

    @property
    def bounds(self) -> list[float]:
        """Numbers that the value is compared with."""
        return self.find()._bounds

    @property
    def choices(self) -> list[str]:
        """Strings that the value is compared with."""
        return self.find()._choices

    @property
    def roles(self) -> set[str]:
        """What the value is used as: `index`, `size`, `digits`, `divisor`, `pairs`, ..."""
        return self.find()._roles

    @property
    def attributes(self) -> dict[str, Slot]:
        return self.find()._attributes

    @property
    def classes(self) -> Counter[str]:
        """Votes for classes of the file."""
        return self.find()._classes

    @property
    def arity(self) -> int:
        """Into how many targets the value is unpacked; 0 when unknown."""
        return self.find()._arity

    @arity.setter
    def arity(self, count: int) -> None:
        self.find()._arity = count

    @property
    def reach(self) -> int:
        """The largest constant index that is used on the value."""
        return self.find()._reach

    @reach.setter
    def reach(self, index: int) -> None:
        self.find()._reach = index

    @property
    def has_element(self) -> bool:
        return self.find()._element is not None

    @property
    def element(self) -> Slot:
        """The slot of the items of a container, or of the values of a mapping."""
        root = self.find()
        if root._element is None:
            root._element = Slot()
        return root._element.find()

    @property
    def key(self) -> Slot:
        root = self.find()
        if root._key is None:
            root._key = Slot()
        return root._key.find()

    def attribute(self, name: str) -> Slot:
        return self.attributes.setdefault(name, Slot()).find()

    def vote(self, kind: str, weight: float = USED) -> Slot:
        self.votes[kind] += weight  # type: ignore[assignment]
        return self

    def role(self, name: str) -> Slot:
        self.roles.add(name)
        return self

    def show(self, value: Any, weight: float = OBSERVED) -> None:
        """Vote by an example value, as JSON would hold it."""
        kind = _KINDS.get(type(value))
        if kind is None:
            return
        self.vote(kind, weight)
        if len(self.values) < 40 and value not in self.values:
            self.values.append(value)
        if isinstance(value, list | tuple | set):
            for item in list(value)[:20]:
                self.element.show(item, weight / 2)
        elif isinstance(value, dict):
            for key, item in list(value.items())[:20]:
                self.key.show(key, weight / 2)
                self.element.show(item, weight / 2)


_KINDS: dict[type, str] = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    list: "list",
    tuple: "tuple",
    dict: "dict",
    set: "set",
    type(None): "none",
}


def unify(left: Slot, right: Slot, depth: int = 0) -> Slot:
    """Let two slots be one: what is known of either holds for both."""
    a, b = left.find(), right.find()
    if a is b or depth > 6:
        return a
    b._merged_into = a
    a._votes.update(b._votes)
    a._values.extend(value for value in b._values if value not in a._values)
    a._bounds.extend(b._bounds)
    a._choices.extend(b._choices)
    a._roles |= b._roles
    a._classes.update(b._classes)
    a._arity = a._arity or b._arity
    a._reach = max(a._reach, b._reach)
    for name, slot in b._attributes.items():
        if name in a._attributes:
            unify(a._attributes[name], slot, depth + 1)
        else:
            a._attributes[name] = slot
    element = _joined(a._element, b._element, depth)
    key = _joined(a._key, b._key, depth)
    # A recursive type may have merged this very slot meanwhile.
    root = a.find()
    root._element, root._key = element or root._element, key or root._key
    return root


def _joined(left: Slot | None, right: Slot | None, depth: int) -> Slot | None:
    if left is None or right is None:
        return left or right
    return unify(left, right, depth + 1)
