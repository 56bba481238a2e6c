"""Parameters that depend on one another: a length, an index, a member, equal lengths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.normalizer.shapes import (
    AlongWith,
    DictOf,
    Graph,
    Grid,
    IndexOf,
    Int,
    LengthOf,
    ListOf,
    MemberOf,
    PieceOf,
    Shape,
    Text,
    TextAlongWith,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeio.normalizer.evidence import Slot


@dataclass(frozen=True)
class Ranked:
    """A shape and how unlikely it is; 0 is the likeliest."""

    cost: float
    shape: Shape


_LENGTH_NAMES = re.compile(r"n|m|size|length|len_?\w*|count|\w*_size|\w*_len(gth)?|n_\w+|num_\w+")
_FIRST_NAMES = re.compile(
    r"l|lo|low|left|start|first|begin|s|beg|i|p|lower\w*|left_?\w*|start_?\w*"
)
_LAST_NAMES = re.compile(r"r|h|hi|high|right|end|last|e|j|upper\w*|right_?\w*|end_?\w*|high_?\w*")
_MEMBER_NAMES = re.compile(
    r"target|key|x|val\w*|value|item|element|elem|el|ele|search\w*|num|number|k|find|query|t|"
    r"to_\w+|p|q|start\w*|end\w*|src|source|dest\w*|goal|node|vertex|s|v|u|root"
)

_PIECE_NAMES = re.compile(
    r"p|t|sub\w*|pattern\w*|needle|word|target|query|key|search\w*|piece|part|prefix|suffix|"
    r"letter|char|c|ch|string2|str2|s2|ransom\w*"
)


def with_relations(name: str, slot: Slot, ranked: Mapping[str, Sequence[Ranked]]) -> list[Ranked]:  # noqa: C901
    """Add shapes that depend on another parameter: its length, an index, a member of it."""
    own = list(ranked[name])
    lowered = name.lower()
    for other, shapes in ranked.items():
        if other == name or "." in other or not shapes:
            continue
        container = shapes[0].shape
        scalar = own[0].shape
        base = own[0].cost
        if isinstance(container, ListOf | Text | Grid) and isinstance(scalar, Int):
            if _LENGTH_NAMES.fullmatch(lowered):
                own.append(Ranked(base + (0.3 if slot.values else -0.05), LengthOf(other)))
            if _FIRST_NAMES.fullmatch(lowered) and "index" in slot.roles:
                own.append(Ranked(base - 0.05, Int(0, 0)))
            if _LAST_NAMES.fullmatch(lowered):
                own.append(Ranked(base - 0.05, IndexOf(other, last=True)))
            own.append(Ranked(base + (0.1 if "index" in slot.roles else 0.7), IndexOf(other)))
        if isinstance(container, Text) and isinstance(scalar, Text):
            piece = _PIECE_NAMES.fullmatch(lowered) is not None
            alphabet = container.alphabet
            own.append(Ranked(base + (-0.05 if piece else 0.3), PieceOf(other, container)))
            own.append(Ranked(base + 0.35, TextAlongWith(other, alphabet)))
        if isinstance(container, ListOf) and isinstance(scalar, ListOf):
            own.append(Ranked(base + 0.12, AlongWith(other, scalar.element, scalar.container)))
        if isinstance(container, ListOf | Graph | DictOf) and isinstance(scalar, Int | Text):
            likely = _MEMBER_NAMES.fullmatch(lowered) is not None
            element = container.element if isinstance(container, ListOf) else None
            if element is not None and type(element) is not type(scalar):
                continue
            if likely or isinstance(container, Graph):
                own.append(
                    Ranked(base + (-0.1 if likely else 0.2), MemberOf(other, element or scalar))
                )
    return sorted(own, key=lambda entry: entry.cost)


def consistent(shapes: Mapping[str, Shape]) -> bool:
    """Tell whether every shape that depends on another parameter finds there what it needs."""
    return all(_finds_its_like(shape, shapes) for shape in shapes.values())


def _finds_its_like(shape: Shape, shapes: Mapping[str, Shape]) -> bool:
    match shape:
        case AlongWith(name=name):
            return isinstance(shapes[name], ListOf)
        case PieceOf(name=name) | TextAlongWith(name=name):
            return isinstance(shapes[name], Text)
        case LengthOf(name=name) | IndexOf(name=name):
            return isinstance(shapes[name], ListOf | Text | Grid)
        case MemberOf(name=name, otherwise=otherwise):
            other = shapes[name]
            if isinstance(other, ListOf):
                return type(other.element) is type(otherwise)
            return isinstance(other, Graph | DictOf)
        case _:
            return True
