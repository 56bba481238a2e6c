"""Runs of a program in the sandbox, and the rationale that is made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from codeio.cot_generator.tracing.story import Story
from codeio.runtime import values
from codeio.runtime.errors import TransientError
from codeio.runtime.trace import Source, parse_trace
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, Outcome
from codeio.v1.records_pb2 import Claim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.runtime.stage import Sandbox
    from codeio.v1.records_pb2 import Program


@dataclass(frozen=True)
class Rationale:
    """Reasoning towards an answer, without the answer's final form."""

    text: str
    answer: Any
    claims: tuple[Claim, ...]
    reason: str


@dataclass(frozen=True)
class Run:
    """One call of the program and what came of it."""

    input_json: str
    result: CallResult
    source: Source = field(repr=False)

    @cached_property
    def returned(self) -> bool:
        """Whether the call returned a JSON value that can be read."""
        if self.result.outcome != Outcome.OUTCOME_OK:
            return False
        try:
            values.loads(self.result.output_json)
        except ValueError:
            return False
        return True

    @property
    def output(self) -> Any:
        return values.loads(self.result.output_json)

    def gives(self, output: Any) -> bool:
        """Tell whether the run returned this output."""
        return self.returned and values.equal(self.output, output)

    @cached_property
    def story(self) -> Story | None:
        """The trace as a story, or None where none was recorded."""
        if not self.result.trace_json:
            return None
        try:
            trace = parse_trace(self.result.trace_json)
        except ValueError:
            return None
        return Story(trace, self.source) if trace.frames else None

    def claim(self) -> Claim:
        """Return the claim that the program gives this output on this input."""
        return Claim(
            kind=Claim.KIND_OUTPUT,
            input_json=self.input_json,
            value_json=self.result.output_json,
        )


async def run_program(
    sandbox: Sandbox, program: Program, inputs: Sequence[str], *, source: Source, trace_steps: int
) -> list[Run]:
    """Run a program on inputs, in one request.

    Raises:
        TransientError: the sandbox failed, not the program.
    """
    if not inputs:
        return []
    response = await sandbox.execute(
        ExecuteRequest(
            code=program.code,
            entry_point=program.entry_point,
            calls=[Call(input_json=text) for text in inputs],
            trace_steps=trace_steps,
            unlimited_sizes=True,
        )
    )
    if len(response.results) != len(inputs):
        raise TransientError("the sandbox did not answer every call")
    return [
        Run(text, result, source) for text, result in zip(inputs, response.results, strict=True)
    ]
