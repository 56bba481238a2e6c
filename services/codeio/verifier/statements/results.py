"""What is returned, put out and put into containers."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from codeio.verifier.statements.chains import chain_at
from codeio.verifier.statements.conditions import is_condition
from codeio.verifier.statements.context import Context, combined
from codeio.verifier.statements.evaluation import OPAQUE
from codeio.verifier.statements.instances import put_in
from codeio.verifier.statements.judging import Support, support_of
from codeio.verifier.statements.stated import alike, stated, unlike_kinds
from codeio.verifier.statements.vocabulary import NEGATIONS, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.run import Run
    from codeio.verifier.statements.sentences import Sentence

_RESULTS = words(
    "return returns returned returning output outputs answer result results gives produces prints"
)
_RETURNS = words("return returns returned returning output outputs answer")
_FINAL = words("output outputs answer final finally function program main_solution")
_BETWEEN = words(
    "is are be the a an value of therefore thus so hence then final answer back us should "
    "will must function which dictionary list string number integer pair object result output "
    "as with we get code now just simply me out it to equals json returned"
)
_BETWEEN_SIGNS = frozenset((":", "=", "→", "-", "."))
_ADDING = words("append appends appended add adds added push pushes pushed insert inserted")


def read_results(sentence: Sentence, context: Context, *, output_prediction: bool) -> None:
    """Find what a sentence says is returned, and what is appended."""
    items = sentence.items
    for place, item in enumerate(items):
        if sentence.silent[place] or not (item.kind == "word" or item.name):
            continue
        if item.lower in ("return", "returns") and _equation(items, place, context):
            continue
        if item.lower in _RESULTS:
            value = _value_after(items, place)
            if value is not None and not sentence.silent[value]:
                _returned(items, place, value, context, final=output_prediction)
        elif item.lower in _ADDING:
            _added(items, place, context)
    for place, item in enumerate(items):
        shown = item.plain and isinstance(item.value, dict) and len(item.value) > 1
        if shown and not sentence.silent[place] and _same_shape(item.value, context):
            _output(item, item, context, sure=True)


def read_alone(items: Sequence[Item], context: Context) -> None:
    """Take a line that is a value and nothing else as the output."""
    if len(items) == 1 and items[0].plain and isinstance(items[0].value, list | dict | str | tuple):
        _output(items[0], items[0], context, sure=True)


def _equation(items: Sequence[Item], place: int, context: Context) -> bool:
    """Read `return total * 2 = 7 * 2 = 14`: some call returns it; in a call's window, that one."""
    if place + 1 >= len(items) or items[place + 1].kind != "expression":
        return False
    chain, _ = chain_at(items, place + 1)
    last = chain[-1][0]
    if chain[0][0].literal and not chain[0][0].plain:
        put_in(items[place], chain[0][0], context)
    if len(chain) < 2 or not last.literal:
        return False
    said = stated(last.value, last.text)
    supports = []
    for run in context.runs:
        frames = run.trace.frames
        if context.window is not None and context.window.group.startswith("call"):
            start = context.window.rounds[0].start
            frames = tuple(frame for frame in frames if frame.entry == start) or frames
        returned = [run.parse(frame.returned) for frame in frames if frame.returned is not None]
        answers = [said.holds(value) for value in (*returned, run.output)]
        supports.append(support_of(answers, complete=run.complete))
    context.add("result", (items[place], last), "return", last.text, combined(supports))
    return True


def _value_after(items: Sequence[Item], place: int) -> int | None:
    for at in range(place + 1, min(len(items), place + 9)):
        item = items[at]
        if item.kind == "expression":
            return at if item.plain or (item.literal and not is_condition(item)) else None
        if not (item.lower in _BETWEEN if item.kind == "word" else item.text in _BETWEEN_SIGNS):
            return None
    return None


