"""What derived code may do in a trial is counted, so that a busy machine changes no outcome."""

from __future__ import annotations

from typing import Any

import pytest

from codeio.normalizer.guest_steps import Allowance, TimeUp, counted, limited

AMPLE = 60.0
ENDLESS = {
    "while": "def f():\n    while True:\n        pass",
    "for": "def f():\n    for _ in iter(int, 1):\n        pass",
    "comprehension": "def f():\n    return [x for x in iter(int, 1)]",
    "generator": "def f():\n    return sum(x for x in iter(int, 1))",
    "lambda": "def f():\n    return list(map(lambda x: x, iter(int, 1)))",
    "recursion": "def f(n=9):\n    for _ in 'ab':\n        n and f(n - 1)",
    "swallowed": "def f():\n    while True:\n        try:\n            g()\n        except:\n"
    "            pass\ndef g():\n    return 1",
    "swallowed once": "def f():\n    try:\n        while True:\n            pass\n"
    "    except BaseException:\n        return 1",
    "in a class": "class A:\n    def __f(self):\n        while True:\n            pass\n"
    "    def go(self):\n        self.__f()\ndef f():\n    A().go()",
}
PLAIN = '''
import math

def documented(n):
    """Its text stays."""
    total = 0
    for i in range(n):
        total += i
    else:
        total += 1
    while total > 100:
        total -= 7
    return total

async def later():
    return 1

def many(n):
    seen = [(a, b) for a in range(n) if a % 2 for b in range(a) if b]
    return {k: v for k, v in seen}, {a for a, _ in seen}, max(seen, key=lambda p: p[1] - p[0])

def lazy(n):
    yield from (x * 2 for x in range(n))
    return math.pi
'''


def run(source: str, steps: int = 1000) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(counted(source, "code"), namespace)
    with limited(namespace, steps, AMPLE):
        namespace["result"] = namespace["f"]()
    return namespace


@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS.keys())
def test_endless_code_ends_after_its_steps_and_not_by_the_clock(source: str) -> None:
    with pytest.raises(TimeUp):
        run(source)


def test_a_long_step_ends_by_the_clock() -> None:
    namespace: dict[str, Any] = {}
    with pytest.raises(TimeUp), limited(namespace, 1000, 0.05):
        exec("while True:\n    pass", {})


def test_counting_changes_no_result_and_no_line() -> None:
    plain: dict[str, Any] = {}
    exec(compile(PLAIN, "code", "exec"), plain)
    watched: dict[str, Any] = {}
    exec(counted(PLAIN, "code"), watched)
    with limited(watched, 10_000, AMPLE):
        for n in (2, 9, 40):
            assert watched["documented"](n) == plain["documented"](n)
            assert list(watched["lazy"](n)) == list(plain["lazy"](n))
        assert watched["many"](9) == plain["many"](9)
    assert watched["documented"].__doc__ == "Its text stays."
    for name in ("documented", "many", "lazy"):
        lines = [
            {line for *_, line in space[name].__code__.co_lines() if line}
            for space in (plain, watched)
        ]
        assert lines[0] == lines[1]


def test_several_calls_share_an_allowance() -> None:
    source = "def f():\n    for _ in range(98):\n        pass"
    together = Allowance(250, AMPLE)
    used = []
    for _ in range(4):
        run(source, 101)
        used.append(together.used_up)
    assert used == [False, False, True, True]
