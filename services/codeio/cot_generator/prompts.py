"""What a teacher is shown: the question, and the word that an answer was wrong.

The default format gives the problem and the code and asks for a rationale that
ends in the answer (paper, section 4.3: query and code in the prompt, chain of
thought in the response).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.runtime import values
from codeio.v1.records_pb2 import Direction

if TYPE_CHECKING:
    from typing import Any

    from codeio.v1.records_pb2 import PredictionTask, Turn

PROMPT_FORMAT = "query+code/rationale"

_QUESTION = """\
{problem}

{io_description}

This Python code solves the problem; the function to call is `{entry_point}`:

```python
{code}
```

{given}

{wanted} Do not run any code: reason step by step in words about what the code does. \
End your response with the answer as JSON in a fenced block of exactly this form:

```json
{form}
```"""

_OUTPUT_GIVEN = "The input is:\n\n```json\n{input}\n```"
_OUTPUT_WANTED = "What is the output?"
_OUTPUT_FORM = '{"output": <the output>}'

_INPUT_GIVEN = "The output is:\n\n```json\n{output}\n```"
_INPUT_WANTED = (
    "Find an input for which the code gives this output. There may be several; any one will do."
)
_INPUT_FORM = '{"input": {<every argument by its name>}}'

_REVISION = """\
Your answer was not right.

{feedback}

Think again about the problem and the code, step by step, and correct your answer. \
End with it in a fenced `json` block of the same form as before."""


def question(task: PredictionTask) -> str:
    """Return the first prompt for a task."""
    program = task.program
    if task.direction == Direction.DIRECTION_OUTPUT_PREDICTION:
        given = _OUTPUT_GIVEN.format(input=task.pair.input_json)
        wanted, form = _OUTPUT_WANTED, _OUTPUT_FORM
    else:
        given = _INPUT_GIVEN.format(output=task.pair.output_json)
        wanted, form = _INPUT_WANTED, _INPUT_FORM
    return _QUESTION.format(
        problem=program.problem_statement.strip(),
        io_description=program.io_description.strip(),
        entry_point=program.entry_point,
        code=program.code.strip("\n"),
        given=given,
        wanted=wanted,
        form=form,
    ).lstrip("\n")


def revision(turn: Turn) -> str:
    """Return the prompt that follows a turn which was judged wrong."""
    return _REVISION.format(feedback=turn.feedback.strip())


def final_answer(direction: Direction, answer: Any) -> str:
    """Return the end of a response: the answer in the form that the question asks for."""
    key = "output" if direction == Direction.DIRECTION_OUTPUT_PREDICTION else "input"
    return f"```json\n{values.dumps({key: answer})}\n```"
