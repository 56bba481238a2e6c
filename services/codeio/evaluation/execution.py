"""Grades predicted outputs and inputs by running the programs, in a verifier's sandbox.

Each question's own pair is run too. A question whose recorded output does not
come out of its program is no question, and is left out, whatever was answered.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codeio.client import Answer as Judged
from codeio.client import ClientError, InvalidRequest, Judgement
from codeio.evaluation.literals import (
    ENTRY_POINT,
    input_program,
    output_program,
    read_input,
    read_output,
)
from codeio.rewards.scoring import shared_client
from codeio.training_run.environment import VERIFIER_ADDRESS
from codeio.training_run.outcomes import ExitCode, Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.training_run.data.reading import Values


# A program takes seconds at most; a busy verifier lets wait.
_SECONDS, _SECONDS_AN_ANSWER = 600.0, 10.0


@dataclass(frozen=True)
class Grade:
    """What became of an answer."""

    score: float | None
    """1 or 0; None where the question's own pair does not reproduce."""
    verdict: str


def grade(
    suite: str, rows: Sequence[Values], responses: Sequence[str], *, verifier: str = ""
) -> list[Grade]:
    """Return the grades of responses to the questions of a suite.

    `verifier` is an address, in place of that of the environment.

    Raises:
        RunError: the verifier cannot be asked.
    """
    asked = [_answer(suite, row, response) for row, response in zip(rows, responses, strict=True)]
    judged = iter(_judge([each for each in asked if each is not None], verifier))
    checked = _judge([_record(suite, row) for row in rows], verifier)
    grades = []
    for answer, record in zip(asked, checked, strict=True):
        verdict = "unparsable" if answer is None else next(judged)
        if record != "correct":
            grades.append(Grade(None, "not reproducible"))
        else:
            grades.append(Grade(float(verdict == "correct"), verdict))
    return grades


def check_verifier(verifier: str = "") -> None:
    """Have a verifier judge something that is right.

    Raises:
        RunError: none is named, or it cannot be asked.
    """
    if not (verifier or os.environ.get(VERIFIER_ADDRESS)):
        raise RunError(
            Reason.INVALID_SPEC,
            f"predicted outputs and inputs are graded by a verifier, and none is named; set"
            f" {VERIFIER_ADDRESS} to HOST:PORT",
        )
    _judge([Judged('{"output": 1}', output_json="1")], verifier)


def _answer(suite: str, row: Values, response: str) -> Judged | None:
    """Return what is to be judged, or None if the response holds no answer."""
    if not response.strip():
        return None
    match suite:
        case "cruxeval-o":
            literal = read_output(response)
            return None if literal is None else _literal_output(row, literal)
        case "cruxeval-i":
            call = read_input(response)
            if call is None:
                return None
            program = input_program(row["code"], row["output"])
            return _is_true(program, call)
        case "leetcode-o":
            return Judged(response, output_json=row["output"])
    return Judged.to(row["verification_info"], response)


def _record(suite: str, row: Values) -> Judged:
    """Return the question's own pair, to be run."""
    if suite in {"cruxeval-o", "cruxeval-i"}:
        return _literal_output(row, row["output"])
    info = (
        {
            "code": row["code"],
            "entry_point": row["entry_point"],
            "input_json": row["input"],
            "output_json": row["output"],
        }
        if suite == "leetcode-o"
        else json.loads(row["verification_info"])
    )
    return Judged(
        answer_json=json.dumps({"input": json.loads(info["input_json"])}),
        predicts="input",
        code=info["code"],
        entry_point=info["entry_point"],
        input_json=info["input_json"],
        output_json=info["output_json"],
    )


def _literal_output(row: Values, literal: str) -> Judged:
    return _is_true(output_program(row["code"], row["input"]), literal)


def _is_true(program: str, answer: str) -> Judged:
    text = json.dumps({"answer": answer})
    return Judged(
        answer_json=text,
        predicts="input",
        code=program,
        entry_point=ENTRY_POINT,
        input_json=text,  # an answer may be as long as it is
        output_json="true",
    )


def _judge(answers: Sequence[Judged], verifier: str) -> list[str]:
    """Return the verdicts; an answer that no request can hold is refused, and so wrong.

    Raises:
        RunError: the verifier cannot be asked.
    """
    if not answers:
        return []
    timeout = _SECONDS + _SECONDS_AN_ANSWER * len(answers)
    try:
        judged: list[Any] = shared_client(verifier).judge_many(answers, timeout=timeout)
    except ClientError as error:
        raise _unreachable(error) from error
    verdicts = []
    for each in judged:
        if isinstance(each, Judgement):
            verdicts.append(each.verdict)
        elif isinstance(each, InvalidRequest):
            verdicts.append("refused")
        else:
            raise _unreachable(each) from each
    return verdicts


def _unreachable(error: ClientError) -> RunError:
    return RunError(
        Reason.INTERNAL_ERROR,
        f"the verifier cannot grade the answers: {error}",
        exit_code=ExitCode.FAILED,
    )
