"""In which ranges and over which alphabets values are drawn."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from codeio.normalizer.shapes import Choice, Float, Int, Shape, Text

if TYPE_CHECKING:
    from codeio.normalizer.evidence import Slot

_LETTERS = string.ascii_lowercase


def integers(slot: Slot) -> list[tuple[float, Shape]]:
    """Return ranges of integers with their costs, from examples, comparisons and use."""
    seen = [value for value in slot.values if type(value) is int and abs(value) < 10**12]
    bounds = [int(bound) for bound in slot.bounds if abs(bound) <= 100_000]
    found: list[tuple[float, Shape]] = []
    if seen:
        # What people measure with is often too much for a short call.
        low, high = min(seen), max(seen)
        reach = max(5, high // 2)
        bottom = min(low, 1) if low >= 0 else low - max(3, -low // 2)
        found.append((0.0 if high <= 2000 else 0.8, Int(bottom, high + reach)))
        if high > 30:
            found.append((0.5 if high <= 2000 else 0.1, Int(bottom, 20)))
        if high > 300:
            found.append((0.6, Int(high // 10, high // 4)))
    top = max([20, *(bound + max(3, bound // 2) for bound in bounds)])
    shift = 0.4 if seen else 0.0
    negative = any(bound < 0 for bound in bounds)
    if "digits" in slot.roles and not seen:
        found.append((0.0, Int(0, 9999)))
        shift += 0.2
    if slot.votes["list"] or "divisor" in slot.roles:
        found.append((shift + 0.3, Int(1, top)))
    found.append((shift, Int(1 if "size" in slot.roles else 0, top)))
    found.append((shift + 0.45, Int(1, 10)))
    found.append(
        (shift + (0.2 if negative else 0.5 if "size" not in slot.roles else 0.9), Int(-9, 9))
    )
    found.append((shift + 0.6, Int(1, 500)))
    found.append((shift + 0.7, Int(1, 6)))
    found.append((shift + 1.3, Int(1000, 99999)))
    return found


def floats(slot: Slot) -> list[tuple[float, Shape]]:
    """Return ranges of numbers with their costs."""
    seen = [float(value) for value in slot.values if type(value) in (int, float)]
    seen = [value for value in seen if abs(value) < 1e9]
    found: list[tuple[float, Shape]] = []
    if seen and 0 < max(seen) < 0.1 and min(seen) >= 0:
        # Tolerances and rates: rounding a draw would make them 0.
        found.append((0.0, Choice(tuple(max(seen) * factor for factor in (0.5, 1, 2, 5)))))
    elif seen:
        low, high = min(seen), max(seen)
        reach = max(abs(high), abs(low), 0.1)
        found.append((0.0, Float(min(low, 0.0) if low >= 0 else low - reach, high + reach)))
    shift = 0.3 if seen else 0.0
    found.append((shift, Float(0.5, 20.0)))
    found.append((shift + 0.4, Float(-5.0, 5.0)))
    found.append((shift + 0.5, Float(0.01, 0.99)))
    found.append((shift + 0.7, Float(1.0, 500.0)))
    return found


def texts(slot: Slot) -> list[tuple[float, Shape]]:
    """Return kinds of strings with their costs: alphabets from examples and comparisons."""
    seen = [value for value in slot.values if isinstance(value, str)]
    characters = [choice for choice in dict.fromkeys(slot.choices) if len(choice) == 1]
    whole = [choice for choice in dict.fromkeys(slot.choices) if len(choice) > 1]
    found: list[tuple[float, Shape]] = []
    if "character" in slot.roles:
        found.append((0.0, Text(string.ascii_letters, 1, 1)))
    if len(whole) >= 2:
        found.append((0.0, Choice(tuple(dict.fromkeys((*slot.choices, *seen)))[:16])))
    if slot.has_element:
        characters += [c for c in dict.fromkeys(slot.element.choices) if len(c) == 1]
    if len(set(seen)) > 2 and all(any(not c.isalpha() for c in text) for text in seen):
        # Dates, times, addresses: what has a form is better taken as it is.
        found.append((-0.1, Choice(tuple(dict.fromkeys(seen))[:16])))
    if any(seen):
        found.append((0.0, _like(seen)))
        if not any(c.isspace() for text in seen for c in text):
            small = "".join(dict.fromkeys("".join(seen)))[:4]
            if len(small) > 1:
                found.append((0.35, Text(small, 1, 8)))
    if len(whole) == 1:
        characters += [c for c in whole[0] if c not in characters]
    if characters:
        known = "".join(dict.fromkeys(characters))[:24]
        found.append((0.1 if not seen else 0.4, Text(known, 1, 10)))
        filler = "0123456789" if known.isdigit() or set(known) & set("+*/") else "abcxyz"
        found.append((0.15, Text(known * 2 + filler, 1, 12)))
    shift = 0.3 if found else 0.0
    found += [
        (shift, Text(_LETTERS, 1, 10)),
        (shift + 0.25, Text("abc", 1, 7)),
        (shift + 0.35, Text(_LETTERS, 2, 5, words=True)),
        (shift + 0.5, Text(string.digits, 1, 6)),
        (shift + 0.6, Text("01", 1, 8)),
        (shift + 0.7, Text("()[]{}", 2, 8)),
        (shift + 0.8, Text(string.ascii_uppercase, 1, 8)),
        (shift + 1.0, Text("IVXLCDM", 1, 5)),
    ]
    return found


def _like(seen: list[str]) -> Text:
    characters = set("".join(seen))
    longest = min(max(len(text) for text in seen) + 3, 40)
    if any(c.isspace() for c in characters) and longest > 6:
        return Text(_LETTERS, 1, max(2, min(longest // 4, 8)), words=True)
    alphabet = ""
    for group in (string.ascii_lowercase, string.ascii_uppercase, string.digits):
        inside = characters & set(group)
        if len(inside) > 4:
            alphabet += group
        else:
            alphabet += "".join(sorted(inside))
    alphabet += "".join(sorted(c for c in characters if not (c.isascii() and c.isalnum())))
    shortest = min(len(text) for text in seen)
    return Text(alphabet, min(shortest, 1), longest)
