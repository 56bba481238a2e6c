"""The figures of a run and what illustrates them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeio.v1.records_pb2 import Rejection, Sample


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How often each value of a whole number occurs."""

    counts: Mapping[int, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def quantile(self, share: float) -> int:
        """Return the smallest value that at least this share does not exceed; 0 if none."""
        needed = share * self.total
        seen = 0
        for value in sorted(self.counts):
            seen += self.counts[value]
            if seen >= needed:
                return value
        return 0

    def to_json(self) -> dict[str, int]:
        return {
            "count": self.total,
            "median": self.quantile(0.5),
            "p95": self.quantile(0.95),
            "max": max(self.counts, default=0),
        }


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One family of rejections: a stage and the reason up to its colon."""

    stage: str
    reason: str
    count: int
    variants: Mapping[str, int]
    """What follows the colon, such as the names of missing packages, with counts."""
    example: Rejection
    """The rejection with the smallest record id."""
    code: str = ""
    """The refused program, where there is one."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `summarise` found. Everything counts distinct ids."""

    raw_files: int
    files_with_program: int
    """Files with an executed program past the quality bar."""
    programs_normalised: int
    programs: int
    """Programs executed and past the quality bar."""
    pairs: int
    attempts: int
    samples: int
    samples_correct: int
    rejections: Mapping[str, Mapping[str, int]]
    """Count by stage and reason."""
    seconds: Mapping[str, float]
    """Time by stage, added up over records that were handled at the same time."""
    settings: Mapping[str, Any]
    pairs_per_program: Spread
    outputs_per_program: Spread
    """Distinct outputs."""
    prompt_chars: Spread
    rationale_chars: Spread
    turns: Spread
    """Answers per sample."""
    verdicts: Mapping[str, Mapping[str, int]]
    """Samples by direction and verdict of the last answer."""
    first_verdicts: Mapping[str, Mapping[str, int]]
    """Samples by direction and verdict of the first answer."""
    input_predictions: Mapping[str, int]
    """By how the last answer was found: `derived` from the output, or by `search` alone."""
    statements: Mapping[str, int]
    """Statements about values in the last answers: `supported`, `contradicted`, `unknown`."""
    samples_with_claims: int
    """Samples with a statement that a trace confirms or refutes."""
    samples_with_claims_checked: int
    licences: Mapping[str, int]
    """Executed programs by licence; empty for unknown."""
    python_versions: tuple[str, ...]
    lock_hashes: tuple[str, ...]
    dead_letters: int
    dataset: Mapping[str, Any]
    """The summary of the data set that was exported, or nothing."""
    teacher: Mapping[str, Any] = field(default_factory=dict)
    """What asking a language model took, or nothing; see `language_model.tally`."""
    finish_reasons: Mapping[str, int] = field(default_factory=dict)
    """Answers by why they ended, in the teacher's words."""
    stopped: str = ""
    """Why the run stopped before its end, in a sentence; empty when it did not."""
    refusals: tuple[Refusal, ...] = ()
    """Rejections by family, most frequent first in each stage."""
    reading: tuple[Sample, ...] = field(default=(), repr=False)
    """Samples to read."""

    def to_json(self) -> dict[str, Any]:
        """Return what stands in `report.json`."""
        predicted = sum(self.input_predictions.values())
        searched = self.input_predictions.get("search", 0)
        return {
            "raw_files": self.raw_files,
            "files_with_program": self.files_with_program,
            "programs": self.programs,
            "pairs": self.pairs,
            "attempts": self.attempts,
            "samples": self.samples,
            "samples_correct": self.samples_correct,
            "rejections": {stage: dict(found) for stage, found in self.rejections.items()},
            "seconds": dict(self.seconds),
            "settings": dict(self.settings),
            "programs_normalised": self.programs_normalised,
            "pairs_per_program": self.pairs_per_program.to_json(),
            "outputs_per_program": self.outputs_per_program.to_json(),
            "prompt_chars": self.prompt_chars.to_json(),
            "rationale_chars": self.rationale_chars.to_json(),
            "turns_per_sample": self.turns.to_json(),
            "verdicts": {name: dict(found) for name, found in self.verdicts.items()},
            "first_verdicts": {name: dict(found) for name, found in self.first_verdicts.items()},
            "input_predictions": dict(self.input_predictions),
            "input_predictions_search_share": searched / predicted if predicted else 0.0,
            "claims": self.claims,
            "statements": dict(self.statements),
            "samples_with_claims": self.samples_with_claims,
            "samples_with_claims_checked": self.samples_with_claims_checked,
            "licences": dict(self.licences),
            "python_version": ", ".join(self.python_versions),
            "lock_hash": ", ".join(self.lock_hashes),
            "dead_letters": self.dead_letters,
            "dataset": dict(self.dataset),
            "teacher": dict(self.teacher),
            "finish_reasons": dict(self.finish_reasons),
            "stopped": self.stopped,
        }

    @property
    def claims(self) -> int:
        """Statements about values in the last answers."""
        return sum(self.statements.values())

    @property
    def rejected(self) -> Counter[str]:
        """Rejections by stage."""
        return Counter({stage: sum(found.values()) for stage, found in self.rejections.items()})
