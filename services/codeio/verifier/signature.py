"""Which keyword arguments a program takes, read from its source."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codeio.v1.records_pb2 import Program


@dataclass(frozen=True)
class Parameters:
    """The parameters of an entry point that can be given by keyword."""

    names: frozenset[str]
    required: frozenset[str]
    open: bool = False
    """Other names are taken too."""

    def fit(self, names: Iterable[str]) -> bool:
        """Tell whether a call with these keyword arguments binds."""
        given = set(names)
        return self.required <= given and (self.open or given <= self.names)


ANY = Parameters(frozenset(), frozenset(), open=True)
"""Of an entry point that is no plain function, or of a program that does not parse."""


def parameters_of(program: Program) -> Parameters:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the escapes of a text that is not ours
        try:
            body = ast.parse(program.code).body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return ANY
    for statement in reversed(body):
        if isinstance(statement, ast.FunctionDef) and statement.name == program.entry_point:
            return ANY if statement.decorator_list else _of(statement.args)
    return ANY


def _of(args: ast.arguments) -> Parameters:
    positional = args.args
    optional = {arg.arg for arg in positional[len(positional) - len(args.defaults) :]}
    if len(args.defaults) >= len(positional):
        optional = {arg.arg for arg in positional}
    optional |= {
        arg.arg for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True) if default
    }
    names = {arg.arg for arg in (*positional, *args.kwonlyargs)}
    return Parameters(
        names=frozenset(names),
        required=frozenset(names - optional),
        open=args.kwarg is not None,
    )
