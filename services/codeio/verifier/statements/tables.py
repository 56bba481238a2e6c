"""Tables of a run: columns are variables and conditions, rows are rounds of a loop."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from codeio.verifier.statements.conditions import is_condition
from codeio.verifier.statements.context import Context, combined
from codeio.verifier.statements.judging import Support, support_of
from codeio.verifier.statements.loops import Round
from codeio.verifier.statements.run import inside
from codeio.verifier.statements.stated import FALSE, TRUE, Stated, stated, unlike
from codeio.verifier.statements.vocabulary import NEGATIONS, NO, YES, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.run import Episode, Run

Side: TypeAlias = Literal["before", "after", "any"]
_MOST_WORDS = 3
_BEFORE = words("before start old initial")
_AFTER = words("after end new updated")


@dataclass(frozen=True)
class Column:
    node: ast.expr
    side: Side


@dataclass(frozen=True)
class Cell:
    """What one cell says, and where it stands."""

    column: Column
    said: Stated
    start: int
    end: int


@dataclass(frozen=True)
class Row:
    cells: tuple[Cell, ...]


def column(items: Sequence[Item]) -> Column | None:
    """Return what a table's column is about, if it is about the program's values."""
    words = {item.lower for item in items if item.kind == "word"}
    side: Side = "before" if words & _BEFORE else "after" if words & _AFTER else "any"
    expressions = [item for item in items if item.kind == "expression" and not item.literal]
    if len(expressions) != 1 or expressions[0].node is None:
        return None
    return Column(expressions[0].node, side)


def cell(about: Column, items: Sequence[Item], text: str, start: int, end: int) -> Cell | None:
    """Return what a cell says of its column."""
    expressions = [item for item in items if item.kind == "expression"]
    word = items[0].lower if items else ""
    if len(expressions) == 1 and len(items) == 1 and expressions[0].literal:
        item = expressions[0]
        return Cell(about, stated(item.value, item.text), start, end)
    if word in YES or word in NO:
        return Cell(about, Stated(TRUE if word in YES else FALSE, text), start, end)
    calculated = [item for item in expressions if item.literal]
    if calculated and calculated[-1] is items[-1] and len(items) >= 3:
        item = calculated[-1]
        if not is_condition(item):
            return Cell(about, stated(item.value, item.text), start, end)
    plain = [item for item in expressions if item.plain]
    words = {item.lower for item in items if item.kind == "word"}
    if len(plain) == len(expressions) == 1 and not words & NEGATIONS and len(words) <= _MOST_WORDS:
        return Cell(about, stated(plain[0].value, plain[0].text), start, end)
    if len(items) == 1 and len(text) == 1 and text not in "-–—":
        return Cell(about, stated(text, text), start, end)
    return None


def judge_table(rows: Sequence[Row], context: Context) -> None:
    """Judge the cells of a table's rows."""
    judged = [_best(run, [_with_arguments(run, row) for row in rows]) for run in context.runs]
    for number, row in enumerate(rows):
        for place, one in enumerate(row.cells):
            support = combined([supports[number][place] for supports in judged])
            context.add_at(
                "value", one.start, one.end, ast.unparse(one.column.node), one.said.text, support
            )


def _with_arguments(run: Run, row: Row) -> Row:
    """Put a row's values into calls of the program's functions: `fib(n)` where n is 5."""
    names = {
        cell.column.node.id: cell.said.value
        for cell in row.cells
        if isinstance(cell.column.node, ast.Name)
    }
    found = []
    for one in row.cells:
        node = one.column.node
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in run.functions
            and all(isinstance(given, ast.Name) and given.id in names for given in node.args)
        ):
            arguments: list[ast.expr] = [
                ast.Constant(names[part.id]) for part in node.args if isinstance(part, ast.Name)
            ]
            node = ast.Call(node.func, arguments, [])
        found.append(replace(one, column=replace(one.column, node=node)))
    return Row(tuple(found))


def _best(run: Run, rows: Sequence[Row]) -> list[list[Support]]:
    """Lay the rows against the rounds of each loop; return what the best fit says."""
    best: list[list[Support]] | None = None
    best_score = 0.0
    for rounds in _alignments(run, len(rows)):
        supports = [
            [_support(run, one, at) for one in row.cells]
            for row, at in zip(rows, rounds, strict=True)
        ]
        flat = [support for row in supports for support in row]
        right = flat.count(Support.SUPPORTED)
        score = right / max(1, right + flat.count(Support.CONTRADICTED))
        if right and score > best_score:
            best, best_score = supports, score
    if best is not None and best_score >= 0.6:
        return [_with_key(run, row, found) for row, found in zip(rows, best, strict=True)]
    return _unaligned([[_anywhere(run, one) for one in row.cells] for row in rows])


def _unaligned(found: list[list[Support]]) -> list[list[Support]]:
    """Hold nothing against a table that is mostly about something else, such as other inputs."""
    flat = [support for row in found for support in row]
    if flat.count(Support.SUPPORTED) > 2 * flat.count(Support.CONTRADICTED):
        return found
    unknown = Support.UNKNOWN
    return [[unknown if s is Support.CONTRADICTED else s for s in row] for row in found]


def _with_key(run: Run, row: Row, found: list[Support]) -> list[Support]:
    """Take a row as laid out wrongly where its first cell does not fit."""
    if not found or found[0] is not Support.CONTRADICTED:
        return [
            _anywhere(run, one) if support is Support.UNKNOWN else support
            for one, support in zip(row.cells, found, strict=True)
        ]
    return [_anywhere(run, one) for one in row.cells]


def _alignments(run: Run, count: int) -> list[list[Round]]:
    found: list[list[Round]] = []
    nodes = {id(loop.node): loop for loop in run.loops}
    for key, first in nodes.items():
        runs = [loop for loop in run.loops if id(loop.node) == key]
        rounds = [one for loop in runs for one in loop.rounds]
        before = Round(first.first, first.first)
        if len(rounds) >= count:
            found.append(rounds[:count])
        if len(rounds) + 1 >= count:
            found.append([before, *rounds][:count])
    return found


def _support(run: Run, one: Cell, at: Round) -> Support:
    episodes = run.episodes(one.column.node)
    found = inside(run, episodes, at.start, at.end)
    if not found:
        return Support.UNKNOWN
    if one.column.side == "before":
        begun = [episode for episode in found if episode.start <= at.start]
        found = begun[-1:] or found[:1]
    elif one.column.side == "after" or isinstance(one.column.node, ast.Name):
        ends = [episode for episode in found if episode.end >= at.end]
        found = [*(ends or found[-1:])] if one.column.side == "after" else found
    return _answer(one, found, complete=True)


def _answer(one: Cell, episodes: Sequence[Episode], *, complete: bool) -> Support:
    """Judge a cell; a part of the value, or a value of another kind, stands for something else."""
    answers = [one.said.holds(episode.value) for episode in episodes]
    support = support_of(answers, complete=complete)
    if support is Support.CONTRADICTED and any(
        unlike(one.said.value, episode.value)
        or (
            isinstance(one.said.value, list | dict)
            and isinstance(episode.value, list | tuple)
            and any(isinstance(part, type(one.said.value)) for part in episode.value)
        )
        for episode in episodes
    ):
        return Support.UNKNOWN
    return support


def _anywhere(run: Run, one: Cell) -> Support:
    return _answer(one, run.episodes(one.column.node), complete=run.complete)