def _returned(
    items: Sequence[Item], place: int, value: int, context: Context, *, final: bool
) -> None:
    chain, following = chain_at(items, value)
    item, end = items[place], chain[-1][0]
    after = items[following] if following < len(items) else None
    if not end.literal:
        return
    if after is not None and (
        after.text in ("=", "≈", "→") or after.lower in ("times", "if", "for")
    ):
        return
    earlier = [one for one in items[:place] if one.kind == "expression"]
    if call := next((one for one in reversed(earlier) if _is_own_call(one, context)), None):
        if item.lower in ("returns", "returned", "gives") and call.node is not None:
            context.value((call, end), call.node, stated(end.value, end.text), kind="call")
        return
    words = {one.lower for one in items[:place]} | {item.lower}
    said = items[max(0, place - 2) : value]
    negated = sum(one.lower in NEGATIONS for one in said) % 2 == 1
    labelled = place == 0 and items[1].text == ":"
    strong = item.lower in _RETURNS or labelled or "final" in words or context.final
    sure = (strong and (labelled or context.final or bool(words & _FINAL))) or _same_shape(
        end.value, context
    )
    in_call = context.window is not None and not context.final
    if item.lower in ("gives", "produces", "prints") or in_call:
        sure = _same_shape(end.value, context)
    _output(item, end, context, sure=sure and final, negated=negated)


def _is_own_call(item: Item, context: Context) -> bool:
    node = item.node
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id != "main_solution"
        and any(node.func.id in run.functions for run in context.runs)
    )


def _same_shape(value: Any, context: Context) -> bool:
    """Tell whether a value looks like what the program puts out."""
    outputs = [run.output for run in context.runs]
    match value:
        case dict():
            return any(isinstance(o, dict) and o and o.keys() == value.keys() for o in outputs)
        case _:
            return False


def _output(first: Item, end: Item, context: Context, *, sure: bool, negated: bool = False) -> None:
    said = stated(end.value, end.text)
    if negated:
        said, sure = said.negation(), True
    supports = []
    for run in context.runs:
        holds = said.holds(run.output)
        if holds:
            supports.append(Support.SUPPORTED)
        elif unlike_kinds(end.value, run.output):
            supports.append(Support.UNKNOWN)  # a part of the output is meant
        elif holds is None or run.output is OPAQUE or not (run.complete or context.final):
            supports.append(Support.UNKNOWN)
        elif not context.final and any(said.holds(value) for value in _returns(run)):
            supports.append(Support.SUPPORTED)
        else:
            supports.append(Support.CONTRADICTED if sure else Support.UNKNOWN)
    context.add("result", (first, end), "output", end.text, combined(supports))


def _returns(run: Run) -> Iterator[Any]:
    for frame in run.trace.frames[1:]:
        if frame.returned is not None:
            yield run.parse(frame.returned)


def _added(items: Sequence[Item], place: int, context: Context) -> None:
    """Read `[1, 2] is appended to pairs` and `append 3`."""
    value = None
    for at in range(place - 1, max(-1, place - 4), -1):
        if items[at].kind == "expression":
            value = at
            break
        if items[at].lower not in ("is", "gets", "was", "are", "then", "also", "be", "being"):
            return
    if value is None or items[place - 1].lower in NEGATIONS:
        return
    item = items[value]
    if not item.plain or not isinstance(item.value, list | tuple):
        return
    supports = [_inside(run, item.value) for run in context.runs]
    context.add("value", (item, items[place]), "element", item.text, combined(supports))


def _inside(run: Run, value: Any) -> Support:
    for step in run.trace.steps:
        for text in step.changes.values():
            container = run.parse(text) if text else None
            if container is OPAQUE:
                return Support.UNKNOWN
            if isinstance(container, dict):
                container = list(container.values())
            if isinstance(container, list | tuple | set) and any(
                alike(value, x) for x in container
            ):
                return Support.SUPPORTED
    return support_of([False], complete=run.complete)
