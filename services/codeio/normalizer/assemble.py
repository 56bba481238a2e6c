"""Puts the source of a program together."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeio.normalizer.codecs import Codecs, decoded
from codeio.normalizer.shapes import Shape, annotation
from codeio.runtime.records import ENTRY_POINT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codeio.normalizer.units import Unit


@dataclass(frozen=True)
class Result:
    """Where a program's output comes from.

    `returned`: what the unit returns. `printed`: the lines that it prints.
    `changed`: the argument `name`, which it changes in place.
    """

    source: str = "returned"
    name: str = ""
    kinds: frozenset[str] = frozenset()
    printed_form: str = "lines"
    """`line` where one line is printed always, `numbers` where all are integers, else `lines`."""


def caller_source(unit: Unit, shapes: Mapping[str, Shape]) -> str:
    """Return source of `call(arguments, **inputs)` for a trial on top of the closure.

    The decoded arguments go into the dictionary `arguments`, so that the trial
    sees what the unit does to them.
    """
    codecs = Codecs(unit.closure.statements)
    expressions = decoded(codecs, shapes)
    call = unit.call.format_map({name: f"arguments[{name!r}]" for name in shapes})
    body = [
        *unit.reset,
        *(f"arguments[{name!r}] = {expressions[name]}" for name in shapes),
        f"return {call}",
    ]
    lines = [f"def call(arguments, {', '.join(shapes)}):", *(f"    {line}" for line in body)]
    return "\n\n".join([*_support(codecs), "\n".join(lines)]) + "\n"


def program_source(unit: Unit, shapes: Mapping[str, Shape], result: Result) -> str:
    """Return the whole program, its entry point last."""
    codecs = Codecs(unit.closure.statements)
    expressions = decoded(codecs, shapes)
    body: list[str] = [*unit.reset]
    if result.source == "changed":
        if expressions[result.name] != result.name:
            body.append(f"{result.name} = {expressions[result.name]}")
            expressions[result.name] = result.name
        body.append(unit.call.format_map(expressions))
        body.append(f"return {codecs.encode(result.name, result.kinds)}")
    elif result.source == "printed":
        for module in ("import contextlib", "import io"):
            codecs.imports.append(module)
        body += [
            "printed = io.StringIO()",
            "with contextlib.redirect_stdout(printed):",
            f"    {unit.call.format_map(expressions)}",
            {
                "line": "return printed.getvalue().strip()",
                "number": "return int(printed.getvalue())",
                "numbers": "return [int(line) for line in printed.getvalue().splitlines()]",
                "lines": "return printed.getvalue().splitlines()",
            }[result.printed_form],
        ]
    else:
        body.append(f"return {codecs.encode(unit.call.format_map(expressions), result.kinds)}")
    parameters = ", ".join(f"{name}: {annotation(shape)}" for name, shape in shapes.items())
    entry = "\n".join([f"def {ENTRY_POINT}({parameters}):", *(f"    {line}" for line in body)])
    imports, rest = _split(unit.closure.statements)
    heads = list(dict.fromkeys([*codecs.imports, *imports]))
    parts = ["\n".join(heads)] if heads else []
    parts += [*_support(codecs, with_imports=False)] if codecs.classes else []
    functions = [] if codecs.classes else [*_support(codecs, with_imports=False)]
    return "\n\n\n".join([*parts, *_grouped(rest), *functions, entry]).rstrip() + "\n"


def _support(codecs: Codecs, *, with_imports: bool = True) -> list[str]:
    found = ["\n".join(codecs.imports)] if with_imports and codecs.imports else []
    found += [ast.unparse(node) for node in codecs.classes]
    found += [source.rstrip() for source in codecs.functions.values()]
    return found


def _split(statements: Iterable[ast.stmt]) -> tuple[list[str], list[ast.stmt]]:
    imports: list[str] = []
    rest: list[ast.stmt] = []
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            imports.append(ast.unparse(statement))
        else:
            rest.append(statement)
    return imports, rest


def _grouped(statements: list[ast.stmt]) -> list[str]:
    """Return the sources, neighbouring one-line statements in one block."""
    blocks: list[str] = []
    simple = False
    for statement in statements:
        source = ast.unparse(statement)
        one_line = not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if one_line and simple:
            blocks[-1] += f"\n{source}"
        else:
            blocks.append(source)
        simple = one_line
    return blocks
