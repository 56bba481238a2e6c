"""Files are kept by how often the model completes one of their functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codeio.normalizer import Normalizer
from codeio.normalizer.teacher import CompletionFilter
from codeio.normalizer.teacher.holes import find_hole
from codeio.runtime.errors import Rejected
from codeio.runtime.settings import ExecutorSettings, LimitsSettings, NormalizerSettings
from tests.normalizer.teacher.scripted import Scripted, raw

if TYPE_CHECKING:
    from codeio.executor.sandbox.pool import Pool
    from codeio.normalizer.search import Search

FILE = '''"""Counting."""

STEP = 2


def doubled(n: int) -> int:
    return n * STEP


def weighted(numbers: list[int], limit: int) -> int:
    """Add up the doubled numbers below the limit.

    >>> weighted([1, 5], 3)
    2
    """
    # the secret
    total = 0
    for number in numbers:
        if number < limit:
            total += doubled(number)
    return total


def last(numbers: list[int]) -> int:
    return numbers[-1] if numbers else 0
'''

HEAD = "def weighted(numbers: list[int], limit: int) -> int:\n"
RIGHT = f"Here:\n```python\n{HEAD}    return sum(doubled(n) for n in numbers if n < limit)\n```"
WITH_IMPORT = (
    f"```python\nimport math\n\n{HEAD}    below = [n for n in numbers if n < limit]\n"
    "    return math.prod([STEP, sum(below)])\n```"
)
UNFENCED = f'{HEAD}    """Add up."""\n    return 2 * sum(n for n in numbers if n < limit)\n'
WRONG = f"```python\n{HEAD}    return sum(doubled(n) for n in numbers)\n```"
RAISES = f"```python\n{HEAD}    return numbers[999]\n```"
ENDLESS = f"```python\n{HEAD}    while True:\n        pass\n```"
IMPURE = f"```python\n{HEAD}    return len(open('/etc/passwd').read())\n```"
NO_BODY = f'```python\n{HEAD}    """Later."""\n```'
OTHER = "```python\ndef other(numbers, limit):\n    return 0\n```"


@pytest.fixture
def search(sandbox: Pool) -> Search:
    return Normalizer(
        sandbox,
        settings=NormalizerSettings(),
        bar=ExecutorSettings(),
        limits=LimitsSettings(),
        seed=0,
    ).search


async def rate(sandbox: Pool, search: Search, *replies: str, text: str = FILE) -> dict[str, float]:
    chosen = CompletionFilter(
        Scripted(replies), sandbox, search=search, band=(0.1, 0.9), samples=len(replies)
    )
    return dict(await chosen.judge(raw(text)))


async def test_the_function_with_most_logic_is_shown_without_its_body(search: Search) -> None:
    hole = find_hole(await search.look(FILE))
    assert hole is not None
    assert hole.name == "weighted"
    assert ">>> weighted([1, 5], 3)" in hole.shown
    assert '    """\n    # the missing body\n\n\ndef last' in hole.shown
    assert "total" not in hole.shown


@pytest.mark.parametrize(
    "head",
    [
        "def f(n: int):",
        "def f(n: int) -> list[int]:  # of them",
        "def f(\n    n: int,\n    step: int = 2,\n) -> list[int]:",
        "def f(\n    n: int  # how many\n    ):",
    ],
)
async def test_what_is_said_before_the_first_statement_goes_too(search: Search, head: str) -> None:
    body = "    # the secret\n\n    found = [i for i in range(n) if i % 2]\n    return found\n"
    hole = find_hole(await search.look(f"{head}\n{body}"))
    assert hole is not None
    assert hole.shown == f"{head}\n    # the missing body\n"


@pytest.mark.parametrize("right", [RIGHT, WITH_IMPORT, UNFENCED])
async def test_the_share_of_right_completions_is_the_score(
    sandbox: Pool, search: Search, right: str
) -> None:
    assert await rate(sandbox, search, right, WRONG) == {"completion_rate": 0.5}


async def test_whatever_else_comes_is_not_right(sandbox: Pool, search: Search) -> None:
    broken = "```python\ndef weighted(\n```"
    wrong = [WRONG, RAISES, ENDLESS, IMPURE, NO_BODY, OTHER, broken, "no", ""]
    assert await rate(sandbox, search, RIGHT, *wrong) == {"completion_rate": 0.1}


async def test_what_is_never_right_is_refused(sandbox: Pool, search: Search) -> None:
    with pytest.raises(Rejected) as refusal:
        await rate(sandbox, search, WRONG, "no")
    assert refusal.value.reason == "completion_rate:low"
    assert refusal.value.detail == "0 of 2 completions of weighted were right"


async def test_what_is_always_right_is_too_easy(sandbox: Pool, search: Search) -> None:
    with pytest.raises(Rejected) as refusal:
        await rate(sandbox, search, RIGHT, RIGHT)
    assert refusal.value.reason == "completion_rate:high"


METHOD = """class Solution:
    @staticmethod
    def helper(n: int) -> int:
        return n + 1

    def climb(self, n: int) -> int:
        a, b = 1, 1
        for _ in range(n):
            a, b = b, a + b
        return a
"""
IN_PLACE = """def arrange(arr):
    for i in range(len(arr)):
        for j in range(len(arr) - 1):
            if arr[j] > arr[j + 1]:
                arr[j], arr[j + 1] = arr[j + 1], arr[j]
"""
LINKED = """def turned(head):
    prev = None
    while head:
        head.next, prev, head = prev, head, head.next
    return prev
"""


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (
            METHOD,
            "```python\n    def climb(self, n: int) -> int:\n"
            "        ways = [1, 1]\n        while len(ways) <= n:\n"
            "            ways.append(ways[-1] + ways[-2])\n        return ways[max(n, 0)]\n```",
        ),
        (
            METHOD,
            "```python\nclass Solution:\n    def climb(self, n):\n        before, now = 1, 1\n"
            "        while n > 0:\n            before, now, n = now, before + now, n - 1\n"
            "        return before\n```",
        ),
        (IN_PLACE, "```python\ndef arrange(arr):\n    arr.sort()\n```"),
        (
            LINKED,
            "```python\ndef turned(head):\n    last = None\n    while head is not None:\n"
            "        after = head.next\n        head.next = last\n        last = head\n"
            "        head = after\n    return last\n```",
        ),
    ],
    ids=["method", "whole class", "in place", "nodes"],
)
async def test_methods_nodes_and_in_place_functions_are_completed_too(
    sandbox: Pool, search: Search, text: str, right: str
) -> None:
    assert await rate(sandbox, search, right, "no", text=text) == {"completion_rate": 0.5}


@pytest.mark.parametrize(
    "text",
    [
        "def total(:\n",
        "import torch\n\ndef f(n):\n    return torch.ones(n)\n",
        "n = int(input())\nprint(sum(i * i for i in range(n) if i % 3))\n",
        "def f(numbers: list[int]): return [n for n in numbers if n > 2]\n",
        "def f(n: int):\n    return [i for i in range(n) if i % 2]\n\n\n"
        "def f(n: int):\n    return [i for i in range(n) if i % 3]\n",
        "def hexadecimal(n):\n    found = ''\n    while n:\n"
        "        found = '0123456789abcdef'[n % 16] + found\n        n /= 16\n    return found\n",
    ],
    ids=["broken", "nothing runs", "script", "one line", "twice", "Python 2"],
)
async def test_a_file_without_such_a_function_is_kept_unscored(
    sandbox: Pool, search: Search, text: str
) -> None:
    assert await rate(sandbox, search, text=text) == {}
