"""The stage: from a raw file to programs, or to the reason why there is none."""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING

from codeio.normalizer.adopted import adopt
from codeio.normalizer.docs import header
from codeio.normalizer.search import Search
from codeio.normalizer.statement import io_description, problem_statement
from codeio.runtime.errors import Rejected
from codeio.runtime.records import ENTRY_POINT, origin_of, program_id
from codeio.v1.records_pb2 import Program, RawFile, Rejection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from codeio.normalizer.trials import Failed, Trial
    from codeio.normalizer.units import Refusal, Unit
    from codeio.runtime.settings import ExecutorSettings, LimitsSettings, NormalizerSettings
    from codeio.runtime.stage import Sandbox


class Normalizer:
    """Makes programs of raw files without a language model (paper, section 2.1).

    Types are inferred from everything that the file says about them; the
    sandbox decides between the hypotheses. `bar` is the quality bar that the
    executor will hold the programs to.
    """

    name = "normalizer"

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        settings: NormalizerSettings,
        bar: ExecutorSettings,
        limits: LimitsSettings,
        seed: int,
    ) -> None:
        self.search = Search(sandbox, settings=settings, bar=bar, limits=limits, seed=seed)
        self._programs_per_file = settings.programs_per_file

    async def handle(self, raw: RawFile) -> AsyncIterator[Program | Rejection]:
        """Yield the programs of a file, best first, or one rejection that says why there is none.

        Raises:
            Rejected: the file does not parse, or holds an unusable program.
            TransientError: the sandbox failed.
        """
        if raw.HasField("program"):
            yield adopt(raw)
            return
        found = await self.search.look(raw.content)
        entries = _entries(found.units)
        for trial in found.kept[: self._programs_per_file]:
            is_entry = trial.unit.is_script or entries == {trial.unit.name.split(".")[-1]}
            heading = header(found.file.text, found.file.original) if is_entry else ""
            yield self._program(raw, trial, heading)
        if not found.kept:
            if found.units and not found.failed:
                raise Rejected("identity_output", f"{found.units[0].name} gives its input back")
            yield _rejection(raw, self.name, found.refusals, found.failed)

    def _program(self, raw: RawFile, trial: Trial, heading: str) -> Program:
        origin = origin_of(raw)
        origin.unit = trial.unit.name
        return Program(
            program_id=program_id(code=trial.program, entry_point=ENTRY_POINT, origin=origin),
            code=trial.program,
            entry_point=ENTRY_POINT,
            io_description=io_description(trial),
            input_generator=trial.generator,
            problem_statement=problem_statement(trial, heading),
            seed_inputs=trial.examples,
            origin=origin,
        )


def _entries(units: Sequence[Unit]) -> set[str]:
    """Return the names of functions and methods that no other unit calls."""
    called: set[str] = set()
    for unit in units:
        for node in ast.walk(unit.node):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).split(".")[-1]
                called |= {name} - {unit.name.split(".")[-1]}
    plain = [unit for unit in units if not unit.operations and not unit.is_script]
    return {unit.name.split(".")[-1] for unit in plain} - called


def _rejection(
    raw: RawFile, stage: str, refusals: Sequence[Refusal], failed: Sequence[Failed]
) -> Rejection:
    """Return the one rejection of a file: the commonest reason, those of the sandbox first."""
    reasons = [(f.unit.name, f.reason, f.detail) for f in failed] or [
        (r.name, r.reason, r.detail) for r in refusals
    ]
    if not reasons:
        raise Rejected("no_function", "there is no function, method or script that takes input")
    commonest = Counter(reason for _, reason, _ in reasons).most_common(1)[0][0]
    unit, reason, detail = next(entry for entry in reasons if entry[1] == commonest)
    return Rejection(
        record_id=raw.file_id,
        stage=stage,
        reason=reason,
        detail=f"{unit}: {detail}"[:500],
        origin=origin_of(raw),
    )
