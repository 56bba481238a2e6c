"""How an output misses the wanted one, and how one input differs from another, in words."""

from __future__ import annotations

from typing import Any

from codeio.cot_generator.tracing.wording import code, listed


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _gap(output: float, target: float) -> float:
    """Return the distance in terms of the target, 1 at most."""
    try:
        gap: float = abs(output - target) / (1 + abs(target))
    except OverflowError:  # one is an integer beyond all floats
        return 1.0
    return min(gap, 1.0)


def closeness(output: Any, target: Any) -> float:
    """Return how far an output is from the target: small for the same form and size."""
    if _number(output) and _number(target):
        return _gap(output, target)
    if type(output) is not type(target):
        return 3.0
    if isinstance(output, dict):
        return 0.2 if output.keys() == target.keys() else 1.0
    if isinstance(output, list | str):
        if len(output) != len(target):
            return 1.0 + _gap(len(output), len(target))
        same = sum(bool(a == b) for a, b in zip(output, target, strict=True))
        return 0.5 - 0.5 * same / max(1, len(target))
    return 0.5


def difference(output: Any, target: Any) -> str:
    """Say how an output misses the target."""
    if _number(output) and _number(target):
        return "which is too small" if output < target else "which is too large"
    if isinstance(output, dict) and isinstance(target, dict):
        wrong = [key for key in target if output.get(key) != target[key]]
        if wrong:
            return f"which differs in {listed([code(repr(key)) for key in wrong[:3]])}"
    if type(output) is type(target) and isinstance(output, list | str):
        if len(output) != len(target):
            unit = "items" if isinstance(output, list) else "characters"
            more = "more" if len(output) > len(target) else "fewer"
            return f"which has {more} {unit} than it should ({len(output)}, not {len(target)})"
        for place, (one, wanted) in enumerate(zip(output, target, strict=True)):
            if one != wanted:
                both = f"{code(repr(one))} instead of {code(repr(wanted))}"
                return f"which differs at index {place}: {both}"
    return "which is not the wanted output"


def move(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Say what is different about another input."""
    parts = []
    for name, new in after.items():
        old = before.get(name)
        if old == new:
            continue
        if _number(old) and _number(new):
            parts.append(f"a {'larger' if new > old else 'smaller'} {code(name)}")
        elif isinstance(old, list | str) and type(old) is type(new) and len(old) != len(new):
            parts.append(f"a {'longer' if len(new) > len(old) else 'shorter'} {code(name)}")
        else:
            parts.append(f"another {code(name)}")
    return listed(parts[:3]) or "another one"
