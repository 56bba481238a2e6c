"""What a parameter may be: the shapes that the generators make and the codecs read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True)
class Int:
    low: int = 0
    high: int = 20


@dataclass(frozen=True)
class Float:
    low: float = 0.0
    high: float = 10.0


@dataclass(frozen=True)
class Bool:
    pass


@dataclass(frozen=True)
class Nothing:
    """Always None."""


@dataclass(frozen=True)
class Text:
    """A string over an alphabet, or of words of it when `words` is true."""

    alphabet: str = "abcdefghijklmnopqrstuvwxyz"
    low: int = 1
    high: int = 10
    words: bool = False


@dataclass(frozen=True)
class Choice:
    """One of a few known values (JSON scalars)."""

    values: tuple[str | int | float, ...]


@dataclass(frozen=True)
class Examples:
    """One of a few known values of any JSON type, as Python source."""

    sources: tuple[str, ...]
    kind: str = "value"


@dataclass(frozen=True)
class ListOf:
    element: Shape
    low: int = 1
    high: int = 8
    order: str = ""
    """`sorted`, `distinct`, `indices` (each item is an index into the list) or nothing."""
    container: str = "list"
    """What the program gets: `list`, `tuple`, `set` or `array`."""


@dataclass(frozen=True)
class Grid:
    """A rectangle of values as a list of rows."""

    element: Shape
    square: bool = False
    container: str = "list"


@dataclass(frozen=True)
class TupleOf:
    elements: tuple[Shape, ...]
    container: str = "tuple"


@dataclass(frozen=True)
class DictOf:
    key: Shape
    value: Shape
    integer_keys: bool = False


@dataclass(frozen=True)
class Record:
    """A dictionary with known keys."""

    fields: tuple[tuple[str, Shape], ...]


@dataclass(frozen=True)
class Graph:
    """Adjacency: each node to its neighbours.

    The neighbours are a `list`, a `mapping` to weights, or `pairs` of neighbour and weight.
    """

    edges: Literal["list", "mapping", "pairs"] = "list"
    integer_nodes: bool = False


@dataclass(frozen=True)
class Linked:
    """A linked list; in JSON the list of its values."""

    element: Shape


@dataclass(frozen=True)
class Tree:
    """A binary tree; in JSON its values in level order, null where there is no node."""

    element: Shape
    ordered: bool = False


@dataclass(frozen=True)
class LengthOf:
    name: str


@dataclass(frozen=True)
class IndexOf:
    name: str
    last: bool = False


@dataclass(frozen=True)
class MemberOf:
    name: str
    otherwise: Shape


@dataclass(frozen=True)
class FunctionOf:
    """A function of numbers, chosen by name from a few that the program defines."""

    arity: int

    @property
    def choices(self) -> dict[str, str]:
        """Name to source of each function."""
        return _FUNCTIONS[self.arity]


_FUNCTIONS = {
    1: {
        "square": "lambda x: x * x",
        "double": "lambda x: 2 * x",
        "minus_three": "lambda x: x - 3",
        "cube_minus_two": "lambda x: x ** 3 - 2",
    },
    2: {
        "sum": "lambda x, y: x + y",
        "difference": "lambda x, y: x - y",
        "product": "lambda x, y: x * y",
        "twice_the_first": "lambda x, y: 2 * x",
    },
}


@dataclass(frozen=True)
class PieceOf:
    """A string that is often a piece of another parameter, its letters in any order."""

    name: str
    otherwise: Text


@dataclass(frozen=True)
class TextAlongWith:
    """A string that is as long as another parameter."""

    name: str
    alphabet: str


@dataclass(frozen=True)
class AlongWith:
    """A list that is as long as another parameter."""

    name: str
    element: Shape
    container: str = "list"


@dataclass(frozen=True)
class Instance:
    """An object of a class of the file, made from its constructor's arguments."""

    class_name: str
    fields: tuple[tuple[str, Shape], ...]


@dataclass(frozen=True)
class Lines:
    """Lines of text with the same number of integers in each, at most `width`."""

    width: int


@dataclass(frozen=True)
class Operations:
    """Calls of methods, each a list of the name and the arguments; those that add come first."""

    methods: tuple[tuple[str, tuple[Shape, ...]], ...]
    adding: tuple[str, ...]


Shape: TypeAlias = (
    Int
    | Float
    | Bool
    | Nothing
    | Text
    | Choice
    | Examples
    | ListOf
    | Grid
    | TupleOf
    | DictOf
    | Record
    | Graph
    | Linked
    | Tree
    | LengthOf
    | IndexOf
    | MemberOf
    | Instance
    | Operations
    | Lines
    | AlongWith
    | FunctionOf
    | PieceOf
    | TextAlongWith
)


