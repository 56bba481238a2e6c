"""From evidence to ranked hypotheses: what inputs a unit may take, the likeliest first."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from codeio.normalizer.evidence import ANNOTATED, HINTED, NODE, Slot
from codeio.normalizer.ranges import floats, integers, texts
from codeio.normalizer.relations import Ranked, consistent, with_relations
from codeio.normalizer.shapes import (
    Bool,
    DictOf,
    Float,
    FunctionOf,
    Graph,
    Grid,
    Instance,
    Int,
    Lines,
    Linked,
    ListOf,
    Nothing,
    Record,
    Shape,
    Text,
    Tree,
    TupleOf,
)
from codeio.normalizer.vocabulary import hints

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Hypotheses of one unit that are tried at most.
MOST_COMBINATIONS = 30
_MOST_PER_PARAMETER = 10
_MOST_OF_ONE_KIND = 5
_DEEPEST = 3
# Votes from which other kinds of type are hardly considered.
_CERTAIN = 6.0


@dataclass(frozen=True)
class Hypothesis:
    """One shape per parameter."""

    cost: float
    shapes: Mapping[str, Shape]


def combinations(
    slots: Mapping[str, Slot], *, classes: Mapping[str, Mapping[str, Slot]], sorted_first: bool
) -> list[Hypothesis]:
    """Return the likeliest joint hypotheses for the parameters, in order of cost.

    Args:
        slots: what is known of each parameter.
        classes: constructor parameters of the file's classes that can be built.
        sorted_first: whether lists are probably expected in order.
    """
    reader = _Reader(classes, sorted_first)
    ranked = {
        name: reader.argument(name, slot) if "." in name else reader.parameter(name, slot)
        for name, slot in slots.items()
    }
    for name, slot in slots.items():
        if "." not in name:
            ranked[name] = with_relations(name, slot, ranked)
        ranked[name] = _varied(ranked[name])
    names = list(ranked)
    found: list[Hypothesis] = []
    for cost, positions in _cheapest([[r.cost for r in ranked[name]] for name in names]):
        shapes = {name: ranked[name][at].shape for name, at in zip(names, positions, strict=True)}
        if consistent(shapes):
            found.append(Hypothesis(cost, shapes))
        if len(found) == MOST_COMBINATIONS:
            break
    return found


def _varied(found: Sequence[Ranked]) -> list[Ranked]:
    """Return the likeliest shapes, but not all of one kind."""
    kept: list[Ranked] = []
    seen: Counter[str] = Counter()
    for ranked in found:
        kind = type(ranked.shape).__name__
        seen[kind] += 1
        if seen[kind] <= _MOST_OF_ONE_KIND:
            kept.append(ranked)
    return kept[:_MOST_PER_PARAMETER]


def _cheapest(costs: Sequence[Sequence[float]]) -> list[tuple[float, tuple[int, ...]]]:
    """Return choices of one item per list in order of their total cost."""
    start = (0,) * len(costs)
    queue = [(sum(column[0] for column in costs), start)]
    seen = {start}
    found: list[tuple[float, tuple[int, ...]]] = []
    while queue and len(found) < 6 * MOST_COMBINATIONS:
        cost, positions = heapq.heappop(queue)
        found.append((cost, positions))
        for index, at in enumerate(positions):
            following = (*positions[:index], at + 1, *positions[index + 1 :])
            if at + 1 < len(costs[index]) and following not in seen:
                seen.add(following)
                heapq.heappush(queue, (cost - costs[index][at] + costs[index][at + 1], following))
    return found


class _Reader:
    """Reads the votes of slots."""

    def __init__(self, classes: Mapping[str, Mapping[str, Slot]], sorted_first: bool) -> None:
        self._classes = classes
        self._sorted_first = sorted_first
        # Classes whose fields are being read: an object is not made of objects of its own class.
        self._within: list[str] = []

    def parameter(self, name: str, slot: Slot) -> list[Ranked]:
        name = name.rsplit(".", 1)[-1]
        weight = HINTED
        for kind, role in hints(name):
            slot.vote(kind, weight)
            if role:
                slot.role(role)
            weight *= 0.6
        if "sorted" in name.lower():
            slot.role("sorted")
        return self.shapes(slot, 0)

    def argument(self, name: str, slot: Slot) -> list[Ranked]:
        """Return shapes for an argument of an operation: few values, so that they meet again."""
        found = self.parameter(name, slot)
        few: list[Ranked] = []
        for ranked in found:
            if isinstance(ranked.shape, Int) and ranked.shape.low >= 0:
                few.append(Ranked(ranked.cost, Int(1, 6)))
            elif isinstance(ranked.shape, Text) and not ranked.shape.words:
                few.append(Ranked(ranked.cost, Text(ranked.shape.alphabet[:4], 1, 2)))
        return sorted([*few[:2], *found], key=lambda ranked: ranked.cost)

    def shapes(self, slot: Slot, depth: int) -> list[Ranked]:
        scores = kind_scores(slot)
        best = max(scores.values())
        found: list[Ranked] = []
        for class_name, votes in slot.classes.most_common(2):
            fresh = class_name in self._classes and class_name not in self._within
            if fresh and depth < _DEEPEST:
                cost = 0.0 if votes >= 3 else 0.8
                found.append(Ranked(cost, self._instance(class_name, depth)))
        fields = {n: s for n, s in slot.attributes.items() if not n.startswith("[")}
        if fields and best < _CERTAIN and not found and depth < _DEEPEST:
            found.append(Ranked(0.3, self._object(fields, depth)))
        for order, (kind, score) in enumerate(sorted(scores.items(), key=lambda item: -item[1])):
            if kind == "none" or (depth and order > 2):
                continue
            cost = 3.0 * (best - score) / max(best, 1.0) if best else 1.0 + 0.2 * order
            if best >= _CERTAIN and score < 0.25 * best:
                cost += 4.0
            if score <= 0.05:
                cost = max(cost, 2.5) + 0.1 * order
            found.extend(
                Ranked(cost + ranked.cost, ranked.shape) for ranked in self._kind(kind, slot, depth)
            )
        if "optional" in slot.roles and slot.votes["none"]:
            found.append(Ranked(2.0, Nothing()))
        found.sort(key=lambda ranked: ranked.cost)
        unique: dict[Shape, Ranked] = {}
        for ranked in found:
            unique.setdefault(ranked.shape, ranked)
        return list(unique.values())

    def _instance(self, class_name: str, depth: int) -> Instance:
        self._within.append(class_name)
        fields = tuple(
            (name, self.shapes(slot, depth + 1)[0].shape)
            for name, slot in self._classes[class_name].items()
        )
        self._within.pop()
        return Instance(class_name, fields)

    def _object(self, fields: Mapping[str, Slot], depth: int) -> Instance:
        """Return an object of no class in particular that has the attributes that are read."""
        made = tuple(
            (name, self.shapes(field, depth + 1)[0].shape) for name, field in fields.items()
        )
        return Instance("SimpleNamespace", made)

    def _kind(self, kind: str, slot: Slot, depth: int) -> list[Ranked]:
        match kind:
            case "int":
                return [Ranked(cost, shape) for cost, shape in integers(slot)]
            case "float":
                return [Ranked(cost, shape) for cost, shape in floats(slot)]
            case "bool":
                return [Ranked(0, Bool())]
            case "str":
                return [Ranked(cost, shape) for cost, shape in texts(slot)]
            case "callable":
                return [Ranked(0, FunctionOf(2 if slot.arity == 2 else 1))]
            case "dict":
                return self._mappings(slot, depth)
            case "linked":
                return [Ranked(0, Linked(Int(0, 9))), Ranked(0.5, Linked(Int(0, 3)))]
            case "tree":
                return [
                    Ranked(0, Tree(Int(0, 9))),
                    Ranked(0.5, Tree(Int(1, 30), ordered=True)),
                    Ranked(0.9, Tree(Int(-3, 3))),
                ]
            case _:
                return self._lists(slot, kind, depth)

    def _mappings(self, slot: Slot, depth: int) -> list[Ranked]:
        if "record" in slot.roles and depth < _DEEPEST:
            fields = tuple(
                (name[2:-2], self.shapes(field, depth + 1)[0].shape)
                for name, field in slot.attributes.items()
                if re.fullmatch(r"\['[^']*'\]", name)
            )
            if fields:
                return [Ranked(0, Record(fields))]
        key = slot.key
        integer_keys = key.votes["int"] + key.votes["num"] > key.votes["str"]
        key_shape: Shape = Int(0, 9) if integer_keys else Text("abcdefgh", 1, 3)
        if depth >= _DEEPEST:
            return [Ranked(0, DictOf(key_shape, Int(0, 20), integer_keys))]
        found = [
            Ranked(ranked.cost + 0.1, DictOf(key_shape, ranked.shape, integer_keys))
            for ranked in self.shapes(slot.element, depth + 1)[:2]
        ]
        graph_like = not slot.values and ("graph" in slot.roles or slot.element.votes["list"] > 1)
        base = -0.1 if graph_like else 0.9
        forms: list[Literal["list", "mapping", "pairs"]] = ["list", "mapping", "pairs"]
        if slot.element.has_element and slot.element.element.arity == 2:
            forms.reverse()
        elif slot.element.votes["dict"] > slot.element.votes["list"]:
            forms = ["mapping", "list", "pairs"]
        for position, form in enumerate(forms):
            found.append(Ranked(base + position * 0.3, Graph(form, integer_keys)))
        found.append(Ranked(1.2, DictOf(Int(0, 9), Int(0, 20), integer_keys=not integer_keys)))
        return found

    def _lists(self, slot: Slot, container: str, depth: int) -> list[Ranked]:
        if depth >= _DEEPEST:
            return [Ranked(0, ListOf(Int(0, 9), container=container))]
        found: list[Ranked] = []
        element = slot.element
        if "strings" in slot.roles:
            element.vote("str", HINTED)
        found.extend(self._tuples(slot, container, depth))
        if "lines" in slot.roles:
            found += [Ranked(0.0, Lines(1)), Ranked(0.2, Lines(4)), Ranked(0.3, Lines(2))]
        if "matrix" in slot.roles:
            cell = self.shapes(element.element, depth + 2)[0].shape
            square = Ranked(0.3, Grid(cell, square=True, container=container))
            found += [Ranked(0.05, Grid(cell, container=container)), square]
            found.append(Ranked(0.6, Grid(Int(0, 1), container=container)))
            if isinstance(cell, Text):
                letters = Text(cell.alphabet if len(cell.alphabet) < 9 else "abcd", 1, 1)
                found.append(Ranked(-0.1, Grid(letters, container=container)))
        shift = 0.4 if "matrix" in slot.roles or "pairs" in slot.roles else 0.0
        for ranked in self.shapes(element, depth + 1)[: 4 if depth == 0 else 1]:
            base = ranked.cost * 0.8 + shift
            shape = ranked.shape
            if isinstance(shape, ListOf) and isinstance(shape.element, Text):
                found.append(Ranked(base - 0.1, Grid(Text("abcd", 1, 1), container=container)))
            if isinstance(shape, ListOf) and shape.container == "list":
                found.append(Ranked(base + 0.05, Grid(shape.element, container=container)))
                found.append(
                    Ranked(base + 0.2, Grid(shape.element, square=True, container=container))
                )
            found.extend(
                Ranked(base + extra, made)
                for extra, made in self._orders(slot, shape, container, depth)
            )
        return found

    def _orders(
        self, slot: Slot, shape: Shape, container: str, depth: int
    ) -> list[tuple[float, Shape]]:
        lengths = [len(value) for value in slot.values if isinstance(value, list | tuple)]
        high = min(max([6 if depth else 8, *(n + 2 for n in lengths)]), 14)
        if 1 <= slot.reach < 8 and not lengths:
            exact = slot.reach + 1
            return [
                (0, ListOf(shape, exact, exact, container=container)),
                (0.2, ListOf(shape, exact, exact + 3, container=container)),
            ]
        if depth or isinstance(shape, ListOf | Grid | Tree):
            return [(0, ListOf(shape, 1, min(high, 5), container=container))]
        simple = isinstance(shape, Int | Float | Text)
        inorder = 0.0 if "sorted" in slot.roles else 0.2 if self._sorted_first else 0.8
        found: list[tuple[float, Shape]] = [
            (0.1, ListOf(shape, 0, high, container=container)),
            (0.25, ListOf(shape, 1, high, container=container)),
            (0.55, ListOf(shape, 2, 4, container=container)),
            (0.6, ListOf(shape, 3, max(high, 9), container=container)),
        ]
        if simple and container != "set":
            found.append((inorder, ListOf(shape, 1, high, "sorted", container)))
        if isinstance(shape, Int) and "index" in slot.element.roles and container == "list":
            found.append((0.0, ListOf(Int(0, high), 2, high, "indices")))
        if isinstance(shape, Int):
            found.append((0.9, ListOf(shape, 1, high, "distinct", container)))
        return found

    def _tuples(self, slot: Slot, container: str, depth: int) -> list[Ranked]:
        found: list[Ranked] = []
        element = slot.element
        arity = element.arity or (2 if "pairs" in slot.roles else 0)
        if 2 <= arity <= 4:
            item = self.shapes(element.element, depth + 2)[0].shape
            inner = "tuple" if element.votes["tuple"] > element.votes["list"] else "list"
            pair = TupleOf((item,) * arity, inner)
            found.append(Ranked(0.05, ListOf(pair, 1, 6, container=container)))
        if 2 <= slot.arity <= 4 and container in ("list", "tuple"):
            item = self.shapes(element, depth + 1)[0].shape
            found.append(Ranked(0.0, TupleOf((item,) * slot.arity, container)))
        return found


def kind_scores(slot: Slot) -> dict[str, float]:
    """Return how much the votes speak for each kind of type."""
    votes = slot.votes
    vague = min(votes["iterable"] + votes["indexable"] + votes["sized"], 6.0)
    scores = {
        "int": votes["int"] + 0.7 * min(votes["num"], 8.0),
        "float": votes["float"] + 0.45 * min(votes["num"], 8.0),
        "str": votes["str"] + 0.35 * vague,
        "list": votes["list"] + 0.6 * vague + votes["mutable"],
        "dict": votes["dict"] + 0.05 * vague + 0.3 * votes["mutable"],
        "tuple": votes["tuple"],
        "set": votes["set"],
        "array": votes["array"],
        "bool": votes["bool"],
        "linked": votes["linked"],
        "tree": votes["tree"],
        "callable": votes["callable"],
    }
    for kind in ("linked", "tree"):
        if scores[kind] >= NODE:
            # Examples write them as lists, which have no such attributes.
            scores[kind] += scores["list"]
            scores["list"] = 0.0
    if votes["mutable"]:
        scores["str"] *= 0.3
    if vague >= 1:
        # What is indexed or counted is no number, whatever its neighbours are.
        for kind in ("int", "float", "bool"):
            if votes[kind] < ANNOTATED / 2:
                scores[kind] *= 0.25
    if slot.has_element:
        inside = slot.element.votes
        if inside["str"] > inside["num"] + inside["int"]:
            single = [choice for choice in slot.element.choices if len(choice) == 1]
            scores["str"] += 1.5 if single or "character" in slot.element.roles else 0.6
        elif vague:
            scores["list"] += min(inside["num"] + inside["int"], 2.0)
    return scores
