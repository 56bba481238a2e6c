"""The verifier: attempts in, samples and revisions out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from codeio.v1.records_pb2 import Attempt, Sample, StatementCounts, Verdict
from codeio.verifier import feedback
from codeio.verifier.claims import check_claims
from codeio.verifier.judge import Judge, Judgement
from codeio.verifier.statements import Support, check_rationale

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from codeio.runtime.settings import LimitsSettings, VerifierSettings
    from codeio.runtime.stage import Sandbox
    from codeio.v1.records_pb2 import PredictionTask
    from codeio.verifier.statements import Statement


# A rewrite may sum up what repeats, but not leave out what the answer rests on.
_KEPT = 1 / 4


class RationaleCheck:
    """Tells whether a rationale may stand that was made of another one."""

    def __init__(self, sandbox: Sandbox, *, trace_steps: int) -> None:
        self._sandbox = sandbox
        self._trace_steps = trace_steps

    async def __call__(
        self, task: PredictionTask, rationale: str, *, material: str, input_json: str | None
    ) -> bool:
        """Tell whether a trace refutes nothing of it, and confirms enough beside the material.

        Raises:
            TransientError: the sandbox failed, not the program.
        """
        found = await self._counts(task, rationale, input_json)
        if found.contradicted or not found.supported:
            return False
        material_found = await self._counts(task, material, input_json)
        return found.supported >= _KEPT * material_found.supported

    async def _counts(
        self, task: PredictionTask, text: str, input_json: str | None
    ) -> StatementCounts:
        statements = await check_rationale(
            self._sandbox, task, text, trace_steps=self._trace_steps, input_json=input_json
        )
        return _counted(statements)


class Verifier:
    """Judges the last turn of an attempt, however broken it is.

    A wrong answer with turns left goes back with its verdict and feedback, to
    be revised (the paper's CodeI/O++); all else becomes a sample. Without
    `revise` there is nobody who would take the revision, and turns left are
    ignored.
    """

    name = "verifier"

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        settings: VerifierSettings,
        limits: LimitsSettings,
        revise: bool,
    ) -> None:
        self._sandbox = sandbox
        self._settings = settings
        self._revise = revise
        self._judge = Judge(sandbox, settings=settings, limits=limits)

    async def handle(self, attempt: Attempt) -> AsyncIterator[Sample | Attempt]:
        """Yield the one record that follows from the attempt.

        Raises:
            TransientError: the sandbox failed, not the program.
        """
        judged = Attempt()
        judged.CopyFrom(attempt)
        judgement = await self._judge_last_turn(judged)
        counts = await self._check_last_turn(judged, judgement)
        wrong = judgement.verdict != Verdict.VERDICT_CORRECT
        if self._revise and wrong and judged.turns_left > 0 and judgement.another_turn_may_help:
            yield judged
        else:
            yield Sample(
                sample_id=judged.sample_id,
                sample_index=judged.sample_index,
                prompt_format=judged.prompt_format,
                teacher=judged.teacher,
                task=judged.task,
                turns=judged.turns,
                verdict=judgement.verdict,
                claims_checked=counts.supported > 0 and counts.contradicted == 0,
            )

    async def _judge_last_turn(self, attempt: Attempt) -> Judgement:
        """Judge the last turn and set down in it what came of it."""
        if not attempt.turns:
            return Judgement(
                Verdict.VERDICT_FAILED, feedback.NO_RESPONSE, another_turn_may_help=False
            )
        turn = attempt.turns[-1]
        judgement = await self._judge.judge(attempt.task, turn)
        turn.verdict = judgement.verdict
        turn.feedback = judgement.feedback
        return judgement

    async def _check_last_turn(self, attempt: Attempt, judgement: Judgement) -> StatementCounts:
        """Compare what the last turn states with the program's trace, and set down the counts.

        A rationale that came with claims is known to state these and no others;
        of any other its text is read.
        """
        if not (self._settings.check_claims and attempt.turns):
            return StatementCounts()
        turn, task, steps = attempt.turns[-1], attempt.task, self._settings.trace_steps
        if turn.claims:
            refuted = await check_claims(
                self._sandbox, task.program, turn.claims, trace_steps=steps
            )
            right = len(turn.claims) - len(refuted)
            counts = StatementCounts(supported=right, contradicted=len(refuted))
        elif turn.response.strip() or turn.reasoning.strip():
            statements = await check_rationale(
                self._sandbox,
                task,
                f"{turn.reasoning}\n\n{turn.response}",
                trace_steps=steps,
                input_json=judgement.input_json,
            )
            counts = _counted(statements)
        else:
            counts = StatementCounts()
        if counts != StatementCounts():
            turn.statements.CopyFrom(counts)
        return counts


def _counted(statements: Sequence[Statement]) -> StatementCounts:
    found = Counter(statement.support for statement in statements)
    return StatementCounts(
        supported=found[Support.SUPPORTED],
        contradicted=found[Support.CONTRADICTED],
        unknown=found[Support.UNKNOWN],
    )
