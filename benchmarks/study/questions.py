"""How a question is put to the model, and what an arm learns to answer.

The recipe's own prompts have some 700 tokens, half of them docstrings and
instructions: too many for a study on a CPU. Here the code is shown without
docstrings, whose examples hold the very answers, and asked about in two
sentences. Rationale and answer are the recipe's.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from benchmarks.study.plan import Direction, Origin

from codeio.runtime import values

Chat: TypeAlias = list[dict[str, str]]


class Form(StrEnum):
    """What is asked for."""

    RATIONALE = "rationale, then answer"
    ANSWER = "answer alone"


@dataclass(frozen=True)
class Question:
    """A prediction to make."""

    question_id: str
    program_id: str
    """Questions of the same program are not independent of one another."""
    origin: Origin
    direction: Direction
    code: str
    entry_point: str
    input_json: str
    output_json: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the arguments."""
        return tuple(values.loads(self.input_json))

    @property
    def gold_json(self) -> str:
        """A right answer; for an input prediction one of possibly many."""
        return self.output_json if self.direction is Direction.OUTPUT else self.input_json


@dataclass(frozen=True)
class Example:
    """A question, with what the teacher answered."""

    question: Question
    rationale: str
    answer_json: str


_ASKED = {
    Direction.OUTPUT: "What does `{entry_point}` return for the arguments {given}?",
    Direction.INPUT: "For which arguments does `{entry_point}` return {given}?",
}
_ENDS = {
    Direction.OUTPUT: '{"output": <value>}',
    Direction.INPUT: '{"input": {<every argument by its name>}}',
}
_HOW = {
    Form.RATIONALE: "Reason step by step, then end with {end}.",
    Form.ANSWER: "Answer with {end} only.",
}


def prompt(question: Question, form: Form) -> str:
    """Return what the model is asked."""
    output = question.direction is Direction.OUTPUT
    asked = _ASKED[question.direction].format(
        entry_point=question.entry_point,
        given=question.input_json if output else question.output_json,
    )
    how = _HOW[form].format(end=_ENDS[question.direction])
    return f"```python\n{without_docstrings(question.code)}\n```\n\n{asked} {how}"


def response(example: Example, form: Form) -> str:
    """Return what the model should answer."""
    answer = values.loads(example.answer_json)
    final = values.dumps({example.question.direction.value: answer})
    return f"{example.rationale}\n\n{final}" if form is Form.RATIONALE else final


def chat(example: Example, form: Form) -> Chat:
    """Return question and answer as messages."""
    return [
        {"role": "user", "content": prompt(example.question, form)},
        {"role": "assistant", "content": response(example, form)},
    ]


def asking(question: Question, form: Form, *, shots: list[Example]) -> Chat:
    """Return the messages that end in the question, after examples of the same direction."""
    before = [message for shot in shots for message in chat(shot, form)]
    return [*before, {"role": "user", "content": prompt(question, form)}]


def without_docstrings(code: str) -> str:
    """Return the same program without docstrings and comments."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if _begins_with_docstring(node.body):
                del node.body[0]
            if not node.body and not isinstance(node, ast.Module):
                node.body.append(ast.Pass())
    return ast.unparse(tree)


def _begins_with_docstring(body: list[ast.stmt]) -> bool:
    return (
        bool(body)
        and isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and isinstance(body[0].value.value, str)
    )


def type_name(value: Any) -> str:
    """Return the kind of a JSON value, whole and broken numbers apart."""
    return type(value).__name__
