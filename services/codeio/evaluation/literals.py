r"""CRUXEval's answers, which are Python literals, as programs that a verifier can run.

Its functions take and return tuples, sets and dictionaries with numbers for
keys, none of which survives JSON. So an answer travels as text, and a program
around the function evaluates it, inside the sandbox, and compares there. Only
literals are evaluated: an answer cannot call the function, nor bring an object
that equals everything.

A model may give its answer in the form of the benchmark, an assertion, or in
this project's form, an object with `output` or `input`.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from typing import Any

ENTRY_POINT = "main_solution"

_OUTPUT_PROGRAM = """\
{code}


def main_solution(answer):
    from ast import literal_eval

    return bool(literal_eval(answer) == f({input}))
"""

_INPUT_PROGRAM = """\
{code}


def main_solution(answer):
    from ast import literal_eval, parse

    call = parse(answer, mode="eval").body
    args = [literal_eval(each) for each in call.args]
    kwargs = {{each.arg: literal_eval(each.value) for each in call.keywords}}
    return bool(f(*args, **kwargs) == {output})
"""

_ASSERTION = re.compile(r"\bassert\s+(?=\S)")
_OBJECT = {
    "output": re.compile(r"""\{\s*["']output["']\s*:"""),
    "input": re.compile(r"""\{\s*["']input["']\s*:"""),
}
# A literal may go over several lines.
_MOST_LINES = 40
_LONGEST = 100_000


def output_program(code: str, input_: str) -> str:
    """Return a program that tells whether a literal is what `f(input_)` returns."""
    return _OUTPUT_PROGRAM.format(code=code, input=input_)


def input_program(code: str, output: str) -> str:
    """Return a program that tells whether a call of `f` with literals returns `output`."""
    return _INPUT_PROGRAM.format(code=code, output=output)


def read_output(response: str) -> str | None:
    """Return the predicted output as source of a literal, or None if there is none."""
    assertion = _last_assertion(response)
    if assertion is not None:
        return ast.unparse(assertion[1])
    value = _last_object(response, "output")
    return None if value is None else ast.unparse(value)


def read_input(response: str) -> str | None:
    """Return the predicted input as source of a call of `f`, or None if there is none."""
    assertion = _last_assertion(response)
    if assertion is not None:
        return ast.unparse(assertion[0])
    value = _last_object(response, "input")
    if value is None:
        return None
    call = ast.Call(func=ast.Name(id="f", ctx=ast.Load()), args=[], keywords=[])
    if isinstance(value, ast.Dict) and all(map(_is_name, value.keys)):
        call.keywords = [
            ast.keyword(arg=key.value, value=each)
            for key, each in zip(value.keys, value.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        ]
    else:
        call.args = [value]
    return ast.unparse(call)


def _is_name(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value.isidentifier()


def _last_assertion(response: str) -> tuple[ast.Call, ast.expr] | None:
    """Return the call and the literal of the last `assert f(...) == ...` that is one."""
    response = response[-_LONGEST:]
    for start in reversed([match.start() for match in _ASSERTION.finditer(response)]):
        found = _assertion(response[start:])
        if found is not None:
            return found
    return None


def _assertion(text: str) -> tuple[ast.Call, ast.expr] | None:
    lines = text.splitlines()
    for count in range(1, min(len(lines), _MOST_LINES) + 1):
        source = "\n".join(lines[:count]).split("[/ANSWER]")[0].strip().rstrip("`*. ")
        match _parsed(source):
            case [ast.Assert(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]))]:
                for call, value in ((left, right), (right, left)):
                    if _is_call(call) and _is_literal(value):
                        return call, value  # type: ignore[return-value]
                return None
    return None


def _is_call(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="f"), args=args, keywords=keywords):
            return all(map(_is_literal, args)) and all(
                each.arg is not None and _is_literal(each.value) for each in keywords
            )
    return False


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _last_object(response: str, key: str) -> ast.expr | None:
    """Return the value of the key in the last object that has it, JSON or Python."""
    response = response[-_LONGEST:]
    for start in reversed([match.start() for match in _OBJECT[key].finditer(response)]):
        value = _value_at(response, start, key)
        if value is not None:
            return value
    return None


def _value_at(text: str, start: int, key: str) -> ast.expr | None:
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start)
        return _expression(value[key])
    except (ValueError, RecursionError):
        pass
    for end in (match.end() for match in re.finditer(r"\}", text[start:][:_LONGEST])):
        match _parsed(text[start : start + end]):
            case [ast.Expr(value=ast.Dict(keys=[_, *_] as keys, values=values) as node)]:
                if not _is_literal(node):
                    return None
                return next(
                    each
                    for name, each in zip(keys, values, strict=True)
                    if isinstance(name, ast.Constant) and name.value == key
                )
    return None


def _expression(value: Any) -> ast.expr:
    return ast.parse(repr(value), mode="eval").body


def _parsed(source: str) -> list[ast.stmt] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a model wrote
        try:
            return ast.parse(source).body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return None
