"""The stage: from a raw file to programs, or to the reason why there is none."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from codeio.normalizer.adopted import adopt
from codeio.normalizer.candidates import find_units
from codeio.normalizer.docs import header
from codeio.normalizer.examples import collect_examples
from codeio.normalizer.prelude import FloorDivided
from codeio.normalizer.selection import is_trivial, ranked
from codeio.normalizer.source import SourceFile, parse, versions
from codeio.normalizer.statement import io_description, problem_statement
from codeio.normalizer.trials import Failed, Trial, Trials
from codeio.normalizer.units import Refusal, Unit
from codeio.normalizer.usage import Inference
from codeio.runtime.errors import Rejected
from codeio.runtime.records import ENTRY_POINT, origin_of, program_id
from codeio.v1.records_pb2 import Program, RawFile, Rejection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from codeio.normalizer.evidence import Slot
    from codeio.runtime.settings import ExecutorSettings, LimitsSettings, NormalizerSettings
    from codeio.runtime.stage import Sandbox

# Units of one file that are tried at most, those with most logic first.
_MOST_UNITS = 12
# Confirmed beyond what is asked for, since some fall.
_SPARE = 2


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
        self._trials = Trials(sandbox, limits, bar=bar, seed=seed)
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
        try:
            file, found, classes = _analysed(raw.content)
        except RecursionError as error:
            raise Rejected("nested_too_deeply", "its expressions are nested too deeply") from error
        units = [unit for unit in found if isinstance(unit, Unit)]
        refusals = [Refusal(r.name, r.reason, r.detail) for r in found if isinstance(r, Refusal)]
        units = sorted(units, key=lambda unit: -unit.logic)[:_MOST_UNITS]
        tried = await self._trials.search(units, classes) if units else []
        divided = [t for t in tried if isinstance(t, Failed) and _expects_integers(t)]
        if divided:
            again = [_floor_divided(failed.unit) for failed in divided]
            tried += await self._trials.search(again, classes)
        promising = ranked([trial for trial in tried if isinstance(trial, Trial)])
        promising = promising[: self._programs_per_file + _SPARE]
        confirmed = await self._trials.confirm(promising) if promising else []
        kept = [trial for trial in confirmed if isinstance(trial, Trial)]
        kept = [trial for trial in kept if not is_trivial(trial)] or kept
        entries = _entries(units)
        for trial in kept[: self._programs_per_file]:
            is_entry = trial.unit.is_script or entries == {trial.unit.name.split(".")[-1]}
            heading = header(file.text, file.original) if is_entry else ""
            yield self._program(raw, trial, heading)
        if not kept:
            failed = [t for t in (*tried, *confirmed) if isinstance(t, Failed)]
            if not failed and tried:
                raise Rejected("identity_output", f"{tried[0].unit.name} gives its input back")
            yield _rejection(raw, self.name, refusals, failed)

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


def _expects_integers(failed: Failed) -> bool:
    """Tell whether a unit failed as code for Python 2 does, whose `/` kept integers whole."""
    return any(
        "'float' object cannot be interpreted as an integer" in error
        or ("indices must be integers" in error and "float" in error)
        for error in failed.errors
    )


def _floor_divided(unit: Unit) -> Unit:
    statements = tuple(
        FloorDivided().visit(copy.deepcopy(statement)) for statement in unit.closure.statements
    )
    return replace(unit, closure=replace(unit.closure, statements=statements))


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


def _analysed(
    text: str,
) -> tuple[SourceFile, list[Unit | Refusal], Mapping[str, Mapping[str, Slot]]]:
    """Return the file, what may become a program, and the classes that can be built."""
    file = parse(text)
    found: list[Unit | Refusal] = []
    classes: dict[str, Mapping[str, Slot]] = {}
    for version, new in versions(file):
        inference = Inference(version.original)
        classes |= _buildable(version, inference)
        of_version = find_units(version, inference)
        collect_examples(version, [unit for unit in of_version if isinstance(unit, Unit)])
        found += [u for u in of_version if new is None or u.name.split(".")[0] in new]
    return file, found, classes


def _buildable(file: SourceFile, inference: Inference) -> Mapping[str, Mapping[str, Slot]]:
    """Return the constructor parameters of the file's classes."""
    found: dict[str, Mapping[str, Slot]] = {}
    for node in file.classes():
        constructor = inference.signatures.get(f"{node.name}.__init__")
        if constructor is not None and not any(isinstance(b, ast.Call) for b in node.bases):
            found[node.name] = {
                name: slot for name, slot in constructor.parameters.items() if name != "self"
            }
    return found


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
