"""The problem in words: what is given, what is asked for, and the I/O description."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from codeio.normalizer.docs import english
from codeio.normalizer.shapes import IndexOf, LengthOf, MemberOf, Shape, annotation, words
from codeio.runtime import values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codeio.normalizer.trials import Trial

_LONGEST_SUMMARY = 700


def io_description(trial: Trial) -> str:
    """Return names, types and meanings of the inputs and of the output."""
    documentation = trial.unit.documentation
    lines = ["Input:"]
    for name, shape in trial.shapes.items():
        meaning = documentation.meanings.get(name, "")
        lines.append(f"  `{name}` ({annotation(shape)}): {_parameter(shape, meaning)}")
    kind, said = output_type(trial.outputs), documentation.result_meaning
    lines += ["", "Output:", f"  `return` ({kind}): {_sentence(said or _result_words(trial))}"]
    return "\n".join(lines)


def problem_statement(trial: Trial, heading: str) -> str:
    """Return the task: what the file says of it, what is given and what to return.

    Args:
        trial: the unit with the shapes that worked.
        heading: what the file says at its top, where it speaks of this unit alone.
    """
    documentation = trial.unit.documentation
    summary = documentation.summary or english(heading)
    if len(summary) > _LONGEST_SUMMARY:
        summary = summary[:_LONGEST_SUMMARY].rsplit(". ", 1)[0]
    parts = [_sentence(summary)] if summary else []
    title = title_words(trial.unit.name)
    given = _listed(
        f"`{name}` ({_with_meaning(shape, documentation.meanings.get(name, ''))})"
        for name, shape in trial.shapes.items()
    )
    asked = documentation.result_meaning or _result_words(trial)
    if summary:
        parts.append(f"You are given {given}.")
    else:
        parts.append(f"Work out `{title}`: you are given {given}.")
    parts.append(f"Return {_lowered(asked).rstrip('.')}.")
    parts += _special_cases(trial)
    return " ".join(parts)


def title_words(name: str) -> str:
    """Return `two sum` for `Solution.twoSum`."""
    own = name.rsplit(".", maxsplit=1)[-1]
    parts = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", own.replace("_", " ")).split()
    return " ".join(part if part.isupper() else part.lower() for part in parts) or own


def output_type(outputs: Iterable[str]) -> str:
    """Return the type of the outputs, such as `list[int]` or `int | None`."""
    kinds = sorted(
        {_type_of(values.loads(text)) for text in outputs}, key=lambda k: (k == "None", k)
    )
    if len(kinds) > 1 and "list" in kinds:
        kinds = [kind for kind in kinds if kind != "list"]
    if {"int", "float"} <= set(kinds):
        kinds.remove("int")
    return " | ".join(kinds)


def _type_of(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, list):
        inner = {_type_of(item) for item in value}
        if {"int", "float"} <= inner:
            inner.remove("int")
        return f"list[{inner.pop()}]" if len(inner) == 1 else "list"
    return type(value).__name__


def _parameter(shape: Shape, meaning: str) -> str:
    match shape:
        case LengthOf(name=other):
            relation = f"the length of `{other}`"
        case IndexOf(name=other):
            relation = f"an index into `{other}`"
        case MemberOf(name=other):
            relation = f"{words(shape)}, often one that occurs in `{other}`"
        case _:
            relation = words(shape)
    return _sentence(f"{meaning.rstrip('.')} ({relation})" if meaning else relation)


def _with_meaning(shape: Shape, meaning: str) -> str:
    meaning = _lowered(meaning.rstrip("."))
    return f"{words(shape)}: {meaning}" if meaning else words(shape)


def _result_words(trial: Trial) -> str:
    title = title_words(trial.unit.name)
    kind = _KIND_WORDS.get(output_type(trial.outputs), "the value")
    match trial.result.source:
        case "changed":
            return f"`{trial.result.name}` as it is after `{title}` has changed it in place"
        case "printed" if trial.result.printed_form in ("line", "number"):
            return f"what `{title}` prints, {kind}"
        case "printed":
            return f"the lines that `{title}` prints, in order"
        case _:
            return f"the result of `{title}`, {kind}"


_KIND_WORDS = {
    "int": "an integer",
    "float": "a number",
    "str": "a string",
    "bool": "true or false",
    "list[int]": "a list of integers",
    "list[float]": "a list of numbers",
    "list[str]": "a list of strings",
    "list[list[int]]": "a list of lists of integers",
    "dict": "an object",
}


def _special_cases(trial: Trial) -> list[str]:
    """Tell the guard clauses at the start: `if n < 1: return -1`."""
    found: list[str] = []
    names = trial.shapes.keys()
    for statement in trial.unit.node.body[:6]:
        if (
            isinstance(statement, ast.If)
            and len(statement.body) == 1
            and isinstance(statement.body[0], ast.Return)
            and isinstance(statement.body[0].value, ast.Constant | ast.UnaryOp | ast.List)
            and trial.result.source == "returned"
        ):
            used = {n.id for n in ast.walk(statement.test) if isinstance(n, ast.Name)}
            if used and used <= {*names, "len", "None"} and len(found) < 2:
                condition = ast.unparse(statement.test)
                result = ast.unparse(statement.body[0].value)
                found.append(f"Where `{condition}`, the result is `{result}`.")
    return found


def _listed(items: Iterable[str]) -> str:
    every = list(items)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}"


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!", ":")) else f"{text}."
