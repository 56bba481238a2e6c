"""Which moment of the run a line is about: its label, and the labels of the lines above it.

A label is what a line begins with: the variables of a loop (`i = 3:`), a round
(`Iteration 2:`), the condition of a `while` with its values, or a call. Deeper lines are
about the same moment; rounds that are told in order are taken in order.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codeio.verifier.statements.conditions import is_condition
from codeio.verifier.statements.evaluation import OPAQUE, UnevaluableError, evaluate, literal_of
from codeio.verifier.statements.instances import differences
from codeio.verifier.statements.judging import Window
from codeio.verifier.statements.loops import Round
from codeio.verifier.statements.numbers import ordinal
from codeio.verifier.statements.stated import stated
from codeio.verifier.statements.vocabulary import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.loops import LoopRun
    from codeio.verifier.statements.run import Run

_ROUND_WORDS = words("iteration round pass loop trip")
_LEADING = words("for with when at now next then the on in after during finally and")
_LEAVING = words("after finally end so thus therefore hence result output return final")


@dataclass(frozen=True, kw_only=True)
class Label:
    """What a line says it is about."""

    end: int
    """Place behind the label's items."""
    alone: bool = False
    """Nothing follows in the line."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Loop variables."""
    number: int | None = None
    conditions: tuple[Item, ...] = ()
    call: ast.Call | None = None
    loop: str = ""
    """The variables of a loop or its condition, where the line is a loop's header."""


@dataclass
class _Level:
    indent: int
    window: Window | None
    alone: bool


