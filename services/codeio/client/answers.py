"""What is to be judged, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from codeio.client.errors import InvalidRequest
from codeio.v1.records_pb2 import Direction, Verdict
from codeio.v1.verifier_service_pb2 import VerifyRequest

if TYPE_CHECKING:
    from codeio.v1.verifier_service_pb2 import VerifyResponse

_DIRECTIONS = {
    "output": Direction.DIRECTION_OUTPUT_PREDICTION,
    "input": Direction.DIRECTION_INPUT_PREDICTION,
}


@dataclass(frozen=True)
class Answer:
    """What a model said, and what is needed to judge it.

        Answer('... so {"output": 6}', output_json="6")
        Answer('... so {"input": {"n": 3}}', predicts="input", output_json="6", code=source)

    A predicted input is right when the program, run on it, gives the output.
    """

    response: str | None = None
    """The whole response, from which the answer is read."""
    _: KW_ONLY
    output_json: str
    """The output that the program gives, as JSON text."""
    predicts: Literal["output", "input"] = "output"
    code: str = ""
    """The program; for a predicted input only."""
    entry_point: str = "main_solution"
    """Name of the function to call; for a predicted input only."""
    input_json: str = ""
    """The recorded input, if known: a predicted one may be as large, whatever the limit."""
    answer_json: str | None = None
    """The answer alone as JSON text, in place of a response."""

    @classmethod
    def to(cls, verification_info: str | Mapping[str, Any], response: str) -> Self:
        """Return the response to a question of a data set, by its column `verification_info`.

        Raises:
            InvalidRequest: it is not what codeio writes there.
        """
        try:
            info = (
                verification_info
                if isinstance(verification_info, Mapping)
                else json.loads(verification_info)
            )
            direction = Direction.Value(info["direction"])
            return cls(
                response,
                output_json=info["output_json"],
                predicts="output" if direction == _DIRECTIONS["output"] else "input",
                code=info["code"],
                entry_point=info["entry_point"],
                input_json=info["input_json"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidRequest(
                f"verification_info is not that of a codeio data set: {error!r}"
            ) from error

    def request(self) -> VerifyRequest:
        """Return what is sent.

        Raises:
            InvalidRequest: it cannot be.
        """
        if (self.response is None) == (self.answer_json is None):
            raise InvalidRequest("give a response, or in its place answer_json")
        if self.predicts not in _DIRECTIONS:
            raise InvalidRequest(f"predicts is {self.predicts!r}; choose output or input")
        # What it does not need is not sent.
        executed = self.predicts == "input"
        try:
            return VerifyRequest(
                direction=_DIRECTIONS[self.predicts],
                output_json=self.output_json,
                response=self.response,
                answer_json=self.answer_json,
                code=self.code if executed else "",
                entry_point=self.entry_point if executed else "",
                input_json=self.input_json if executed else "",
            )
        except (TypeError, ValueError) as error:
            raise InvalidRequest(f"the answer cannot be sent: {error}") from error


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the verifier says of an answer."""

    verdict: str
    """`correct`, `wrong`, `unparsable`, or of a predicted input `failed` or `timeout`."""
    reward: float
    """1 when it is correct, 0 otherwise."""
    answer_json: str
    """The answer that was read, as JSON text; empty when there was none."""
    feedback: str
    """What is wrong, in words that do not reveal the truth; empty when nothing is."""

    @classmethod
    def of(cls, response: VerifyResponse) -> Self:
        verdict = response.verdict
        return cls(
            verdict=_VERDICTS.get(verdict) or str(verdict),
            reward=response.reward,
            answer_json=response.answer_json,
            feedback=response.feedback,
        )


_VERDICTS = {number: name.removeprefix("VERDICT_").lower() for name, number in Verdict.items()}
