"""Scripts, functions without parameters and classes with state become functions too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codeio.v1.records_pb2 import Program, Rejection

if TYPE_CHECKING:
    from tests.normalizer.conftest import Normalize, Run

PRIMES = """
n = int(input("How many numbers? "))
found = []
for i in range(2, n):
    if all(i % d for d in range(2, i)):
        found.append(i)
print(found)
"""
TWO_ON_A_LINE = """
a, b = map(int, input().split())
if a > b:
    print("first")
else:
    print("second")
"""
SHARED_NAME = """
def double():
    return 2 * n if n > 3 else 0

n = int(input())
print(double())
"""
LOOP_OF_LINES = """
t = int(input())
total = 0
for _ in range(t):
    total += int(input())
print(total)
"""
CONSTANTS = """
limit = 100
total = 0
for i in range(limit):
    if i % 3 == 0:
        total += i
print(total)
"""
IN_MAIN = """
def main():
    word = input("A word: ")
    if word == word[::-1]:
        print("same")
    else:
        print("different")

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        (PRIMES, '{"n": 8}', "[2, 3, 5, 7]"),
        (TWO_ON_A_LINE, '{"a": 3, "b": 2}', '"first"'),
        (SHARED_NAME, '{"n": 5}', "10"),
        (LOOP_OF_LINES, '{"t": 2, "lines": ["4", "5", "6"]}', "9"),
        (CONSTANTS, '{"limit": 10}', "18"),
        (IN_MAIN, '{"word": "noon"}', '"same"'),
    ],
    ids=["number", "two on a line", "shared name", "loop", "constant", "main"],
)
async def test_a_script_becomes_a_function_of_what_it_reads(
    normalize: Normalize, execute: Run, text: str, given: str, expected: str
) -> None:
    programs = [record for record in await normalize(text) if isinstance(record, Program)]
    results = [await execute(program, given, given) for program in programs]
    assert [expected, expected] in results
    assert all("input(" not in program.code for program in programs)


async def test_a_prompt_explains_its_parameter(normalize: Normalize) -> None:
    [program] = await normalize(PRIMES)
    assert isinstance(program, Program)
    assert "How many numbers" in program.io_description


async def test_a_class_with_state_takes_operations(normalize: Normalize, execute: Run) -> None:
    text = """
class Stack:
    def __init__(self):
        self.items = []

    def push(self, item: int):
        self.items.append(item)

    def pop(self):
        return self.items.pop() if self.items else None
"""
    [program] = await normalize(text)
    assert isinstance(program, Program)
    given = '{"operations": [["push", 4], ["push", 7], ["pop"], ["pop"], ["pop"]]}'
    assert await execute(program, given) == ["[null, null, 7, 4, null]"]


async def test_every_solution_of_one_name_is_looked_at(normalize: Normalize, execute: Run) -> None:
    text = """
class Solution:
    def add(self, n: int) -> int:
        total = 0
        for i in range(n):
            total += i
        return total

class Solution:
    def add(self, n: int) -> int:
        return n * (n - 1) // 2 if n > 0 else 0
"""
    programs = await normalize(text)
    assert len(programs) == 2
    for program in programs:
        assert isinstance(program, Program)
        assert program.code.count("class Solution") == 1
        assert await execute(program, '{"n": 5}') == ["10"]


async def test_a_script_that_asks_the_clock_is_refused(normalize: Normalize) -> None:
    [record] = await normalize("import time\nn = int(input())\nprint(n, time.time())\n")
    assert isinstance(record, Rejection)
    assert record.reason == "impure:clock"
