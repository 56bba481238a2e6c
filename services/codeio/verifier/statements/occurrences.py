"""The numbers that occur in a run: of variables, of parts of them, of everything worked out.

A text often gives a value without a name: `that makes 12`, `about 3.78`. What the value is of
cannot be told for certain, but a number that occurs nowhere in the run is of nothing in it.
"""

from __future__ import annotations

import ast
import math
from bisect import bisect_left
from contextlib import suppress
from functools import cached_property
from itertools import accumulate, islice, product
from typing import TYPE_CHECKING, Any

from codeio.verifier.statements.evaluation import OPAQUE, UnevaluableError, evaluate
from codeio.verifier.statements.numbers import close
from codeio.verifier.statements.stated import alike
from codeio.verifier.statements.vocabulary import words

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence, Set

    from codeio.verifier.statements.run import Episode, Run

_MOST_STEPS = 2000
_MOST_PARTS = 5000
_MOST_NAMED = 3
_DEEPEST = 4
_MOST_CONTAINERS = 100
_MOST_COUNTS = 300
_LONGEST = 60
_LARGEST = 1e100
_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


_ITERATORS = words("range enumerate zip map filter reversed iter open print")


class Occurrences:
    """Finds numbers among all that occur in a run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._unknown = not self.known
        self._counts: dict[Hashable, Set[int]] = {}
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
        summed = any(isinstance(n, ast.Name) and n.id == "sum" for n, _ in self._parts)
        for _, episodes in self._parts:
            for episode in episodes:
                self._unknown = self._unknown or episode.value is OPAQUE
                found.update(_numbers(episode.value, summed=summed))
        found.update(self._inner())
        found.update(map(float, self._run.executions.values()))
        found.update(float(len(loop.rounds)) for loop in self._run.loops)
        found.update(_numbers(self._run.output, summed=summed))
        return sorted(found)

    def has(self, number: float, *, digits: int, about: bool) -> bool | None:
        """Tell whether a number, or its opposite, occurs; None when that is not known."""
        everything = self._sorted
        if self._unknown:
            return None
        reach = max(1.01 * 10.0**-digits, 1e-6 * abs(number), 0.03 * abs(number) if about else 0)
        for value in (number, -number):
            at = bisect_left(everything, value - reach)
            for actual in islice(everything, at, at + _MOST_PARTS):
                if actual > value + reach:
                    break
                whole = int(actual) if digits == 0 and actual.is_integer() else actual
                if close(value, whole, digits=digits, about=about):
                    return True
        return False

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
        return [*{text for _, es in self._parts for e in es for text in _strings(e.value)}]

    def values(self, *, last: bool = False) -> Sequence[tuple[str, Any]]:
        """Return variables, and keys of the output, with their values, or those at the end."""
        return self._last_values if last else self._values

    @cached_property
    def _values(self) -> Sequence[tuple[str, Any]]:
        return list(self._named(last=False))

    @cached_property
    def _last_values(self) -> Sequence[tuple[str, Any]]:
        return list(self._named(last=True))

    def _named(self, *, last: bool) -> Iterator[tuple[str, Any]]:
        for node, episodes in self._parts:
            if isinstance(node, ast.Name):
                for episode in episodes[-1:] if last else episodes:
                    if episode.value is not OPAQUE:
                        yield node.id, episode.value
        if isinstance(self._run.output, dict):
            yield from ((str(key), value) for key, value in self._run.output.items())

    @cached_property
    def names(self) -> Set[str]:
        """The names that have values."""
        return {name for name, _ in self._values}

    def counts(self, key: Hashable, count: Callable[[], Set[int]]) -> Set[int]:
        """Return what a count over the values comes to, worked out once for a key.

        Empty where the text asks for too many of them.
        """
        if len(self._counts) > _MOST_COUNTS:
            return self._counts.get(key, frozenset())
        if key not in self._counts:
            self._counts[key] = count()
        return self._counts[key]

    def _inner(self) -> Iterator[float]:
        """Yield what comprehensions work out for each of their items."""
        for node in ast.walk(self._run.source.tree):
            if not isinstance(node, _COMPREHENSIONS) or self._unknown:
                continue
            try:
                yield from self._of_comprehension(node)
            except UnevaluableError:
                self._unknown = True

    def _of_comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> Iterator[float]:
        generator = node.generators[0]
        bound = {n.id for n in ast.walk(generator.target) if isinstance(n, ast.Name)}
        others = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & self._variables()
        choices = [self._choices(name) for name in sorted(others - bound)]
        if len(node.generators) > 1 or math.prod(map(len, choices)) > _MOST_NAMED**2:
            raise UnevaluableError("too many values")
        worked = not choices
        for values in product(*choices):
            known = dict(zip(sorted(others - bound), values, strict=True))
            try:
                items = evaluate(generator.iter, known)
            except UnevaluableError:
                continue  # variables of different moments need not fit together
            if not isinstance(items, list | tuple | str | range | dict):
                raise UnevaluableError("no sequence")
            results: list[float] = []
            for item in islice(items, _MOST_STEPS):
                local = known | _bind(generator.target, item)
                value: Any = None
                element = node.value if isinstance(node, ast.DictComp) else node.elt
                for part in (*ast.walk(node), element):
                    if part is element or isinstance(part, ast.BinOp):
                        with suppress(UnevaluableError):
                            value = evaluate(part, local)
                            worked = True
                            yield from _numbers(value)
                results += [value] if isinstance(value, int | float) else []
            yield from map(float, accumulate(results))
        if not worked:
            raise UnevaluableError("no value")

    def _variables(self) -> Set[str]:
        return {n.id for n, episodes in self._parts if isinstance(n, ast.Name) and episodes}

    def _choices(self, name: str) -> list[Any]:
        distinct = {
            repr(e.value): e.value
            for n, episodes in self._parts
            if isinstance(n, ast.Name) and n.id == name
            for e in episodes
        }
        return list(distinct.values())


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
    """Return the expressions of a program, each once."""
    found: dict[str, ast.expr] = {}
    inner = {
        name.id
        for node in ast.walk(tree)
        if isinstance(node, _COMPREHENSIONS)
        for generator in node.generators
        for name in ast.walk(generator.target)
        if isinstance(name, ast.Name)
    }
    inner |= {
        one.arg for node in ast.walk(tree) if isinstance(node, ast.Lambda) for one in node.args.args
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in _ITERATORS or name.endswith("Error"):
                continue
            case ast.BinOp() | ast.Name() | ast.Call() | ast.Subscript() | ast.UnaryOp():
                part: ast.expr = node
            case ast.arg(arg=name):
                part = ast.Name(name, ast.Load())
            case _:
                continue
        if not any(isinstance(n, ast.Name) and n.id in inner for n in ast.walk(part)):
            found.setdefault(ast.unparse(part), part)
    return list(found.values())


def _bind(target: ast.expr, item: Any) -> dict[str, Any]:
    match target:
        case ast.Name(id=name):
            return {name: item}
        case ast.Tuple(elts=parts) if isinstance(item, list | tuple) and len(item) == len(parts):
            found: dict[str, Any] = {}
            for part, value in zip(parts, item, strict=True):
                found |= _bind(part, value)
            return found
        case _:
            raise UnevaluableError("an odd target")


def _constant(node: ast.AST) -> Iterator[float]:
    if isinstance(node, ast.Constant):
        yield from _numbers(node.value)


def _numbers(value: Any, *, summed: bool = False, depth: int = 0) -> Iterator[float]:
    """Yield the numbers in a value and its lengths; `summed`: what its parts sum up to, too."""
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
                yield from _numbers_inside(value, summed=summed, depth=depth + 1)
        case _:
            return


def _numbers_inside(value: Any, *, summed: bool, depth: int) -> Iterator[float]:
    parts: Sequence[Any] = [*value, *value.values()] if isinstance(value, dict) else [*value]
    for part in islice(parts, _MOST_PARTS):
        yield from _numbers(part, summed=summed, depth=depth)
    if summed:
        counted = value.values() if isinstance(value, dict) else value
        plain = [n for n in islice(counted, _MOST_PARTS) if type(n) in (int, float)]
        if all(math.isfinite(n) and abs(n) < _LARGEST for n in plain):
            yield from map(float, accumulate(plain))
