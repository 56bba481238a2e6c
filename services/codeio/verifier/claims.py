"""Checks what a rationale states against the trace of the program that it talks about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeio.runtime import values
from codeio.runtime.trace import (
    OUTPUT_ONLY,
    Source,
    Step,
    Trace,
    claim_value,
    iterations,
    parse_trace,
)
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, Outcome
from codeio.v1.records_pb2 import Claim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeio.runtime.stage import Sandbox
    from codeio.v1.records_pb2 import Program


async def check_claims(
    sandbox: Sandbox, program: Program, claims: Sequence[Claim], *, trace_steps: int
) -> list[Claim]:
    """Run the program again on every input that is claimed about; return the claims refuted.

    A claim that the trace cannot confirm, because it was cut or never got so far,
    counts as refuted. `trace_steps` must be at least what the claims were made with.

    Raises:
        TransientError: the sandbox failed, not the program.
    """
    if not claims:
        return []
    inputs = list(dict.fromkeys(claim.input_json for claim in claims))
    traced = {claim.input_json for claim in claims if claim.kind != Claim.KIND_OUTPUT}
    results: dict[str, CallResult] = {}
    for chosen, steps in (
        ([text for text in inputs if text in traced], trace_steps),
        ([text for text in inputs if text not in traced], OUTPUT_ONLY),
    ):
        if chosen:
            response = await sandbox.execute(
                ExecuteRequest(
                    code=program.code,
                    entry_point=program.entry_point,
                    calls=[Call(input_json=text) for text in chosen],
                    trace_steps=steps,
                    unlimited_sizes=True,
                )
            )
            results.update(zip(chosen, response.results, strict=True))
    try:
        source = Source(program.code)
    except ValueError:
        return list(claims)
    checks = {text: _Check(source, result) for text, result in results.items()}
    return [claim for claim in claims if not checks[claim.input_json].confirms(claim)]


class _Check:
    """What one run of the program confirms."""

    def __init__(self, source: Source, result: CallResult) -> None:
        self.source = source
        self.result = result
        self.trace: Trace | None = None
        if result.trace_json:
            try:
                self.trace = parse_trace(result.trace_json)
            except ValueError:
                self.trace = None

    def confirms(self, claim: Claim) -> bool:
        if claim.kind == Claim.KIND_OUTPUT:
            return self._output(claim.value_json)
        if self.trace is None or not 0 <= claim.step < len(self.trace.steps):
            return False
        step = self.trace.steps[claim.step]
        if claim.line and claim.line != step.statement.line:
            return False
        match claim.kind:
            case Claim.KIND_VALUE:
                return claim.value_json in self._values(self.trace, step, claim.subject)
            case Claim.KIND_BRANCH:
                return claim.value_json in self._outcomes(step, claim.subject)
            case Claim.KIND_ITERATIONS:
                try:
                    return claim.value_json == str(iterations(self.trace, self.source, step))
                except ValueError:
                    return False
            case Claim.KIND_RETURN:
                return any(
                    frame.last == step.index
                    and frame.function == claim.subject
                    and frame.returned is not None
                    and claim_value(frame.returned) == claim.value_json
                    for frame in self.trace.frames
                )
            case _:
                return False

    def _output(self, stated: str) -> bool:
        if self.result.outcome != Outcome.OUTCOME_OK:
            return False
        try:
            return values.equal(values.loads(self.result.output_json), values.loads(stated))
        except ValueError:
            return False

    def _values(self, trace: Trace, step: Step, subject: str) -> set[str]:
        found: set[str] = set()
        text = trace.variable(subject, frame=step.frame, after=step.index)
        if text is None:
            text = trace.constants.get(subject)
        if text is not None:
            found.add(claim_value(text))
        for place, texts in step.values.items():
            # What was evaluated more than once has no one value.
            if len(texts) == 1 and self.source.text(place) == subject:
                found.add(claim_value(texts[0]))
        return found

    def _outcomes(self, step: Step, subject: str) -> set[str]:
        return {
            "true" if outcomes[0] else "false"
            for place, outcomes in step.outcomes.items()
            if len(outcomes) == 1 and self.source.text(place) == subject
        }
