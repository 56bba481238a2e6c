"""The problem in words: what is given, what is asked for, and the I/O description."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from codeio.normalizer.docs import english
from codeio.normalizer.narration import narrate
from codeio.normalizer.shapes import IndexOf, LengthOf, MemberOf, Shape, annotation, words
from codeio.normalizer.vocabulary import listed
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
    said = _result_meaning(trial) or re.sub(r"^Return ", "", _asked(trial))
    lines += ["", "Output:", f"  `return` ({output_type(trial.outputs)}): {_sentence(said)}"]
    return "\n".join(lines)


def problem_statement(trial: Trial, heading: str) -> str:
    """Return the task: what the file says of it, what is given and what to return.

    Args:
        trial: the unit with the shapes that worked.
        heading: what the file says at its top, where it speaks of this unit.
    """
    documentation = trial.unit.documentation
    summary = tidy(documentation.summary) or tidy(heading)
    parts = [_sentence(summary) if summary else _task(trial)]
    given = _listed(
        f"`{name}` ({_with_meaning(shape, documentation.meanings.get(name, ''))})"
        for name, shape in trial.shapes.items()
    )
    parts.append(f"You are given {given}.")
    steps = "" if summary or trial.unit.operations else narrate(trial.unit.node)
    if "self." in steps:
        steps = ""
    if steps:
        parts.append(f"Work as follows: {steps}.")
    parts.append(_asked(trial))
    if not steps:
        parts += _special_cases(trial)
    return " ".join(parts)


_END_OF_SUMMARY = re.compile(
    r"\b(examples?|inputs?|outputs?|sample|test cases?|follow[ -]up|constraints?|definition for|"
    r"time complexity|space complexity|runtime|usage|args?|returns?|params?)\b\s*\d*\s*[:：]|>>>",
    re.IGNORECASE,
)


def tidy(text: str) -> str:
    """Return what a text says of the task, on one line: no examples, code or numbering."""
    lines = [line for line in text.splitlines() if not _CODE.search(line)]
    text = " ".join(" ".join(lines).split())
    end = _END_OF_SUMMARY.search(text)
    text = english(text[: end.start()] if end else text)
    text = re.sub(
        r"^(?:(?:problem|question|leetcode|exercise)?\s*#?\d+\s*[.:)-]\s*)+",
        "",
        text,
        flags=re.IGNORECASE,
    )
    if len(text) > _LONGEST_SUMMARY:
        text = text[:_LONGEST_SUMMARY].rsplit(". ", 1)[0]
    return text if len(text.split()) > 2 else ""


_CODE = re.compile(
    r"^\s*(class|def|return|import|from)\b.*[:(]|\bself\.|__|^\s*\w+ = |^\s*(if|for|while)\b.*:$|"
    r"^\s*definition for|do not return anything|don't return anything|^\s*(todo|fixme)\b",
    re.IGNORECASE,
)

_QUESTIONS = ("is", "has", "can", "are", "contains", "should", "does", "have")
_NAMELESS = frozenset(listed("solution solve main run f g func function foo fn answer test go"))
_VERBS = frozenset(
    listed(
        "get find calculate compute count check make create build sort reverse merge convert "
        "print remove add insert delete search generate solve determine validate swap rotate "
        "replace return max min sum encode decode compress encrypt decrypt parse split join "
        "flatten filter partition traverse evaluate classify detect draw display list show "
        "multiply divide subtract transpose apply update move shift select pick group fill "
        "reduce expand simplify format normalize normalise translate rearrange"
    )
)


def _task(trial: Trial) -> str:
    """Return the task as the name of the unit tells it."""
    if trial.unit.operations:
        return (
            f"An object of the class `{trial.unit.name}` is made, and operations are applied "
            "to it one after another."
        )
    if trial.unit.is_script:
        return "A short calculation is carried out on the inputs."
    owner, _, method = trial.unit.name.rpartition(".")
    if owner and not owner.lower().startswith("solution"):
        return f"An object of the class `{owner}` is made, and its method `{method}` is called."
    first, *rest = title_words(trial.unit.name).split()
    title = " ".join((first, *rest))
    if title in _NAMELESS:
        return "A short calculation is carried out on the inputs."
    if first in _QUESTIONS and rest:
        return f"Decide the question: {title}?"
    if first in _VERBS and first not in ("max", "min", "sum"):
        return _sentence(title)
    return f"Determine the {title}."


def _asked(trial: Trial) -> str:
    """Return what to return, as a sentence."""
    kind = _KIND_WORDS.get(output_type(trial.outputs), "")
    as_kind = f" as {kind}" if kind else ""
    if trial.unit.operations:
        return "Return the list of what each operation gives, null where it gives nothing."
    match trial.result.source:
        case "changed":
            return (
                f"Return `{trial.result.name}` as it is in the end, since it is changed in place."
            )
        case "printed" if trial.result.printed_form in ("line", "number"):
            return f"Return what is printed{as_kind}."
        case "printed":
            return "Return the lines that are printed, in order."
        case _:
            meaning = _result_meaning(trial)
            return (
                f"Return {_lowered(meaning).rstrip('.')}."
                if meaning
                else f"Return the answer{as_kind}."
            )


def _result_meaning(trial: Trial) -> str:
    """Return what the file says of the result, if it says more than a type."""
    meaning = trial.unit.documentation.result_meaning
    meaning = re.sub(r"^returns?\s+", "", meaning, flags=re.IGNORECASE)
    return meaning if len(meaning.split()) > 2 else ""


def title_words(name: str) -> str:
    """Return `two sum` for `Solution.twoSum`."""
    own = name.rsplit(".", maxsplit=1)[-1]
    parts = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", own.replace("_", " ")).split()
    return " ".join(part if part.isupper() else part.lower() for part in parts) or own


def output_type(outputs: Iterable[str]) -> str:
    """Return the type of the outputs, such as `list[int]` or `int | None`."""
    return _common_type([values.loads(text) for text in outputs])


def _common_type(found: list[object]) -> str:
    kinds = {type(value).__name__ for value in found if value is not None}
    if {"int", "float"} <= kinds:
        kinds.remove("int")
    names = sorted(kinds)
    if "list" in kinds:
        items = [item for value in found if isinstance(value, list) for item in value]
        inner = _common_type(items)
        simple = inner and inner.count("|") < 2
        names[names.index("list")] = f"list[{inner}]" if simple else "list"
    if any(value is None for value in found):
        names.append("None")
    return " | ".join(names)


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
