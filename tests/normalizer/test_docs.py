"""What docstrings, comments and names say about inputs."""

from __future__ import annotations

import pytest

from codeio.normalizer.docs import english, read_docstring, worded_examples
from codeio.normalizer.statement import tidy, title_words

SPHINX = """Find the best.

:type nums: List[int]
:param nums: the numbers
:rtype: int
:return: the best of them
"""
GOOGLE = """Find the best.

Args:
    nums (List[int]): the numbers

Returns:
    int: the best of them
"""
NUMPY = """Find the best.

Parameters
----------
nums : List[int]
    the numbers

Returns
-------
int
    the best of them
"""


@pytest.mark.parametrize("text", [SPHINX, GOOGLE, NUMPY], ids=["sphinx", "google", "numpy"])
def test_the_common_styles_of_docstring_say_the_same(text: str) -> None:
    documentation = read_docstring(text)
    assert documentation.summary.strip() == "Find the best."
    assert documentation.types["nums"] == "List[int]"
    assert documentation.meanings["nums"] == "the numbers"
    assert documentation.result_type == "int"
    assert documentation.result_meaning == "the best of them"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Input: nums = [2, 7], target = 9\nOutput: [0, 1]", {"nums": [2, 7], "target": 9}),
        ("Input: [1, 2], 3", {"nums": [1, 2], "target": 3}),
        ("Given nums = [5, 6], find it", {"nums": [5, 6]}),
        ("For example, target = -4.", {"target": -4}),
        ("Example 1:\nInput: [4, 1], 7\nOutput: True", {"nums": [4, 1], "target": 7}),
    ],
)
def test_examples_in_words_are_read(text: str, expected: dict[str, object]) -> None:
    assert expected in list(worded_examples(text, ["nums", "target"]))


def test_a_summary_keeps_the_task_and_drops_examples_code_and_numbering() -> None:
    text = "25. Reverse the nodes of a list.\nclass Solution:\nInput: [1]\nOutput: [1]"
    assert tidy(text) == "Reverse the nodes of a list."


@pytest.mark.parametrize(
    "text", ["给定一个无重复元素的数组", "x = 3 * (y + 2)", "-*- coding: utf-8 -*-"]
)
def test_other_languages_code_and_noise_are_no_english(text: str) -> None:
    assert english(text) == ""


@pytest.mark.parametrize(
    ("name", "title"),
    [("Solution.twoSum", "two sum"), ("merge_sort", "merge sort"), ("bfs", "bfs")],
)
def test_names_are_told_in_words(name: str, title: str) -> None:
    assert title_words(name) == title
