"""Numbers as people write them: digits, words, ordinals; and how exactly they were meant."""

from __future__ import annotations

import math

_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
]

CARDINALS: dict[str, int] = {
    **{word: number for number, word in enumerate(_SMALL)},
    **{word: 10 * number for number, word in enumerate(_TENS, start=2)},
    "hundred": 100,
}
ORDINALS: dict[str, int] = {word: number for number, word in enumerate(_ORDINALS, start=1)}
TIMES: dict[str, int] = {"never": 0, "once": 1, "twice": 2, "thrice": 3}


def cardinal(word: str) -> int | None:
    """Return the number that a word such as `three` or `twenty-one` names."""
    word = word.lower()
    if word in CARDINALS:
        return CARDINALS[word]
    tens, _, ones = word.partition("-")
    if tens in _TENS and ones in _SMALL[1:10]:
        return CARDINALS[tens] + CARDINALS[ones]
    return None


def ordinal(word: str) -> int | None:
    """Return 3 for `third` and for `3rd`."""
    word = word.lower()
    if word in ORDINALS:
        return ORDINALS[word]
    digits = word[:-2]
    if word[-2:] in ("st", "nd", "rd", "th") and digits.isdecimal() and len(digits) < 7:
        return int(digits)
    return None


def decimals(text: str) -> int:
    """Return how many digits after the point a number was written with."""
    mantissa = text.lower().partition("e")[0]
    return len(mantissa.partition(".")[2])


def close(stated: float, actual: float, *, digits: int, about: bool) -> bool:
    """Tell whether a number stated with so many decimals may stand for the actual one.

    A number may be rounded or cut off at its last digit; with a word such as
    `about` it may be off by another unit of that digit, or by 2 %; a whole number by 10 %.
    """
    if stated == actual:
        return True
    try:
        distance = abs(float(stated) - float(actual))
    except OverflowError:
        return False
    if not math.isfinite(distance):
        return False
    unit = 10.0 ** -min(digits, 15)
    if about:
        return distance <= max(unit, (0.02 if digits else 0.1) * abs(actual))
    if isinstance(stated, int) and isinstance(actual, int):
        return False
    if not digits:
        # An integer was meant; only a float's own noise is forgiven.
        return distance < 1e-6 * max(1.0, abs(actual))
    rounded = distance <= 0.5000001 * unit
    cut = abs(stated) < abs(actual) and distance < unit and stated * actual > 0
    return rounded or cut
