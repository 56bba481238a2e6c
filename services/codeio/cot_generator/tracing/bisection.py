"""Closing in on the one number that an input is, by outputs too small and too large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codeio.runtime import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.cot_generator.tracing.runs import Run

_MOST = 8


def _single(input_json: str) -> tuple[str, int] | None:
    """Return the name and value of an input that is one integer."""
    arguments = values.loads(input_json)
    if len(arguments) != 1:
        return None
    [(name, value)] = arguments.items()
    return (name, value) if type(value) is int else None


def _bracket(misses: Sequence[Run], target: Any) -> tuple[Run, Run] | None:
    """Return the closest runs with an output below and above the target, where order allows."""
    if isinstance(target, bool) or not isinstance(target, int | float):
        return None
    below: list[tuple[int, Run]] = []
    above: list[tuple[int, Run]] = []
    for run in misses:
        single = _single(run.input_json)
        output = run.output
        if single is None or isinstance(output, bool) or not isinstance(output, int | float):
            return None
        (below if output < target else above).append((single[1], run))
    if not below or not above:
        return None
    if max(below, key=_first)[0] < min(above, key=_first)[0]:
        return max(below, key=_first)[1], min(above, key=_first)[1]
    if max(above, key=_first)[0] < min(below, key=_first)[0]:
        return min(below, key=_first)[1], max(above, key=_first)[1]
    return None


def _first(pair: tuple[int, Run]) -> int:
    return pair[0]


def midpoints(misses: Sequence[Run], own: dict[str, Any], target: Any) -> list[str]:
    """Return the inputs that halving the bracket may come by on the way to a solution.

    The way is known beforehand, so that all of it is executed in one request; which
    part of it halving really takes is decided by what the inputs give.
    """
    bracket = _bracket(misses, target)
    if bracket is None:
        return []
    ends = [_single(run.input_json) for run in bracket]
    solution = _single(values.dumps(own))
    if solution is None or ends[0] is None or ends[1] is None:
        return []
    name, goal = solution
    low, high = sorted((ends[0][1], ends[1][1]))
    if not low < goal < high:
        return []
    found: list[str] = []
    while high - low > 1 and len(found) < _MOST:
        middle = (low + high) // 2
        found.append(values.dumps({name: middle}))
        if middle == goal:
            break
        low, high = (middle, high) if middle < goal else (low, middle)
    return found


def narrowed(misses: Sequence[Run], runs: Sequence[Run], target: Any) -> list[Run]:
    """Return the bracket's ends and the halvings up to the first that gives the target.

    Empty where an output does not say which half to take, or none gives the target.
    """
    bracket = _bracket(misses, target)
    if bracket is None:
        return []
    below, above = bracket
    tried = [below, above]
    for run in runs:
        single, low, high = (_single(one.input_json) for one in (run, below, above))
        if not run.returned or single is None or low is None or high is None:
            return []
        if single[1] != sum(sorted((low[1], high[1]))) // 2:
            return []
        tried.append(run)
        if run.gives(target):
            return tried
        if run.output < target:
            below = run
        else:
            above = run
    return []
