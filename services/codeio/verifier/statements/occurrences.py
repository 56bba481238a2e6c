"""The numbers that occur in a run: of variables, of parts of them, of everything worked out.

A text often gives a value without a name: `that makes 12`, `about 3.78`. What the value is of
cannot be told for certain, but a number that occurs nowhere in the run is of nothing in it.
"""

from __future__ import annotations

import ast
import math
from bisect import bisect_left
from collections import defaultdict
from contextlib import suppress
from functools import cached_property
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, TypeAlias

from codeio.verifier.statements.evaluation import OPAQUE, UnevaluableError, evaluate, free_names
from codeio.verifier.statements.numbers import close, decimals
from codeio.verifier.statements.stated import alike
from codeio.verifier.statements.vocabulary import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeio.verifier.statements.run import Episode, Run

_MOST_STEPS = 2000
_MOST_PARTS = 5000
_DEEPEST = 4
_MOST_CONTAINERS = 100
_LONGEST = 60
_LARGEST = 1e100
_Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


_ITERATORS = words("range enumerate zip map filter reversed iter open print")


class Occurrences:
    """Finds numbers among all that occur in a run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._unknown = not self.known
        self._looked_for = 0

    @property
    def known(self) -> bool:
        """Whether the run is short and whole enough to be looked through."""
        return self._run.complete and len(self._run.trace.steps) <= _MOST_STEPS

    @cached_property
    def _parts(self) -> list[tuple[ast.expr, tuple[Episode, ...]]]:
        if self._unknown:
            return []
        return [(n, self._run.episodes(n)) for n in _expressions(self._run.source.tree)]

    @cached_property
    def _sorted(self) -> list[float]:
        """All numbers that occur."""
        found = {n for node in ast.walk(self._run.source.tree) for n in _constant(node)}
        for node, episodes in self._parts:
            if not episodes and isinstance(node, _Comprehension):
                self._unknown = self._unknown or self._run.executions[node.lineno] > 0
            for episode in episodes:
                self._unknown = self._unknown or episode.value is OPAQUE
                found.update(_numbers(episode.value))
        found.update(map(float, self._run.executions.values()))
        found.update(float(len(loop.rounds)) for loop in self._run.loops)
        found.update(_numbers(self._run.output))
        return sorted(found)

    def has(self, number: float, *, digits: int, about: bool) -> bool | None:
        """Tell whether a number, or its opposite, occurs; None when that is not known."""
        everything = self._sorted
        if self._unknown:
            return None
        reach = max(1.01 * 10.0**-digits, 1e-6 * abs(number), 0.12 * abs(number) if about else 0)
        for value in (number, -number):
            at = bisect_left(everything, value - reach)
            for actual in islice(everything, at, at + _MOST_PARTS):
                if actual > value + reach:
                    break
                whole = int(actual) if digits == 0 and actual.is_integer() else actual
                if close(value, whole, digits=digits, about=about):
                    return True
        return False

    def lacks(self, number: float, text: str, *, about: bool = False) -> bool:
        """Tell whether a number, exact as it is written, occurs nowhere for certain."""
        return self.has(abs(number), digits=decimals(text), about=about) is False

    def has_container(self, value: Any) -> bool | None:
        """Tell whether a list, a text or the like occurs, whole or as a stretch of another."""
        self._looked_for += 1
        if self._looked_for > _MOST_CONTAINERS:
            return None
        if isinstance(value, str):
            return None if self._opaque else any(value in one for one in self._texts)
        if self._opaque:
            return None
        return any(_holds(one, value) for one in self._containers)

    def together(self, numbers: Sequence[float]) -> bool:
        """Tell whether variables have these values at one moment."""
        return any(moment.issuperset(numbers) for moment in self._moments)

    @cached_property
    def _moments(self) -> list[set[float]]:
        current: defaultdict[int, dict[str, Any]] = defaultdict(dict)
        found: list[set[float]] = []
        for step in self._run.trace.steps[:_MOST_STEPS]:
            variables = current[step.frame]
            for name, text in step.changes.items():
                variables[name] = None if text is None else self._run.parse(text)
            if step.changes:
                found.append({v for v in variables.values() if type(v) in (int, float)})
        return found

    @cached_property
    def _opaque(self) -> bool:
        return not self.known or any(e.value is OPAQUE for _, found in self._parts for e in found)

    @cached_property
    def _containers(self) -> list[Any]:
        found: dict[str, Any] = {}
        for _, episodes in self._parts:
            for episode in episodes:
                for part in _nested(episode.value):
                    found.setdefault(repr(part), part)
        for node in ast.walk(self._run.source.tree):
            if isinstance(node, ast.List | ast.Tuple | ast.Dict | ast.Set):
                with suppress(UnevaluableError):
                    found.setdefault(ast.unparse(node), evaluate(node, {}))
        for part in _nested(self._run.output):
            found.setdefault(repr(part), part)
        return list(found.values())

    @cached_property
    def _texts(self) -> list[str]:
        held = [e.value for _, episodes in self._parts for e in episodes]
        return [*{text for value in (*held, self._run.output) for text in _strings(value)}]


def _nested(value: Any, *, depth: int = 0) -> Iterator[Any]:
    """Yield the containers in a value."""
    if isinstance(value, dict | list | tuple | set | frozenset | range):
        yield value
        if depth <= _DEEPEST:
            parts = [*value, *value.values()] if isinstance(value, dict) else value
            for part in islice(parts, _MOST_PARTS):
                yield from _nested(part, depth=depth + 1)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for container in _nested(value):
        parts = [*container, *container.values()] if isinstance(container, dict) else container
        yield from (part for part in islice(parts, _MOST_PARTS) if isinstance(part, str))


def _holds(container: Any, value: Any) -> bool:
    """Tell whether a container is a value, or has it as a stretch, in this order or sorted."""
    if alike(value, container):
        return True
    if not isinstance(container, list | tuple | range) or not isinstance(value, list | tuple):
        return False
    length = len(value)
    if length > _LONGEST or len(container) > _LONGEST or len(container) < length:
        return False
    orders = [list(container), list(container)[::-1]]
    with suppress(TypeError):
        orders += [sorted(container), sorted(set(container)), sorted(container, reverse=True)]
    return any(
        alike(value, order[at : at + length])
        for order in orders
        for at in range(len(order) - length + 1)
    )


def _expressions(tree: ast.Module) -> list[ast.expr]:
    """Return the expressions of a program, each once; of a comprehension's parts, their lists."""
    found: dict[str, ast.expr] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in _ITERATORS or name.endswith("Error"):
                continue
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp() | ast.DictComp():
                element = node.value if isinstance(node, ast.DictComp) else node.elt
                inside = [n for n in ast.walk(element) if isinstance(n, ast.BinOp)]
                parts = [node, node.generators[0].iter, *(_each(n, node) for n in inside)]
            case ast.BinOp() | ast.Name() | ast.Call() | ast.Subscript() | ast.UnaryOp():
                parts = [node]
            case ast.arg(arg=name):
                parts = [ast.Name(name, ast.Load())]
            case _:
                continue
        found |= {ast.unparse(part): part for part in parts}
    bound = _bound(tree)
    return [
        part
        for part in found.values()
        if isinstance(part, _Comprehension) or not bound & free_names(part)
    ]


