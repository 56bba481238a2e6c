"""What is known of a function from its head: one slot per parameter, one for the result."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from codeio.normalizer.annotations import vote_annotation, vote_words
from codeio.normalizer.docs import read_docstring
from codeio.normalizer.evidence import Slot

if TYPE_CHECKING:
    from codeio.normalizer.scopes import Function


class Signature:
    """The slots of a function: one per parameter, one for the result."""

    def __init__(self, node: Function, owner: str | None = None) -> None:
        self.node = node
        self.owner = owner
        arguments = node.args
        self.names = [arg.arg for arg in (*arguments.posonlyargs, *arguments.args)]
        self.keyword_names = [arg.arg for arg in arguments.kwonlyargs]
        self.parameters = {name: Slot() for name in (*self.names, *self.keyword_names)}
        if arguments.vararg:
            self.parameters[arguments.vararg.arg] = Slot().vote("list", 3)
        self.result = Slot()
        self.takes_self = owner is not None and not _is_static(node) and bool(self.names)
        for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if arg.annotation is not None:
                vote_annotation(self.parameters[arg.arg], arg.annotation)
        documented = read_docstring(ast.get_docstring(node)).types
        for name, text in documented.items():
            if name in self.parameters:
                vote_words(self.parameters[name], text)
        if node.returns is not None:
            vote_annotation(self.result, node.returns)
        defaults = zip(reversed(self.names), reversed(arguments.defaults), strict=False)
        keyword_defaults = zip(self.keyword_names, arguments.kw_defaults, strict=True)
        for name, default in (*defaults, *keyword_defaults):
            if isinstance(default, ast.Constant) and default.value is not None:
                self.parameters[name].show(default.value, 4)


def _is_static(node: Function) -> bool:
    return any(
        isinstance(decorator, ast.Name) and decorator.id == "staticmethod"
        for decorator in node.decorator_list
    )