def annotation(shape: Shape) -> str:  # noqa: C901, PLR0912  (one case per kind)
    """Return the JSON-side type as Python writes it, such as `list[int]`."""
    match shape:
        case Int() | LengthOf() | IndexOf():
            return "int"
        case Float():
            return "float"
        case Bool():
            return "bool"
        case Nothing():
            return "None"
        case Text() | FunctionOf() | PieceOf() | TextAlongWith():
            return "str"
        case Choice(values):
            return type(values[0]).__name__
        case Examples(kind=kind):
            return kind
        case ListOf(element=element) | Linked(element=element) | AlongWith(element=element):
            return f"list[{annotation(element)}]"
        case Tree(element=element):
            return f"list[{annotation(element)} | None]"
        case Grid(element=element):
            return f"list[list[{annotation(element)}]]"
        case TupleOf(elements=elements):
            kinds = list(dict.fromkeys(annotation(element) for element in elements))
            return f"list[{' | '.join(kinds)}]"
        case DictOf(value=value):
            return f"dict[str, {annotation(value)}]"
        case Graph(edges=edges):
            return "dict[str, dict[str, int]]" if edges == "mapping" else "dict[str, list]"
        case Record() | Instance():
            return "dict"
        case Operations():
            return "list[list]"
        case Lines():
            return "list[str]"
        case MemberOf(otherwise=otherwise):
            return annotation(otherwise)


def words(shape: Shape, plural: bool = False) -> str:
    """Return the shape in words, such as `a list of integers`."""
    one, many = _one_and_many(shape)
    return many if plural else one


def _one_and_many(shape: Shape) -> tuple[str, str]:  # noqa: C901, PLR0912  (one case per kind)
    match shape:
        case Int() | LengthOf() | IndexOf():
            return "an integer", "integers"
        case Float():
            return "a number", "numbers"
        case Bool():
            return "true or false", "booleans"
        case Nothing():
            return "null", "nulls"
        case Text(words=sentence):
            return ("a text of words", "texts") if sentence else ("a string", "strings")
        case Choice(values):
            listed = ", ".join(repr(value) for value in values)
            return f"one of {listed}", f"values out of {listed}"
        case Examples():
            return "a value", "values"
        case ListOf(element=element, order=order, container=container):
            adjective = {"sorted": "sorted ", "distinct": ""}.get(order, "")
            kind = {"set": "set"}.get(container, "list")
            suffixes = {
                "distinct": " that are all different",
                "indices": " that are indices into the list itself",
            }
            suffix = suffixes.get(order, "")
            inner = words(element, plural=True)
            return f"a {adjective}{kind} of {inner}{suffix}", f"{adjective}{kind}s of {inner}"
        case Grid(element=element, square=square):
            kind = "square matrix" if square else "matrix"
            inner = words(element, plural=True)
            return f"a {kind} of {inner} (a list of rows)", f"{kind} values"
        case TupleOf(elements=elements):
            inner = ", ".join(words(element) for element in elements)
            return f"a list of {len(elements)} items: {inner}", f"lists of {len(elements)} items"
        case DictOf(key=key, value=value):
            inner = f"{words(key, plural=True)} to {words(value, plural=True)}"
            return f"a mapping from {inner}", f"mappings from {inner}"
        case Graph(edges=edges):
            kind = "graph" if edges == "list" else "graph with weighted edges"
            how = ", as pairs of neighbour and weight" if edges == "pairs" else ""
            return f"a {kind} as a mapping from each node to its neighbours{how}", f"{kind}s"
        case Linked(element=element):
            return (
                f"a linked list given as the list of its values ({words(element, plural=True)})",
                "linked lists",
            )
        case Tree(element=element, ordered=ordered):
            kind = "binary search tree" if ordered else "binary tree"
            return (
                f"a {kind} given as its values in level order, null where there is no node",
                f"{kind}s",
            )
        case Record(fields=fields) | Instance(fields=fields):
            inner = ", ".join(f"`{name}` ({words(field)})" for name, field in fields)
            return f"an object with the keys {inner}", f"objects with the keys {inner}"
        case PieceOf(name=name):
            return f"a string, often made of a piece of `{name}`", ""
        case TextAlongWith(name=name):
            return f"a string, as long as `{name}`", ""
        case FunctionOf():
            listed = ", ".join(f"`{name}` ({code})" for name, code in shape.choices.items())
            return f"the name of a function: {listed}", ""
        case AlongWith(name=name, element=element):
            return f"a list of {words(element, plural=True)}, as long as `{name}`", ""
        case Lines(width=width):
            inner = "one integer" if width == 1 else "integers, equally many"
            return f"a list of lines with {inner} in each", ""
        case Operations(methods=methods):
            inner = "; ".join(
                f"`{name}` with {' and '.join(words(s) for s in shapes)}" if shapes else f"`{name}`"
                for name, shapes in methods
            )
            return f"a list of operations, each a list of a name and its arguments: {inner}", ""
        case MemberOf(otherwise=otherwise):
            return _one_and_many(otherwise)