def _each(part: ast.expr, whole: _Comprehension) -> ast.expr:
    """Return the list of what a part of a comprehension comes to in its rounds."""
    return ast.copy_location(ast.ListComp(part, whole.generators), whole)


def _bound(tree: ast.Module) -> set[str]:
    """Return the variables of comprehensions and lambdas, whose values are not traced."""
    nodes = list(ast.walk(tree))
    targets = [node.target for node in nodes if isinstance(node, ast.comprehension)]
    return {name for target in targets for name in free_names(target)} | {
        one.arg for node in nodes if isinstance(node, ast.Lambda) for one in node.args.args
    }


def _constant(node: ast.AST) -> Iterator[float]:
    if isinstance(node, ast.Constant):
        yield from _numbers(node.value)


def _numbers(value: Any, *, depth: int = 0) -> Iterator[float]:
    """Yield the numbers in a value and its lengths, what its parts sum up to, and their mean."""
    match value:
        case bool() | None:
            return
        case int() | float():
            if math.isfinite(value) and abs(value) < _LARGEST:
                yield float(value)
        case str():
            yield float(len(value))
            if value.isdecimal() and len(value) < 30:
                yield float(value)
        case dict() | list() | tuple() | set() | frozenset() | range():
            yield float(len(value))
            if depth <= _DEEPEST:
                yield from _numbers_inside(value, depth=depth + 1)
        case _:
            return


def _numbers_inside(value: Any, *, depth: int) -> Iterator[float]:
    parts: Sequence[Any] = [*value, *value.values()] if isinstance(value, dict) else [*value]
    for part in islice(parts, _MOST_PARTS):
        yield from _numbers(part, depth=depth)
    counted = value.values() if isinstance(value, dict) else value
    plain = [n for n in islice(counted, _MOST_PARTS) if type(n) in (int, float)]
    if all(math.isfinite(n) and abs(n) < _LARGEST for n in plain):
        sums = list(map(float, accumulate(plain)))
        yield from (*sums, *(sums[-1:] and [sums[-1] / len(sums)]))