@dataclass
class Moments:
    """Follows the labels of one text through one run."""

    run: Run
    _levels: list[_Level] = field(default_factory=list)
    _left: Window | None = None
    """The end of the loop that was told last."""
    _reached: dict[tuple[object, ...], int] = field(default_factory=dict)

    def enter(self, items: Sequence[Item], indent: int, *, bullet: bool) -> Window | None:
        """Return the moment that a line is about, and keep it for the lines below."""
        label = read_label(items, self.run)
        self.leave(items, indent, bullet=bullet)
        if self._left is not None and _leaves(items):
            return self._left
        around = self._levels[-1].window if self._levels else None
        if label is None:
            return around
        if label.number is not None and any(
            _numbered(items, place) for place in range(label.end, len(items))
        ):
            return around  # the line is about several rounds
        window = self._find(label, around)
        if window is None and label.call is None:
            window = around
        self._levels.append(_Level(indent, window, label.alone and not bullet))
        return window

    def leave(self, items: Sequence[Item], indent: int, *, bullet: bool) -> None:
        """End the moments that a line of this depth is no part of."""
        while self._levels:
            level = self._levels[-1]
            goes_on = indent > level.indent or (
                indent == level.indent
                and level.alone
                and not bullet
                and read_label(items, self.run) is None
                and not (items and items[0].lower in _LEAVING)
            )
            if goes_on:
                break
            window = self._levels.pop().window
            if window is not None and window.loop is not None:
                end = window.rounds[0].end
                self._left = Window((Round(end, end),), f"end of {window.group}")

    def _find(self, label: Label, around: Window | None) -> Window | None:
        if label.call is not None:
            return self._call(label.call, around)
        if label.loop:
            return self._loop(label.loop, around)
        candidates = self._rounds(label, around)
        if not candidates:
            return None
        later = [
            (loop, one)
            for loop, one in candidates
            if one.start > self._reached.get((id(loop.node), around), -1)
        ]
        loop, chosen = (later or candidates)[0]
        self._reached[id(loop.node), around] = chosen.start
        group = f"rounds of line {loop.node.lineno}"
        if not later and len(candidates) > 1:
            return Window(tuple(one for _, one in candidates), group)
        return Window((chosen,), group)

    def _loop(self, header: str, around: Window | None) -> Window | None:
        loops = [loop for loop in self._loops(around) if header_of(loop) == header]
        if not loops:
            return None
        reached = self._reached.get((header, around), -1)
        chosen = next((loop for loop in loops if loop.first > reached), loops[0])
        self._reached[header, around] = chosen.first
        return Window((Round(chosen.first, chosen.last),), f"loop {header}", chosen)

    def _loops(self, around: Window | None) -> list[LoopRun]:
        if around is None:
            return list(self.run.loops)
        if around.loop is not None:
            return [around.loop]
        inside = [
            loop
            for loop in self.run.loops
            if any(r.start <= loop.first <= r.end for r in around.rounds)
        ]
        # A function that calls itself has its loops in those calls, too; they come second.
        own = self.run.trace.steps[around.rounds[0].start].frame
        return sorted(inside, key=lambda loop: loop.frame != own)

    def _rounds(self, label: Label, around: Window | None) -> list[tuple[LoopRun, Round]]:
        found: list[tuple[LoopRun, Round]] = []
        for loop in self._loops(around):
            if label.values:
                if set(label.values) <= loop.targets or (
                    len(label.values) > 1 and not set(label.values) & loop.targets
                ):
                    found += [
                        (loop, r) for r in loop.rounds if self._matches(loop, r, label.values)
                    ]
            elif label.conditions:
                if isinstance(loop.node, ast.While):
                    found += [
                        (loop, r) for r in loop.rounds if self._tested(loop, r, label.conditions)
                    ]
            elif (
                label.number is not None
                and 0 < label.number <= len(loop.rounds)
                and self._is_main(loop, around)
            ):
                found.append((loop, loop.rounds[label.number - 1]))
        return sorted(found, key=lambda pair: pair[1].start)

    def _is_main(self, loop: LoopRun, around: Window | None) -> bool:
        """Tell whether a loop is the outermost of those that a line may be about."""
        loops = self._loops(around)
        outermost = [
            one
            for one in loops
            if not any(
                other is not one and other.first < one.first and one.last <= other.last
                for other in loops
            )
        ]
        return outermost == [loop]

    def _matches(self, loop: LoopRun, one: Round, values: Mapping[str, Any]) -> bool:
        known = self.run.variables(loop.frame, one.start, set(values))
        return all(
            name in known and stated(value, str(value)).holds(known[name])
            for name, value in values.items()
        )

    def _tested(self, loop: LoopRun, one: Round, conditions: Sequence[Item]) -> bool:
        pattern = loop.node.test if isinstance(loop.node, ast.While) else None
        parts = [pattern, *(pattern.values if isinstance(pattern, ast.BoolOp) else ())]
        texts = {ast.unparse(part) for part in parts if part is not None}
        source, *instances = conditions
        if source.node is None or ast.unparse(source.node) not in texts:
            return False
        for instance in instances:
            if instance.node is None:
                continue
            for part, value in differences(source.node, instance.node):
                names = {n.id for n in ast.walk(part) if isinstance(n, ast.Name)}
                known = self.run.variables(loop.frame, one.start - 1, names)
                if OPAQUE in known.values():
                    continue
                try:
                    if evaluate(part, known) != value:
                        return False
                except UnevaluableError:
                    continue
        return True

    def _call(self, call: ast.Call, around: Window | None) -> Window | None:
        if not isinstance(call.func, ast.Name | ast.Attribute):
            return None
        function = call.func.id if isinstance(call.func, ast.Name) else call.func.attr
        given: list[tuple[str | None, Any]] = [
            *((None, literal_of(argument)) for argument in call.args),
            *((keyword.arg, literal_of(keyword.value)) for keyword in call.keywords),
        ]
        found = []
        for arguments, _, start, end in self.run.called(function):
            if around is not None and not any(r.start <= start <= r.end for r in around.rounds):
                continue
            own = [value for name, value in arguments.items() if name not in ("self", "cls")]
            if all(
                value is OPAQUE
                or (
                    arguments.get(name) == value
                    if name
                    else place < len(own) and own[place] == value
                )
                for place, (name, value) in enumerate(given)
            ):
                found.append(Round(start, end))
        if not found:
            return None
        key = ("call", ast.dump(call), around)
        reached = self._reached.get(key, -1)
        chosen = next((one for one in found if one.start > reached), found[0])
        self._reached[key] = chosen.start
        return Window((chosen,), f"call {function}")


