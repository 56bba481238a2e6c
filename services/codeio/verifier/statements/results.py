"""What the program returns: `the output is 5`, `f(3) gives 6`, a block after `The output is:`."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

from codeio.verifier.statements.chains import chain_at
from codeio.verifier.statements.conditions import is_condition
from codeio.verifier.statements.context import Context, combined
from codeio.verifier.statements.evaluation import OPAQUE, literal_of
from codeio.verifier.statements.judging import Support
from codeio.verifier.statements.lines import MAX_LENGTH
from codeio.verifier.statements.stated import Stated, stated, unlike_kinds
from codeio.verifier.statements.vocabulary import NEGATIONS, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.verifier.statements.items import Item
    from codeio.verifier.statements.run import Run
    from codeio.verifier.statements.sentences import Sentence

_RETURNS = words("return returns returned returning output outputs answer result results")
_GIVES = words("gives produces prints yields")
_FINAL = words("output outputs answer final finally function program main_solution")
_BETWEEN = words(
    "is are be the a an value of therefore thus so hence then final answer back us should will "
    "must function which dictionary list string number integer pair object result output we get "
    "code now just simply me out it to equals json returned : = → - ."
)
_FURTHEST = 8
_LARGEST = 4000
_ANNOUNCED = re.compile(
    r"^[^\n]{0,80}?(?P<said>\b(?:output|result|return value)[ ](?:is|will[ ]be)(?:[ ]then)?:)"
    r"[ \t]*\n\s{0,4}```\w{0,10}[ \t]*\n",
    re.MULTILINE | re.IGNORECASE,
)


def read_results(sentence: Sentence, context: Context, *, output_prediction: bool) -> None:
    """Find what a sentence says is returned."""
    items = sentence.items
    for place, item in enumerate(items):
        if sentence.silent[place]:
            continue
        if (item.kind == "word" or item.name) and item.lower in _RETURNS | _GIVES:
            value = _value_after(items, place)
            if value is not None and not sentence.silent[value]:
                _returned(items, place, value, context, told=output_prediction)
        elif item.plain and isinstance(item.value, dict) and _is_output(item.value, context):
            _output(item, item, context, sure=True)


def read_alone(items: Sequence[Item], context: Context) -> None:
    """Take a line that is a value and nothing else as the output."""
    if len(items) == 1 and items[0].plain and isinstance(items[0].value, list | dict | str | tuple):
        _output(items[0], items[0], context, sure=True)


def read_announced(context: Context) -> None:
    """Find the outputs that a text shows in blocks of code, after a line that says so."""
    text = context.text[:MAX_LENGTH]
    for match in _ANNOUNCED.finditer(text):
        end = text.find("```", match.end(), match.end() + _LARGEST)
        body = text[match.end() : end].strip() if end >= 0 else ""
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            value = literal_of(body)
        if value is OPAQUE or not context.runs:
            continue
        if isinstance(value, dict) and list(value) == ["output"]:
            value = value["output"]
        support = _support(context.runs[0], stated(value, body), sure=True)
        context.add_at("result", match.start("said"), match.end("said"), "output", body, support)


def _value_after(items: Sequence[Item], place: int) -> int | None:
    for at in range(place + 1, min(len(items), place + _FURTHEST + 1)):
        item = items[at]
        if item.kind == "expression":
            return at if item.literal and not is_condition(item) else None
        if item.lower not in _BETWEEN:
            return None
    return None


def _returned(
    items: Sequence[Item], place: int, value: int, context: Context, *, told: bool
) -> None:
    chain, following = chain_at(items, value)
    item, end = items[place], chain[-1][0]
    after = items[following].lower if following < len(items) else ""
    if not end.literal or after in ("=", "≈", "→", "times", "if", "for", "%"):
        return
    for one in reversed(items[:place]):
        if one.node is not None and _is_own_call(one.node, context):
            if item.lower in ("returns", "returned", "gives"):
                context.value((one, end), one.node, stated(end.value, end.text), kind="call")
            return
    words = {one.lower for one in items[: place + 1]}
    negated = sum(one.lower in NEGATIONS for one in items[max(0, place - 2) : value]) % 2 == 1
    labelled = place == 0 and items[1].text == ":"
    in_call = context.window is not None and not context.final
    sure = _is_output(end.value, context) or (
        item.lower in _RETURNS
        and not in_call
        and (labelled or context.final or bool(words & _FINAL))
    )
    _output(item, end, context, sure=sure and told, negated=negated)


def _is_own_call(node: ast.expr, context: Context) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id != "main_solution"
        and any(node.func.id in run.functions for run in context.runs)
    )


def _is_output(value: Any, context: Context) -> bool:
    """Tell whether a value can only be the output: a dictionary with just its keys."""
    outputs = [run.output for run in context.runs]
    return isinstance(value, dict) and any(
        isinstance(output, dict) and bool(output) and output.keys() == value.keys()
        for output in outputs
    )


def _output(first: Item, end: Item, context: Context, *, sure: bool, negated: bool = False) -> None:
    said = stated(end.value, end.text)
    if negated:
        said, sure = said.negation(), True
    supports = [_support(run, said, sure=sure, inner=not context.final) for run in context.runs]
    context.add("result", (first, end), "output", end.text, combined(supports))


def _support(run: Run, said: Stated, *, sure: bool, inner: bool = False) -> Support:
    """Judge an output; `inner`: what any function returns may be meant."""
    holds = said.holds(run.output)
    returned = [run.parse(f.returned) for f in run.trace.frames[1:] if f.returned is not None]
    if holds or (inner and any(said.holds(value) for value in returned)):
        return Support.SUPPORTED
    known = holds is not None and run.complete and not unlike_kinds(said.value, run.output)
    return Support.CONTRADICTED if known and sure else Support.UNKNOWN
