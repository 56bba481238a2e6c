"""Looks through a file for what makes a program, without a language model."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from codeio.normalizer.candidates import find_units
from codeio.normalizer.examples import collect_examples
from codeio.normalizer.prelude import FloorDivided
from codeio.normalizer.selection import is_trivial, ranked
from codeio.normalizer.source import SourceFile, parse, versions
from codeio.normalizer.trials import Failed, Trial, Trials
from codeio.normalizer.units import Refusal, Unit
from codeio.normalizer.usage import Inference
from codeio.runtime.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeio.normalizer.evidence import Slot
    from codeio.runtime.settings import ExecutorSettings, LimitsSettings, NormalizerSettings
    from codeio.runtime.stage import Sandbox

# Units of one file that are tried at most, those with most logic first.
_MOST_UNITS = 12
# Confirmed beyond what is asked for, since some fall.
_SPARE = 2


@dataclass(frozen=True)
class Findings:
    """What was found in a file."""

    file: SourceFile
    units: tuple[Unit, ...]
    """What was tried, those with most logic first."""
    kept: tuple[Trial, ...]
    """What makes a program past the quality bar, best first."""
    failed: tuple[Failed, ...]
    refusals: tuple[Refusal, ...]
    """What was not tried."""


class Search:
    """Finds the units of a file that make programs; the sandbox decides what does.

    `bar` is the quality bar that the executor will hold the programs to.
    """

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

    async def look(self, text: str) -> Findings:
        """Try what a file offers.

        Raises:
            Rejected: the file does not parse.
            TransientError: the sandbox failed.
        """
        try:
            file, found, classes = _analysed(text)
        except RecursionError as error:
            raise Rejected("nested_too_deeply", "its expressions are nested too deeply") from error
        units = [unit for unit in found if isinstance(unit, Unit)]
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
        return Findings(
            file=file,
            units=tuple(units),
            kept=tuple(kept),
            failed=tuple(t for t in (*tried, *confirmed) if isinstance(t, Failed)),
            refusals=tuple(
                Refusal(r.name, r.reason, r.detail) for r in found if isinstance(r, Refusal)
            ),
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
