"""From the text of an answer to its value.

Language models are asked for JSON and often write something close to it: a
trailing comma, a line break inside a string, or a Python literal. What is
unmistakable is accepted; whatever could mean two things is not.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

from codeio.runtime import values

# Python's parser builds a tree of some hundred times the size of the text.
_MAX_LITERAL_CHARS = 1 << 16

_BEGINNING = re.compile(r"""[\s\[({]*+(?:[\])}"'\d+-]|[tT]rue|[fF]alse|null|None)""")
_SLIPS = re.compile(r'(?P<string>"(?:[^"\\]++|\\.)*+")|\\.|(?P<comma>,(?=\s*[}\]]))', re.DOTALL)
_CONTROLS = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

_LATEX_WRAPPER = re.compile(
    r"\s*\\(?:text|texttt|mathrm|mathtt|mathbf|mbox)\s*\{(.*)\}\s*", re.DOTALL
)
_LATEX_ESCAPE = re.compile(r"\\([{}_%&#$])")
_LATEX_SPACE = re.compile(r"\\[,;:! ]")

_JSON_NAMES = {"true": True, "false": False, "null": None}


def parse(text: str) -> Any:
    """Return the JSON value that the whole text denotes; tuples become lists.

    Raises:
        ValueError: it denotes none.
    """
    if not _BEGINNING.match(text):
        raise ValueError("no value begins like this")
    try:
        return values.loads(text)
    except ValueError:
        if len(text) > _MAX_LITERAL_CHARS:
            raise
    try:
        return values.loads(_SLIPS.sub(_mend, text))
    except ValueError:
        return values.loads(values.dumps(_python_literal(text)))


def parse_latex(text: str) -> Any:
    """Return the value of an answer typeset in LaTeX, such as the content of a box.

    Raises:
        ValueError: it denotes none.
    """
    try:
        return parse(text)
    except ValueError:
        while wrapped := _LATEX_WRAPPER.fullmatch(text):
            text = wrapped[1]
        return parse(_LATEX_ESCAPE.sub(r"\1", _LATEX_SPACE.sub(" ", text)).strip(" $"))


def _mend(slip: re.Match[str]) -> str:
    if slip["comma"]:
        return ""
    if slip["string"]:
        return re.sub(r"[\n\r\t]", lambda control: _CONTROLS[control[0]], slip[0])
    return slip[0]


def _python_literal(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the escapes of a text that is not ours
        try:
            return _evaluate(ast.parse(text.strip(), mode="eval").body)
        except (SyntaxError, MemoryError, RecursionError) as error:
            raise ValueError("neither JSON nor a Python literal") from error


def _evaluate(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return node.value
        case ast.Name(id=name) if name in _JSON_NAMES:
            return _JSON_NAMES[name]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)) if (
            not isinstance(number, bool)
        ):
            return -number
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_evaluate(element) for element in elements]
        case ast.Dict(keys=keys):
            items = [
                (_evaluate(key) if key else _refuse(node), _evaluate(value))
                for key, value in zip(keys, node.values, strict=True)
            ]
            if any(isinstance(key, list | dict) for key, _ in items):
                _refuse(node)
            value = dict(items)
            return value if len(value) == len(items) else _refuse(node)
        case _:
            return _refuse(node)


def _refuse(node: ast.expr) -> Any:
    raise ValueError(f"{type(node).__name__} is not a literal that JSON can hold")
