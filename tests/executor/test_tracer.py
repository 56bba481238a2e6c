"""What the tracer in the guest records, and that it changes nothing."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from codeio.executor import sandbox as sandbox_package
from codeio.runtime.trace import Source, Trace, iterations, parse_trace

if TYPE_CHECKING:
    from types import ModuleType

GUEST = Path(sandbox_package.__file__).parent / "guest"
FILENAME = "<program>"


@pytest.fixture(scope="module")
def tracer() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        # In the guest its files import one another as siblings.
        patch.syspath_prepend(str(GUEST))
        return importlib.import_module("tracer")


def record(tracer: ModuleType, code: str, *, steps: int = 1000, **inputs: Any) -> tuple[Any, Trace]:
    namespace: dict[str, Any] = {"__name__": "program"}
    exec(tracer.compile_program(code, FILENAME), namespace)
    recorder = tracer.Recorder(FILENAME, steps)
    result = recorder.call(namespace["f"], inputs)
    return result, parse_trace(recorder.to_json())


PROGRAMS = {
    "loops": "def f(n):\n    t = 0\n    for i in range(n):\n        if i % 2: continue\n"
    "        t += i\n    else:\n        t += 100\n    while t > 50: t //= 2\n    return t",
    "generator": "def g(n):\n    for i in range(n):\n        yield i\n"
    "def f(n):\n    return sum(x * x for x in g(n)) + max(g(n + 1))",
    "closure": "def f(n):\n    c = 0\n    def add():\n        nonlocal c\n        c += n\n"
    "        return lambda: c\n    add()\n    return add()()",
    "classes": "class A:\n    k: int = 3\n    def __init__(self, n): self.n = n\n"
    "    def m(self): return self.n\nclass B(A):\n    __slots__ = ()\n"
    "    def m(self): return super().m() * __class__.k\ndef f(n):\n    return B(n).m()",
    "match": "def f(n):\n    match [n, n + 1]:\n        case [0, _]: return 'zero'\n"
    "        case [x, y] if x < y: return f'{x}<{y:>3}'\n        case _: return None",
    "exceptions": "def f(n):\n    try:\n        try:\n            return [0][n]\n        finally:\n"
    "            n = -1\n    except IndexError as e:\n        return str(e) + str(n)",
    "walrus": "def f(n):\n    return [y for x in range(n) if (y := x * 2) % 3] + [*range(2)]",
    "unpacking": "def f(n):\n    (a, *b), d = (n, 1, 2), {**{'k': n}, 'l': 0}\n"
    "    d['k'] += a\n    b[0], b[1] = b[1], b[0]\n    del b[0]\n    return [a, b, d]",
    "chained": "def f(n):\n    a = (0 < n < 10 <= 10) and (n or 5)\n"
    "    return a, not n, -n, ~n, n if n else 0",
    "recursion": "def f(n):\n    return 1 if n < 2 else f(n=n - 1) + f(n=n - 2)",
    "slices": "def f(n):\n    s = list(range(n))\n    s[1:3] = []\n    return s[::-1], 'abc'[n:]",
    "one_line": "def f(n): return (lambda q: q + 1)(n); pass",
    "decorated": "import functools\n@functools.lru_cache(maxsize=None)\n"
    "def h(n):\n    return n + 1\ndef f(n):\n    return h(n) + h(n)",
    "globals": "K = [1]\ndef f(n):\n    global K\n    K = K + [n]\n    return K, sorted(locals())",
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("n", [0, 3, 6])
def test_tracing_changes_no_result(tracer: ModuleType, name: str, n: int) -> None:
    namespace: dict[str, Any] = {"__name__": "program"}
    exec(PROGRAMS[name], namespace)
    result, trace = record(tracer, PROGRAMS[name], n=n)
    assert result == namespace["f"](n=n)
    assert trace.frames[0].function == "f"
    assert not trace.cut


def test_an_exception_passes_and_the_trace_stays(tracer: ModuleType) -> None:
    code = "def f(n):\n    a = n + 1\n    return a // (n - n)"
    namespace: dict[str, Any] = {}
    exec(tracer.compile_program(code, FILENAME), namespace)
    recorder = tracer.Recorder(FILENAME, 100)
    with pytest.raises(ZeroDivisionError):
        recorder.call(namespace["f"], {"n": 1})
    trace = parse_trace(recorder.to_json())
    assert trace.steps[-1].raised == "ZeroDivisionError"
    assert trace.variable("a", frame=0, after=1) == "2"
    assert trace.frames[0].returned is None


def test_what_each_statement_did_is_recorded(tracer: ModuleType) -> None:
    code = (
        "def f(nums):\n"
        "    total = 0\n"
        "    for x in nums:\n"
        "        if x > 2:\n"
        "            total += x * 10\n"
        "    return total + len(\n"
        "        nums)\n"
    )
    result, trace = record(tracer, code, nums=[1, 3, 5])
    assert result == 83
    source = Source(code)
    assert trace.steps[0].changes == {"nums": "[1, 3, 5]"}
    told = [(step.statement.line, dict(step.changes)) for step in trace.steps[1:]]
    assert told == [
        (2, {"total": "0"}),
        (3, {"x": "1"}),
        (4, {}),
        (3, {"x": "3"}),
        (4, {}),
        (5, {"total": "30"}),
        (3, {"x": "5"}),
        (4, {}),
        (5, {"total": "80"}),
        (3, {}),
        (6, {}),
    ]
    outcomes = [v for step in trace.steps for v in step.outcomes.values()]
    assert outcomes == [(False,), (True,), (True,)]
    last = {source.text(place): value for place, value in trace.steps[-1].values.items()}
    assert last == {"len(nums)": ("3",), "total + len(nums)": ("83",)}
    assert trace.frames[0].returned == "83"
    assert iterations(trace, source, trace.steps[2]) == 3


def test_nothing_of_the_program_runs_to_show_its_values(tracer: ModuleType) -> None:
    code = (
        "ran = []\n"
        "class Meta(type):\n"
        "    def __instancecheck__(cls, other): ran.append('check'); return True\n"
        "class A(metaclass=Meta):\n"
        "    def __init__(self): self.x = 1; self.me = self\n"
        "    def __repr__(self): ran.append('repr'); return ''\n"
        "    def __eq__(self, other): ran.append('eq'); return True\n"
        "    def __hash__(self): ran.append('hash'); return 1\n"
        "    def __iter__(self): ran.append('iter'); return iter(())\n"
        "    def __len__(self): ran.append('len'); return 0\n"
        "    def __bool__(self): ran.append('bool'); return True\n"
        "    def __getattr__(self, name): ran.append('getattr'); return 1\n"
        "    @property\n"
        "    def p(self): ran.append('property'); return 1\n"
        "class L(list):\n"
        "    def __iter__(self): ran.append('list iter'); return iter(())\n"
        "    def __len__(self): ran.append('list len'); return 0\n"
        "def f():\n"
        "    a = A()\n"
        "    b = [a, {1: a}, L([1])]\n"
        "    if a:\n"
        "        b.append(a)\n"
        "    return list(ran)\n"
    )
    result, trace = record(tracer, code)
    assert result == ["bool"]
    assert trace.variable("a", frame=0, after=10) == "A(x=1, me=…)"


def test_a_trace_is_cut_by_steps_and_the_call_goes_on(tracer: ModuleType) -> None:
    code = "def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t"
    result, trace = record(tracer, code, steps=50, n=10_000)
    assert result == sum(range(10_000))
    assert trace.cut
    assert len(trace.steps) == 50
    assert trace.frames[0].returned is None


def test_recursion_gets_as_deep_as_without_a_tracer(tracer: ModuleType) -> None:
    code = "def f(n):\n    return 0 if n == 0 else 1 + f(n=n - 1)"
    depth = 700
    result, trace = record(tracer, code, steps=10_000, n=depth)
    assert result == depth
    assert len(trace.frames) == depth + 1


def test_long_values_are_clipped(tracer: ModuleType) -> None:
    code = "def f(n):\n    a = list(range(n))\n    b = 'x' * n\n    c = 7 ** n\n    return n"
    _, trace = record(tracer, code, n=5000)
    for name in "abc":
        text = trace.variable(name, frame=0, after=9)
        assert text is not None
        assert "…" in text
        assert len(text) <= 420


def test_the_same_call_gives_the_same_bytes_under_any_hash_seed() -> None:
    script = (
        "import tracer, sys\n"
        "code = '''def f():\n"
        '    s = {"b", "a", "c", (1, "z"), frozenset({"q", "r"})}\n'
        "    class A: pass\n"
        '    a = A(); a.s = set("hello"); b = object(); g = (i for i in s)\n'
        "    import random\n"
        "    return random.random()\n'''\n"
        "names = {}\n"
        "exec(tracer.compile_program(code, 'p'), names)\n"
        "r = tracer.Recorder('p', 100)\n"
        "r.call(names['f'], {})\n"
        "sys.stdout.write(r.to_json())\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=GUEST,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1
    text = outputs.pop().decode()
    assert "0x" not in text
    assert parse_trace(text).steps


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", json.dumps({"steps": [{"s": 0, "f": 7}], "frames": []}), '{"steps": 1}'],
)
def test_what_is_no_trace_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_trace(text)
