"""Programs that somebody normalised already: validated, never derived again."""

from __future__ import annotations

import ast
from typing import Any

from codeio.normalizer.evidence import Slot
from codeio.normalizer.generators import generator_source
from codeio.normalizer.hypotheses import combinations
from codeio.normalizer.scopes import Function, free_names
from codeio.normalizer.source import syntax_tree
from codeio.runtime import values
from codeio.runtime.errors import Rejected
from codeio.runtime.records import ENTRY_POINT, GENERATOR, origin_of, program_id
from codeio.v1.records_pb2 import Program, RawFile

# What generators use without importing it, and what gives it to them.
_IMPORTS = {
    "random": "import random",
    "Random": "from random import Random",
    "np": "import numpy as np",
    "numpy": "import numpy",
    "math": "import math",
    "string": "import string",
    "itertools": "import itertools",
    "datetime": "import datetime",
    **dict.fromkeys(("List", "Dict", "Tuple", "Any", "Optional", "Union", "Set"), ""),
}


def adopt(raw: RawFile) -> Program:
    """Return the program of a raw file with its generator adapted and its ids set.

    Raises:
        Rejected: it does not parse, has no such entry point, or has no inputs at all.
    """
    given = raw.program
    code = given.code or raw.content
    entry_point = given.entry_point or ENTRY_POINT
    tree = _parsed(code, "not_parseable")
    node = next((n for n in tree.body if isinstance(n, Function) and n.name == entry_point), None)
    if node is None:
        raise Rejected("no_entry_point", f"no top-level function is named {entry_point}")
    seed_inputs = [text for text in given.seed_inputs if _is_input(text)]
    generator = adapt_generator(given.input_generator) if given.input_generator else ""
    if not generator and not seed_inputs:
        raise Rejected("no_inputs", "there is neither an input generator nor a recorded input")
    if not generator:
        generator = generator_from(seed_inputs)
    program = Program()
    program.CopyFrom(given)
    program.code, program.entry_point = code, entry_point
    program.input_generator = generator
    del program.seed_inputs[:]
    program.seed_inputs.extend(seed_inputs)
    origin = origin_of(raw)
    origin.unit = origin.unit or entry_point
    program.origin.CopyFrom(origin)
    program.program_id = program_id(code=code, entry_point=entry_point, origin=origin)
    return program


def adapt_generator(source: str) -> str:
    """Return the generator as source that stands alone and takes `rng: random.Random`.

    Raises:
        Rejected: it does not parse, or defines no generator.
    """
    tree = _parsed(source, "bad_generator")
    functions = [node for node in tree.body if isinstance(node, Function)]
    node = next((f for f in functions if f.name == GENERATOR), None) or next(
        (f for f in functions if "input" in f.name or "generat" in f.name), None
    )
    if node is None:
        raise Rejected("bad_generator", f"the generator defines no function {GENERATOR}")
    takes_generator = bool(node.args.args)
    defined = {name for statement in tree.body for name in _defines(statement)}
    used = {name for statement in tree.body for name in free_names(statement)}
    imports = [
        _IMPORTS[name] or f"from typing import {name}"
        for name in sorted(used - defined)
        if name in _IMPORTS
    ]
    if takes_generator and node.name == GENERATOR:
        return "\n".join([*imports, source]) if imports else source
    imports = ["import random", *(line for line in imports if line != "import random")]
    node.name = "generate_once" if node.name == GENERATOR else node.name
    body = [f"    return {node.name}({'rng' if takes_generator else ''})"]
    if not takes_generator:
        # The modules' own generators are seeded, since the function draws from them.
        body.insert(0, "    random.seed(rng.getrandbits(32))")
        if "numpy" in source:
            imports.append("import numpy")
            body.insert(1, "    numpy.random.seed(rng.getrandbits(32))")
    head = "\n".join(dict.fromkeys(imports))
    wrapper = "\n".join([f"def {GENERATOR}(rng: random.Random) -> dict:", *body])
    return f"{head}\n\n{ast.unparse(tree)}\n\n\n{wrapper}\n"


def generator_from(inputs: list[str]) -> str:
    """Return a generator like the recorded inputs, or nothing where their types are unclear."""
    recorded = [values.loads(text) for text in inputs]
    names = list(recorded[0])
    if not names or any(sorted(entry) != sorted(names) for entry in recorded):
        return ""
    slots: dict[str, Slot] = {}
    for name in names:
        column: list[Any] = [entry[name] for entry in recorded]
        if len({_kind(value) for value in column}) != 1 or not _plain(column):
            return ""
        slots[name] = Slot()
        for value in column:
            slots[name].show(value)
    found = combinations(slots, classes={}, sorted_first=False)
    return generator_source(found[0].shapes) if found else ""


def _kind(value: Any) -> str:
    return "number" if type(value) in (int, float) else type(value).__name__


def _plain(column: list[Any]) -> bool:
    """Tell whether values are scalars, or lists of scalars of one type."""
    if all(isinstance(value, list) for value in column):
        items = [item for value in column for item in value]
        return len({_kind(item) for item in items}) == 1 and not isinstance(items[0], list | dict)
    return not isinstance(column[0], dict) and column[0] is not None


def _is_input(text: str) -> bool:
    try:
        return isinstance(values.loads(text), dict)
    except ValueError:
        return False


def _parsed(source: str, reason: str) -> ast.Module:
    try:
        return syntax_tree(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise Rejected(reason, str(error)) from error


def _defines(node: ast.stmt) -> list[str]:
    if isinstance(node, Function | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    return [
        child.id
        for child in ast.walk(node)
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store)
    ]
