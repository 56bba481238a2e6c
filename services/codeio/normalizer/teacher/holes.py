"""Takes the body out of one function of a file, and puts another one in."""

from __future__ import annotations

import ast
import copy
import textwrap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from codeio.normalizer.assemble import program_source
from codeio.normalizer.scopes import Function
from codeio.normalizer.source import parse, syntax_tree
from codeio.normalizer.teacher.markup import Block, parts
from codeio.normalizer.teacher.prompts import HOLE
from codeio.normalizer.units import closed, logic_of, state_resets
from codeio.runtime.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeio.normalizer.search import Findings
    from codeio.normalizer.trials import Trial


@dataclass(frozen=True)
class Hole:
    """A function of a file that is to be written anew, and the program it is part of."""

    trial: Trial
    tree: ast.Module
    shown: str
    """The file with `HOLE` in place of the body."""

    @property
    def name(self) -> str:
        return self.trial.unit.name

    def filled(self, reply: str) -> str | None:
        """Return the program with the function that a reply writes; nothing where that is none."""
        written = _written(reply, self.name)
        return None if written is None else self._with_body(written)

    def _with_body(self, body: Sequence[ast.stmt]) -> str | None:
        try:
            tree = copy.deepcopy(self.tree)
            node = _definition(tree, self.name)
            if node is None:
                return None
            documentation, _ = _parted(node)
            node.body = [*documentation, *copy.deepcopy(list(body))]
            return _program(self.trial, ast.unparse(ast.fix_missing_locations(tree)))
        except (Rejected, ValueError, RecursionError):
            # It needs what is not there, or cannot be written as text.
            return None

    @property
    def is_sound(self) -> bool:
        """Whether its own body, put in again, gives the program that was found."""
        node = _definition(self.tree, self.name)
        return node is not None and self._with_body(_parted(node)[1]) == self.trial.program


def find_hole(found: Findings) -> Hole | None:
    """Return the function with most logic of its own that makes a program, if there is any.

    Scripts and classes as a whole are no functions; nor are those whose
    program cannot be put together from the file's text alone, such as one of
    several functions by one name, or code for Python 2.
    """
    text = found.file.text
    tree = syntax_tree(text)
    holes: list[tuple[int, Hole]] = []
    for trial in found.kept:
        if trial.unit.is_script or trial.unit.operations:
            continue
        node = _definition(tree, trial.unit.name)
        if node is None:
            continue
        shown = _shown(text, node)
        hole = Hole(trial, tree, shown)
        if shown and hole.is_sound:
            holes.append((logic_of(node.body), hole))
    # The first of equals: the better program.
    return max(holes, key=lambda entry: entry[0])[1] if holes else None


def _program(trial: Trial, text: str) -> str:
    """Return the program of a unit, called as in its trial, from another text of its file."""
    owner, _, name = trial.unit.name.rpartition(".")
    closure = closed(parse(text), frozenset({owner or name}), frozenset({name} if owner else ()))
    unit = replace(trial.unit, closure=closure, reset=state_resets(closure))
    return program_source(unit, trial.shapes, trial.result)


def _definition(tree: ast.Module, qualified: str) -> ast.FunctionDef | None:
    """Return the one definition of a function or method, nothing where there are several."""
    scope: list[ast.stmt] = tree.body
    *owners, name = qualified.split(".")
    for owner in owners:
        classes = [n for n in scope if isinstance(n, ast.ClassDef) and n.name == owner]
        if len(classes) != 1:
            return None
        scope = classes[0].body
    found = [n for n in scope if isinstance(n, Function | ast.ClassDef) and n.name == name]
    [node] = found if len(found) == 1 else [None]
    return node if isinstance(node, ast.FunctionDef) else None


def _parted(node: ast.FunctionDef) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """Return the docstring and the rest of a body."""
    at = 1 if ast.get_docstring(node, clean=False) is not None else 0
    return node.body[:at], node.body[at:]


def _shown(text: str, node: ast.FunctionDef) -> str:
    """Return the text with `HOLE` for the body; empty where it has no lines of its own."""
    documentation, body = _parted(node)
    if not body:
        return ""
    lines = text.split("\n")
    first = body[0]
    decorators = first.decorator_list if isinstance(first, Function | ast.ClassDef) else []
    start = min([first.lineno, *(decorator.lineno for decorator in decorators)])
    head = documentation[-1].end_lineno if documentation else _end_of_signature(node, lines)
    if not head or start <= head:
        return ""
    # Comments before the first statement go too: they tell of the body, or are an older one.
    hole = " " * first.col_offset + HOLE
    return "\n".join([*lines[:head], hole, *lines[node.end_lineno :]])


def _end_of_signature(node: ast.FunctionDef, lines: Sequence[str]) -> int:
    """Return the line that the signature ends in, from 1."""
    annotations = [node.args, *([node.returns] if node.returns else [])]
    inside = [child for part in annotations for child in ast.walk(part)]
    end = max([node.lineno, *(getattr(child, "end_lineno", 0) for child in inside)])
    for number in range(end, node.body[0].lineno):
        if lines[number - 1].partition("#")[0].rstrip().endswith(":"):
            return number
    return end


def _written(reply: str, qualified: str) -> list[ast.stmt] | None:
    """Return the body of the function that a reply holds, with what it imports before it."""
    blocks = [part.text for part in parts(reply) if isinstance(part, Block)]
    name = qualified.rsplit(".", maxsplit=1)[-1]
    for source in blocks or [reply]:
        try:
            tree = syntax_tree(textwrap.dedent(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in _functions(tree):
            if node.name == name:
                imports = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
                return [*imports, *_parted(node)[1]]
    return None


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Yield functions at top level, and methods of classes at top level."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from (member for member in node.body if isinstance(member, ast.FunctionDef))
