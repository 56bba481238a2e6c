"""Statements in other words: counts, ranges, membership, and values without a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest

from codeio.verifier.statements import Statement, Support

if TYPE_CHECKING:
    from collections.abc import Callable

Read: TypeAlias = "Callable[..., list[Statement]]"

# Each pair is a text that is so and the same with a fault in it.
PAIRS = [
    ("total", "The output is:\n```\n[15, 2]\n```\nDone.", "The output is:\n```\n[1]\n```\nDone."),
    ("total", "15² = 225.", "15² = 235."),
    ("total", "The minimum of 4, 9 and 3 is 3.", "The minimum of 4, 9 and 3 is 4."),
    ("total", "Iterations of the loop: 5.", "Iterations of the loop: 6."),
    ("total", "4 + 9 gives 13, so it's now 13.", "Adding 9 gives 14, so it's now 14."),
    ("total", "Adding 9 brings it to 13.", "Adding 9 brings it to 47."),
    ("total", "That isn't 14 but 13.", "That isn't 13 but 14."),
    ("total", "total never exceeds 15.", "total never exceeds 13."),
    ("total", "nums contains five numbers.", "nums contains six numbers."),
    ("total", "The last element of nums is 2.", "The last element of nums is 8."),
    ("total", "The length of nums is 5.", "The length of nums is 4."),
    ("total", "The largest number of nums is 9.", "The largest number of nums is 8."),
    ("total", "3 is in nums.", "7 is in nums."),
    ("total", "nums contains 8.", "nums contains 7."),
    ("total", "We end with the list [15, 2].", "We have [4, 9, 8, 3, 2] as input."),
    ("total", "total grows to 4, then 13, then 15.", "total grows to 4, then 14, then 15."),
    ("digits", "digits has 4 entries.", "digits has 5 entries."),
    ("digits", "83 is not divisible by 4.", "83 is divisible by 4."),
    ("digits", "20 is a multiple of 4.", "83 is a multiple of 4."),
    ("digits", "4 divides 20.", "4 divides 83."),
    ("digits", "83 is prime.", "83 isn't prime."),
    ("digits", "83 mod 4 leaves 3.", "83 mod 4 leaves 2."),
    ("digits", "83 divided by 4 leaves a remainder of 3.", "83 divided by 4 leaves 2."),
    ("digits", "10% of 50 is 5.", "10% of 50 is 4."),
    ("digits", "The sum of 3 and 4 is 7.", "The sum of 3 and 4 is 8."),
    ("digits", "Half of 20 is 10, and 3 squared is 9.", "3 squared is 6."),
    ("digits", "The digits list is [1, 1, 0, 3].", "The digits list is [1, 0, 1, 3]."),
    ("digits", "n never goes below zero.", "base never goes below five."),
    ("gcd", "The gcd of 24 and 36 is 12.", "The gcd of 24 and 36 is 6."),
    ("gcd", "That makes 12 in the end.", "That makes 18 in the end."),
    ("total", "That leaves 13.", "That leaves 47."),
    ("total", "There are five numbers in nums.", "There are six numbers in nums."),
    ("total", "The limit check is false for 13, as 13 > 15 fails.", "19 > 21 fails."),
    ("digits", "The number of digits is 4.", "The number of digits is 5."),
    ("digits", "Its first value is 83, then 20, and so on.", "The list [1, 2, 0, 3] comes out."),
    ("gcd", "We end at 12, which is about 10.", "We end at about 70."),
]
KEPT = [
    ("total", "The numbers have about 5.2 as their mean, and the sum of all is 26."),
    ("total", "nums are 4 and 9, among others."),
    ("total", "Skip if 13 < 15, fail; go on."),
    ("total", "x = 7 isn't among them."),
    ("total", "```python\ndef f(x):\n    total = 99\n    return total\n```"),
    ("total", "| x | limit |\n|---|---|\n| 20 | 30 |\n| 21 | 31 |"),
    ("total", "A total of 3 ideas, and nine lives."),
    ("total", "It should take roughly seven years, as a rule of thumb."),
    ("total", "13 and 3 would be 16 if we added them."),
    ("digits", "Rounded to two digits after the point."),
    ("digits", "Halving 20 gives 10, which plays no role."),
    ("total", "Rule 99, and 77 more pages."),
    ("total", "In general, e.g. for 77 numbers, that takes 77."),
    ("total", "It could be 70 or 80, and not 90."),
    ("total", "The pair [13, 3] shows total and x at that moment."),
    ("digits", "83 / 4 = 20 remainder 3."),
    ("digits", "digits has three numbers more than that."),
    ("gcd", "The product of 24 and 36 is 864, so that's 864."),
]


def contradicted(read: Read, program: str, text: str) -> list[Statement]:
    return [one for one in read(program, text) if one.support is Support.CONTRADICTED]


@pytest.mark.parametrize(("program", "true", "false"), PAIRS)
def test_a_wording_is_told_from_the_same_with_a_fault(
    read: Read, program: str, true: str, false: str
) -> None:
    assert contradicted(read, program, true) == []
    assert contradicted(read, program, false)


@pytest.mark.parametrize(("program", "text"), KEPT)
def test_what_only_looks_like_it_is_left_alone(read: Read, program: str, text: str) -> None:
    assert contradicted(read, program, text) == []
