"""Reads the teacher's reply: four headed parts, or the word that the file has nothing usable."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.normalizer.prelude import AVAILABLE
from codeio.normalizer.scopes import Function
from codeio.normalizer.source import syntax_tree
from codeio.normalizer.teacher.markup import Block, Line, Part, parts
from codeio.runtime.errors import Rejected
from codeio.runtime.records import ENTRY_POINT, GENERATOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PROBLEM, DESCRIPTION, CODE, GENERATOR_PART = PARTS = (
    "Problem",
    "Input and output",
    "Code",
    "Generator",
)
NOTHING = "NOTHING"

_LONGEST_HEADING = 80
_DECLINED = re.compile(rf"[\s*#>]*+{NOTHING}\b[\s*]*+:?[\s*]*+(.*)", re.ASCII)
_TYPICAL = {part.lower(): part for part in PARTS}


class BadReply(Rejected):
    """The reply does not have the form that was asked for; the detail says in what, to the model.

    `kind` is one word, for the yield report.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"bad_reply:{kind}", detail)


class Declined(Rejected):
    """The teacher finds nothing usable in the file."""

    def __init__(self, detail: str) -> None:
        super().__init__("teacher_declined", detail)


@dataclass(frozen=True)
class Normalised:
    """The parts of a well-formed reply."""

    problem: str
    description: str
    code: str
    generator: str


def read_reply(text: str) -> Normalised:
    """Return the parts of a reply, each checked as far as reading can.

    Raises:
        Declined: it says that there is nothing usable.
        BadReply: a part is missing, empty or not what it must be.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadReply("encoding", "the reply holds half a surrogate pair") from error
    before, found = _sections(parts(text))
    if not found:
        _check_declined(before)
        if not text.strip():
            raise BadReply("empty", "the reply is empty")
    for part in PARTS:
        if part not in found:
            raise BadReply("part", f"the part `## {part}` is missing")
    read = Normalised(
        problem=_prose(PROBLEM, found[PROBLEM]),
        description=_prose(DESCRIPTION, found[DESCRIPTION]),
        code=_only_block(CODE, found[CODE]),
        generator=_only_block(GENERATOR_PART, found[GENERATOR_PART]),
    )
    for name in _arguments_of(read.code):
        if not re.search(rf"\b{re.escape(name)}\b", read.description):
            raise BadReply("description", f"`## {DESCRIPTION}` does not mention `{name}`")
    _check_generator(read.generator)
    if f"def {ENTRY_POINT}" in read.problem + read.description:
        raise BadReply("code_given_away", f"the code belongs into `## {CODE}` alone")
    return read


def _check_declined(lines: Iterable[str]) -> None:
    for line in lines:
        declined = _DECLINED.match(line)
        if declined:
            raise Declined(declined[1].strip(" *"))


def _sections(every: Iterable[Part]) -> tuple[list[str], Mapping[str, list[Part]]]:
    """Return the lines before the first heading, and what stands under each."""
    before: list[str] = []
    found: dict[str, list[Part]] = {}
    current: list[Part] | None = None
    for part in every:
        name = _heading(part.text) if isinstance(part, Line) else None
        if name:
            if name in found:
                raise BadReply("part", f"the part `## {name}` comes twice")
            current = found[name] = []
        elif current is not None:
            current.append(part)
        elif isinstance(part, Line):
            before.append(part.text)
    return before, found


def _heading(line: str) -> str | None:
    """Return the part that a line is the heading of, however models mark one."""
    text = line.strip()
    if not text.startswith("#") or len(text) > _LONGEST_HEADING:
        return None
    return _TYPICAL.get(text.strip("#*: \t").lower())


def _prose(name: str, section: Sequence[Part]) -> str:
    text = "\n".join(part.source if isinstance(part, Block) else part.text for part in section)
    text = text.strip()
    if not text:
        raise BadReply("part", f"the part `## {name}` is empty")
    return text


def _only_block(name: str, section: Sequence[Part]) -> str:
    blocks = [part for part in section if isinstance(part, Block)]
    if len(blocks) != 1:
        count = "no fenced block" if not blocks else f"{len(blocks)} fenced blocks"
        raise BadReply("part", f"`## {name}` must hold one fenced Python block, and has {count}")
    [block] = blocks
    if not block.closed:
        raise BadReply("part", f"the fenced block of `## {name}` is not closed")
    if not block.text.strip():
        raise BadReply("part", f"the fenced block of `## {name}` is empty")
    return block.text


def _arguments_of(code: str) -> list[str]:
    """Check the program as far as reading can; return the names of its arguments."""
    tree = _parsed(CODE, code)
    node = _function(CODE, tree, ENTRY_POINT)
    arguments = node.args
    if arguments.vararg or arguments.kwarg or arguments.posonlyargs:
        raise BadReply(
            "entry_point",
            f"`{ENTRY_POINT}` must name every argument, to be given by keyword: no `*args`, no "
            "`**kwargs`, no `/`",
        )
    names = [argument.arg for argument in (*arguments.args, *arguments.kwonlyargs)]
    if not names:
        raise BadReply("entry_point", f"`{ENTRY_POINT}` takes no arguments")
    return names


def _check_generator(source: str) -> None:
    node = _function(GENERATOR_PART, _parsed(GENERATOR_PART, source), GENERATOR)
    arguments = node.args
    taken = (*arguments.posonlyargs, *arguments.args)
    more = arguments.vararg or arguments.kwarg or arguments.kwonlyargs
    if more or [argument.arg for argument in taken] != ["rng"]:
        raise BadReply(
            "generator",
            f"`{GENERATOR}` must have the signature "
            f"`def {GENERATOR}(rng: random.Random) -> dict`, and has "
            f"`def {GENERATOR}({ast.unparse(arguments)})`",
        )


def _parsed(name: str, source: str) -> ast.Module:
    try:
        tree = syntax_tree(source)
    except SyntaxError as error:
        shown = f": `{error.text.strip()}`" if error.text else ""
        raise BadReply(
            "syntax",
            f"`## {name}` is not valid Python: {error.msg} in line {error.lineno}{shown}",
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise BadReply("syntax", f"`## {name}` is not valid Python: {error}") from error
    for node in ast.walk(tree):
        for module in _imported(node):
            if module.split(".")[0] not in AVAILABLE:
                raise BadReply(
                    "import",
                    f"`## {name}` imports `{module}`, which is not among the packages at hand",
                )
    return tree


def _imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            return ["." * node.level + (node.module or "")]
        case _:
            return []


def _function(name: str, tree: ast.Module, wanted: str) -> ast.FunctionDef:
    found = [node for node in tree.body if isinstance(node, Function) and node.name == wanted]
    if not found:
        raise BadReply(
            "entry_point" if name == CODE else "generator",
            f"`## {name}` defines no function `{wanted}` at its top level",
        )
    node = found[-1]
    if isinstance(node, ast.AsyncFunctionDef):
        raise BadReply(
            "entry_point" if name == CODE else "generator", f"`{wanted}` must not be `async`"
        )
    return node
