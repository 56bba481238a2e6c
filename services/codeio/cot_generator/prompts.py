"""What a teacher is shown: the question, and the word that an answer was wrong.

A format names what the prompt shows, the query (the problem in words), the code
or both, and what the response holds, a rationale, the code or both (paper,
section 4.3). The default, query and code in and a rationale out, did best there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from codeio.runtime import values
from codeio.runtime.markdown import fenced
from codeio.v1.records_pb2 import Direction

if TYPE_CHECKING:
    from typing import Any

    from codeio.v1.records_pb2 import PredictionTask, Turn

_CODE = """\
This Python code {purpose}; the function to call is `{entry_point}`:

{code}"""

_ANSWER = """\
End your response with the answer as JSON in a fenced block of exactly this form:

```json
{form}
```"""

_REASON_OVER_CODE = "Do not run any code: reason step by step in words about what the code does."
_REASON = "Do not run any code: reason step by step in words."
_WRITE_CODE = "First write Python code that solves the problem, with the function `{entry_point}`."
_WRITE_CODE_AND_REASON = (
    "First write Python code that solves the problem, with the function `{entry_point}`. "
    "Then, without running it, reason step by step in words about what it does."
)

_OUTPUT_GIVEN = "The input is:\n\n```json\n{input}\n```"
_OUTPUT_WANTED = "What is the output?"
_OUTPUT_FORM = '{"output": <the output>}'

_INPUT_GIVEN = "The output is:\n\n```json\n{output}\n```"
_INPUT_WANTED = (
    "Find an input for which the code gives this output. There may be several; any one will do."
)
_INPUT_FORM = '{"input": {<every argument by its name>}}'

_FINAL_BLOCK = re.compile(r"```json\n(?:(?!```).)*```\s*\Z", re.DOTALL)

_REVISION = """\
Your answer was not right.

{feedback}

Think again about the problem and the code, step by step, and correct your answer. \
End with it in a fenced `json` block of the same form as before."""


@dataclass(frozen=True, slots=True)
class Format:
    """What the prompt shows and the response holds."""

    name: str
    shows_query: bool
    shows_code: bool
    answers_code: bool
    answers_rationale: bool

    @classmethod
    def named(cls, name: str) -> Format:
        """Return the format of a name such as `query+code/rationale`."""
        shown, answered = (part.split("+") for part in name.split("/"))
        return cls(
            name=name,
            shows_query="query" in shown,
            shows_code="code" in shown,
            answers_code="code" in answered,
            answers_rationale="rationale" in answered,
        )

    @property
    def for_teacher(self) -> Format:
        """The format in which a teacher is asked, who reasons about code that it must see.

        Where the response is to hold the code, that is the program's own and goes
        before the rationale: a teacher does not write it anew.
        """
        return replace(self, shows_code=self.shows_code or self.answers_code, answers_code=False)


def question(task: PredictionTask, form: Format) -> str:
    """Return the first prompt for a task."""
    program = task.program
    if task.direction == Direction.DIRECTION_OUTPUT_PREDICTION:
        given = _OUTPUT_GIVEN.format(input=task.pair.input_json)
        wanted, answer_form = _OUTPUT_WANTED, _OUTPUT_FORM
    else:
        given = _INPUT_GIVEN.format(output=task.pair.output_json)
        wanted, answer_form = _INPUT_WANTED, _INPUT_FORM
    parts = []
    if form.shows_query:
        parts.append(program.problem_statement.strip())
    parts.append(program.io_description.strip())
    if form.shows_code:
        parts.append(
            _CODE.format(
                purpose="solves the problem" if form.shows_query else "is given",
                entry_point=program.entry_point,
                code=code_block(task),
            )
        )
    if form.answers_code:
        how = _WRITE_CODE_AND_REASON if form.answers_rationale else _WRITE_CODE
    else:
        how = _REASON_OVER_CODE if form.shows_code else _REASON
    how = how.format(entry_point=program.entry_point)
    parts += [given, f"{wanted} {how} {_ANSWER.format(form=answer_form)}"]
    return "\n\n".join(part for part in parts if part)


def code_block(task: PredictionTask) -> str:
    """Return the program as a response holds it."""
    return fenced(task.program.code.strip("\n"), "python")


def revision(turn: Turn) -> str:
    """Return the prompt that follows a turn which was judged wrong."""
    return _REVISION.format(feedback=turn.feedback.strip())


def final_answer(direction: Direction, answer: Any) -> str:
    """Return the end of a response: the answer in the form that the question asks for."""
    key = "output" if direction == Direction.DIRECTION_OUTPUT_PREDICTION else "input"
    return f"```json\n{values.dumps({key: answer})}\n```"


def split_final_answer(response: str) -> tuple[str, str]:
    """Return a response without the fenced block of JSON at its end, and that block."""
    block = _FINAL_BLOCK.search(response)
    return (response[: block.start()].rstrip(), block[0].strip()) if block else (response, "")


def answered_input(task: PredictionTask, final: str) -> str | None:
    """Return the input that a final answer names, or for an output prediction the given one."""
    if task.direction == Direction.DIRECTION_OUTPUT_PREDICTION:
        return task.pair.input_json
    text = final.removeprefix("```json").removesuffix("```")
    try:
        return values.dumps(values.loads(text)["input"])
    except (ValueError, KeyError, TypeError):
        return None
