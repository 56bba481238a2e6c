"""Input generators as readable source."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from codeio.normalizer.shapes import (
    AlongWith,
    Bool,
    Choice,
    DictOf,
    Examples,
    Float,
    FunctionOf,
    Graph,
    Grid,
    IndexOf,
    Instance,
    Int,
    LengthOf,
    Lines,
    Linked,
    ListOf,
    MemberOf,
    Nothing,
    Operations,
    PieceOf,
    Record,
    Shape,
    Text,
    TextAlongWith,
    Tree,
    TupleOf,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


_WORD_LIST = (
    "apple river stone level noon cat dog sun moon tree bird light green blue red one two "
    "hello world data code test radar civic banana letter book"
)


_GRAPH = '''

def random_graph(rng: random.Random, nodes: list) -> dict:
    """Return a mapping from each node to a list of distinct other nodes."""
    graph = {}
    for node in nodes:
        others = [other for other in nodes if other != node]
        graph[node] = rng.sample(others, rng.randint(0, min(3, len(others))))
    return graph
'''

_SEARCH_TREE = '''

def search_tree(values: list) -> list:
    """Return the level order of a balanced search tree of sorted values."""
    level, found = [values], []
    while any(level):
        following = []
        for part in level:
            middle = len(part) // 2
            found.append(part[middle] if part else None)
            if part:
                following += [part[:middle], part[middle + 1 :]]
        level = following
    while found and found[-1] is None:
        found.pop()
    return found
'''


_RELATIVE = LengthOf | IndexOf | MemberOf | AlongWith | PieceOf | TextAlongWith


def generator_source(shapes: Mapping[str, Shape]) -> str:
    """Return source that defines `generate_inputs(rng)`; it stands in a namespace of its own."""
    functions: list[str] = []
    lines: list[str] = []
    order = sorted(shapes, key=lambda name: isinstance(shapes[name], _RELATIVE))
    local = {
        name: f"{name}_" if name in ("rng", "random", "string", "WORDS") else name
        for name in shapes
    }
    for name in order:
        lines += _statements(local[name], shapes[name], functions, local)
    entries = ", ".join(f'"{name}": {local[name]}' for name in shapes)
    body = "\n".join(f"    {line}" for line in [*lines, f"return {{{entries}}}"])
    helpers = "".join(functions)
    imports = "import random\n" + ("import string\n" if "string." in body + helpers else "")
    words = f"\nWORDS = {_WORD_LIST!r}.split()\n" if "WORDS" in body + helpers else ""
    return (
        f"{imports}{words}{helpers}\n\ndef generate_inputs(rng: random.Random) -> dict:\n{body}\n"
    )


def _statements(  # noqa: C901, PLR0912  (one case per kind)
    name: str, shape: Shape, functions: list[str], local: Mapping[str, str]
) -> list[str]:
    match shape:
        case ListOf(order="indices", low=low, high=high):
            size = _fresh("size", local)
            return [
                f"{size} = rng.randint({max(low, 1)}, {high})",
                f"{name} = [rng.randrange({size}) for _ in range({size})]",
            ]
        case Grid(element=element, square=square):
            if square:
                rows = columns = _fresh("size", local)
                first = [f"{rows} = rng.randint(1, 4)"]
            else:
                rows, columns = _fresh("rows", local), _fresh("columns", local)
                first = [f"{rows}, {columns} = rng.randint(1, 4), rng.randint(1, 4)"]
            row = f"[{_expression(element)} for _ in range({columns})]"
            return [*first, f"{name} = [{row} for _ in range({rows})]"]
        case Graph(edges=edges, integer_nodes=integer_nodes):
            if _GRAPH not in functions:
                functions.append(_GRAPH)
            nodes = (
                "[str(i) for i in range(rng.randint(2, 6))]"
                if integer_nodes
                else ('list("ABCDEF"[: rng.randint(2, 6)])')
            )
            made = [f"{name} = random_graph(rng, {nodes})"]
            if edges == "mapping":
                made.append(
                    f"{name} = {{node: {{other: rng.randint(1, 9) for other in others}} "
                    f"for node, others in {name}.items()}}"
                )
            elif edges == "pairs":
                other = "int(other)" if integer_nodes else "other"
                made.append(
                    f"{name} = {{node: [[{other}, rng.randint(1, 9)] for other in others] "
                    f"for node, others in {name}.items()}}"
                )
            elif integer_nodes:
                made.append(
                    f"{name} = {{node: [int(other) for other in others] "
                    f"for node, others in {name}.items()}}"
                )
            return made
        case Tree(element=Int(low=low, high=high), ordered=True):
            if _SEARCH_TREE not in functions:
                functions.append(_SEARCH_TREE)
            count = min(9, high - low)
            values = f"rng.sample(range({low}, {high + 1}), rng.randint(1, {count}))"
            return [f"{name} = search_tree(sorted({values}))"]
        case Tree(element=element):
            return [
                f"{name} = [{_expression(element)} for _ in range(rng.randint(1, 10))]",
                f"{name}[1:] = [value if rng.random() < 0.8 else None for value in {name}[1:]]",
            ]
        case Lines(width=1):
            return [f"{name} = [str(rng.randint(1, 9)) for _ in range(rng.randint(6, 12))]"]
        case Lines(width=width):
            each = _fresh("width", local)
            line = f'" ".join(str(rng.randint(1, 9)) for _ in range({each}))'
            return [
                f"{each} = rng.randint(1, {width})" if width > 2 else f"{each} = {width}",
                f"{name} = [{line} for _ in range(rng.randint(5, 10))]",
            ]
        case Operations(adding=adding):
            functions += _operation_functions(shape)
            start = "[addition(rng) for _ in range(rng.randint(1, 4))]" if adding else "[]"
            rest = "[operation(rng) for _ in range(rng.randint(3, 8))]"
            return [f"{name} = {start} + {rest}"]
        case TextAlongWith(name=other, alphabet=alphabet):
            source = _ALPHABETS.get(alphabet, repr(alphabet))
            return [f'{name} = "".join(rng.choice({source}) for _ in {local[other]})']
        case PieceOf(name=other, otherwise=otherwise):
            whole, start = local[other], _fresh("start", local)
            return [
                f"{name} = {_text(otherwise)}",
                f"if rng.random() < 0.7 and {whole}:",
                f"    {start} = rng.randrange(len({whole}))",
                f"    {name} = {whole}[{start} : {start} + rng.randint(1, 3)]",
                "    if rng.random() < 0.3:",
                f'        {name} = "".join(rng.sample({name}, len({name})))',
            ]
        case AlongWith(name=other, element=element):
            return [f"{name} = [{_expression(element)} for _ in {local[other]}]"]
        case LengthOf(name=other):
            return [f"{name} = len({local[other]})"]
        case IndexOf(name=other, last=last):
            if last:
                return [f"{name} = len({local[other]}) - 1"]
            return [f"{name} = rng.randint(0, max(len({local[other]}) - 1, 0))"]
        case MemberOf(name=other, otherwise=otherwise):
            return [
                f"{name} = {_expression(otherwise)}",
                f"if {local[other]} and rng.random() < 0.7:",
                f"    {name} = rng.choice(list({local[other]}))",
            ]
        case _:
            return [f"{name} = {_expression(shape)}"]


def _expression(shape: Shape) -> str:  # noqa: C901, PLR0912  (one case per kind)
    match shape:
        case Int(low=low, high=high):
            return f"rng.randint({low}, {high})" if low < high else str(low)
        case Float(low=low, high=high):
            return f"round(rng.uniform({low:g}, {high:g}), 2)"
        case Bool():
            return "rng.random() < 0.5"
        case Nothing():
            return "None"
        case Choice(values=values):
            return f"rng.choice({list(values)!r})"
        case Examples(sources=sources):
            return f"rng.choice([{', '.join(sources)}])"
        case Text():
            return _text(shape)
        case FunctionOf():
            return f"rng.choice({list(shape.choices)!r})"
        case ListOf(element=Int(low=low, high=high), order="distinct", low=few, high=many):
            most = min(many, high - low + 1)
            return f"rng.sample(range({low}, {high + 1}), rng.randint({min(few, most)}, {most}))"
        case ListOf(element=element, order=order, low=few, high=many):
            made = f"[{_expression(element)} for _ in range(rng.randint({few}, {many}))]"
            return f"sorted({made})" if order == "sorted" else made
        case TupleOf(elements=elements):
            return f"[{', '.join(_expression(element) for element in elements)}]"
        case DictOf(key=key, value=value):
            made = f"{_expression(key)}: {_expression(value)}"
            if isinstance(key, Int):
                made = f"str({_expression(key)}): {_expression(value)}"
            return f"{{{made} for _ in range(rng.randint(1, 6))}}"
        case Record(fields=fields) | Instance(fields=fields):
            entries = ", ".join(f"{name!r}: {_expression(field)}" for name, field in fields)
            return f"{{{entries}}}"
        case Linked(element=element):
            return f"[{_expression(element)} for _ in range(rng.randint(1, 8))]"
        case Tree(element=element):
            return f"[{_expression(element)} for _ in range(rng.randint(1, 7))]"
        case Grid(element=element):
            return f"[[{_expression(element)} for _ in range(3)] for _ in range(rng.randint(1, 4))]"
        case MemberOf(otherwise=otherwise):
            return _expression(otherwise)
        case Graph():
            return '{"A": ["B"], "B": []}'
        case _:
            return "0"


def _operation_functions(shape: Operations) -> list[str]:
    entries = {
        name: f"[{', '.join([repr(name), *(_expression(s) for s in shapes)])}]"
        for name, shapes in shape.methods
    }
    made = []
    for name, methods in (("addition", shape.adding), ("operation", tuple(entries))):
        if methods:
            options = "".join(f"            {entries[method]},\n" for method in methods)
            made.append(
                f"\n\ndef {name}(rng: random.Random) -> list:\n"
                f"    return rng.choice(\n        [\n{options}        ]\n    )\n"
            )
    return made


def _text(shape: Text) -> str:
    count = f"range(rng.randint({shape.low}, {shape.high}))"
    if shape.words:
        return f'" ".join(rng.choice(WORDS) for _ in {count})'
    alphabet = _ALPHABETS.get(shape.alphabet, repr(shape.alphabet))
    if shape.low == shape.high == 1:
        return f"rng.choice({alphabet})"
    return f'"".join(rng.choice({alphabet}) for _ in {count})'


_ALPHABETS = {
    string.ascii_lowercase: "string.ascii_lowercase",
    string.ascii_uppercase: "string.ascii_uppercase",
    string.ascii_letters: "string.ascii_letters",
    string.digits: "string.digits",
}


def _fresh(name: str, local: Mapping[str, str]) -> str:
    return f"{name}_count" if name in local else name
