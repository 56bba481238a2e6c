"""Which keyword arguments are seen to bind."""

from __future__ import annotations

import pytest

from codeio.v1.records_pb2 import Program
from codeio.verifier.signature import parameters_of


@pytest.mark.parametrize(
    ("head", "fitting", "unfitting"),
    [
        ("f()", [""], ["a"]),
        ("f(a, b)", ["a b"], ["", "a", "a b c"]),
        ("f(a, b=1)", ["a", "a b"], ["", "b", "a c"]),
        ("f(a=1, b=2)", ["", "a", "b", "a b"], ["c"]),
        ("f(a, *, b, c=1)", ["a b", "a b c"], ["a", "b", "a c"]),
        ("f(a, **rest)", ["a", "a z"], ["", "z"]),
        ("f(*args, a)", ["a"], ["", "args", "a b"]),
        ("f(a: int, b: str = 'x') -> str", ["a", "a b"], ["b"]),
    ],
)
def test_what_binds(head: str, fitting: list[str], unfitting: list[str]) -> None:
    program = Program(code=f"import os\ndef {head}:\n    return 1\n", entry_point="f")
    parameters = parameters_of(program)
    assert all(parameters.fit(names.split()) for names in fitting)
    assert not any(parameters.fit(names.split()) for names in unfitting)


def test_the_last_definition_counts() -> None:
    code = "def f(a): pass\ndef g(b): pass\ndef f(c): pass\n"
    assert parameters_of(Program(code=code, entry_point="f")).fit(["c"])
    assert not parameters_of(Program(code=code, entry_point="f")).fit(["a"])


@pytest.mark.parametrize(
    "code",
    ["f = print", "class C:\n    def f(self, a): pass", "@wraps\ndef f(a): pass", "def f(", "\x00"],
)
def test_what_is_no_plain_function_takes_anything(code: str) -> None:
    assert parameters_of(Program(code=code, entry_point="f")).fit(["whatever"])


def test_odd_escapes_in_a_program_are_none_of_our_business() -> None:
    assert parameters_of(Program(code="def f(a):\n    '\\d'\n", entry_point="f")).fit(["a"])