def read_label(  # noqa: C901, PLR0912  (one case per kind of label)
    items: Sequence[Item], run: Run
) -> Label | None:
    """Return the label that a line begins with, if it does."""
    at = 0
    while at < len(items) and at < 3 and items[at].lower in _LEADING:
        at += 1
    if at >= len(items):
        return None
    if header := _header(items, run):
        return Label(end=len(items), loop=header)
    if (numbered := _numbered(items, at)) is not None:
        number, end = numbered
        return Label(end=end, alone=_ends(items, end), number=number)
    targets = {name for loop in run.loops for name in loop.targets}
    values: dict[str, Any] = {}
    end = at
    while (
        end + 2 < len(items)
        and items[end].name
        and items[end + 1].text in ("=", "==")
        and items[end + 2].plain
    ):
        values[items[end].name] = items[end + 2].value
        end += 3
        if end + 2 < len(items) and items[end].lower in (",", "and") and items[end + 1].name:
            end += 1
        elif not (end < len(items) and items[end].name in targets and items[end].code):
            break
    if end < len(items) and items[end].lower in ("to", "through"):
        return None  # `i = 5 to i = 9` is about many rounds
    if values.keys() & targets:
        values = {name: value for name, value in values.items() if name in targets}
    elif len(values) < 2 or end >= len(items) or items[end].text not in ("→", ":"):
        # Other variables stand for a round only where several begin a line together.
        values = {}
    if values:
        closed = (
            end >= len(items)
            or (
                items[end].kind == "sign"
                and items[end].text in (":", "→", ",", ".", ";", "-", "(", "|")
            )
            or items[end].kind == "word"
            or items[end].spaced
        )
        return Label(end=end, alone=_ends(items, end), values=values) if closed else None
    if (is_condition(items[at]) and not items[at].literal) or _is_loop_test(items[at], run):
        conditions = [items[at]]
        end = at + 1
        if end < len(items) and items[end].kind == "expression" and items[end].text.startswith("("):
            conditions.append(items[end])
            end += 1
        if end < len(items) and items[end].text in (":", "and"):
            return Label(end=end, alone=_ends(items, end), conditions=tuple(conditions))
        return None
    call = next((item for item in items[: at + 3] if isinstance(item.node, ast.Call)), None)
    if call is not None and items[-1].text == ":" and isinstance(call.node, ast.Call):
        return Label(end=len(items), call=call.node)
    return None


def _leaves(items: Sequence[Item]) -> bool:
    """Tell whether a line says what a loop leaves behind."""
    words = [item.lower for item in items[:3]]
    return words in (["after", "the", "loop"], ["the", "loop", "leaves"], ["at", "its", "end"])


def _header(items: Sequence[Item], run: Run) -> str:
    """Return which loop a line such as `for each x in items:` opens; empty for none."""
    for place, item in enumerate(items[:8]):
        if item.lower in ("for", "loop"):
            at = place + 1 + (place + 1 < len(items) and items[place + 1].lower == "each")
            if at + 1 < len(items) and items[at + 1].lower in ("in", "over"):
                return items[at].text.strip("()")
        elif item.lower in ("while", "as") and place + 1 < len(items):
            at = place + 1 + 2 * (items[place + 1].lower == "long")
            if at < len(items) and _is_loop_test(items[at], run):
                node = items[at].node
                return "while " + ast.unparse(node) if node is not None else ""
    return ""


def header_of(loop: LoopRun) -> str:
    """Return the text that a header names a loop by."""
    if isinstance(loop.node, ast.While):
        return "while " + ast.unparse(loop.node.test)
    return ast.unparse(loop.node.target).strip("()")


def _is_loop_test(item: Item, run: Run) -> bool:
    node = item.node
    if node is None:
        return False
    text = ast.unparse(node)
    return any(
        isinstance(loop.node, ast.While) and ast.unparse(loop.node.test) == text
        for loop in run.loops
    )


def _numbered(items: Sequence[Item], at: int) -> tuple[int, int] | None:
    item = items[at]
    after = items[at + 1] if at + 1 < len(items) else None
    if after is None:
        return None
    if item.lower in _ROUND_WORDS and after.plain and type(after.value) is int:
        return after.value, at + 2
    if (number := ordinal(item.lower)) is not None and after.lower in (*_ROUND_WORDS, "time"):
        return number, at + 2
    return None


def _ends(items: Sequence[Item], end: int) -> bool:
    rest = items[end:]
    return all(item.kind == "sign" for item in rest)
