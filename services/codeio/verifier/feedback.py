"""What a wrong answer is answered with: the beginning of the next turn (the paper's CodeI/O++).

It is made of the response and of what running its answer did. The truth is
not at hand here, so that it cannot slip in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codeio.runtime import values
from codeio.v1.execution_pb2 import CallResult, Outcome
from codeio.v1.records_pb2 import Direction
from codeio.verifier.extract import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_CHARS = 1000

_PROBLEMS = {
    Problem.MISSING: "No final answer could be found in the response.",
    Problem.MALFORMED: "The final answer is incomplete or not valid JSON.",
    Problem.AMBIGUOUS: "The response names several answers and does not say which is final.",
    Problem.NOT_AN_OBJECT: "The answer is not a JSON object with one entry per argument.",
}
_FORMS: Mapping[Direction, str] = {
    Direction.DIRECTION_OUTPUT_PREDICTION: (
        'End with one JSON object of the form {"output": <predicted output>}.'
    ),
    Direction.DIRECTION_INPUT_PREDICTION: (
        'End with one JSON object of the form {"input": {<argument name>: <value>, ...}}.'
    ),
}
_FAILURES: Mapping[Outcome, str] = {
    Outcome.OUTCOME_NOT_JSON: "it returns something that JSON cannot represent",
    Outcome.OUTCOME_TOO_LARGE: "its result is too large",
    Outcome.OUTCOME_CPU_TIMEOUT: "it does not finish in time",
    Outcome.OUTCOME_WALL_TIMEOUT: "it does not finish in time",
    Outcome.OUTCOME_MEMORY: "it runs out of memory",
    Outcome.OUTCOME_OUTPUT_FLOOD: "it prints more than is allowed",
    Outcome.OUTCOME_EXITED: "it ends the process instead of returning",
    Outcome.OUTCOME_CRASHED: "its process crashes",
    Outcome.OUTCOME_LOAD_FAILED: "it cannot be loaded",
}

NO_RESPONSE = "There was no response to judge."
NOT_JUDGEABLE = "The task is damaged: no answer to it can be judged."


def no_answer(problem: Problem, direction: Direction) -> str:
    return f"{_PROBLEMS[problem]} {_FORMS[direction]}"


def wrong_output(predicted: Any) -> str:
    return f"The predicted output is wrong: {_text(predicted)} is not what the program returns."


def wrong_input(predicted: Any, output_json: str) -> str:
    return (
        f"The predicted input is wrong: on {_text(predicted)} the program returns "
        f"{_cut(output_json)} instead of the given output."
    )


def oversized_input(size: int, limit: int) -> str:
    return f"The predicted input is too large: {size} bytes of JSON, where {limit} are allowed."


def failed_input(predicted: Any, result: CallResult) -> str:
    if result.outcome == Outcome.OUTCOME_RAISED:
        error = result.error_type or "an exception"
        happening = f"it raises {error}"
        if result.error_message:
            happening += f": {_cut(result.error_message)}"
    else:
        happening = _FAILURES.get(result.outcome, "it does not return")
    return f"The predicted input makes the program fail: on {_text(predicted)} {happening}."


def _text(value: Any) -> str:
    return _cut(values.dumps(value))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]}… ({len(text)} characters)"
