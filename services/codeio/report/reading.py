"""Reads the records of a run, one at a time, and counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, TypeVar

from codeio.report.figures import Refusal, Report, Spread
from codeio.runtime.jsonl import read_records
from codeio.runtime.records import record_id
from codeio.v1.records_pb2 import (
    Direction,
    ExecutedProgram,
    Program,
    Rejection,
    Sample,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from codeio.runtime.records import Record

R = TypeVar("R", bound="Record")

STAGES = ("collect", "normalizer", "executor", "cot-generator", "verifier", "dataset")
"""The stages in the order of a record's way; others follow."""

_MOST_CHARS_TO_READ = 6000
_TO_READ = 12
_TO_READ_PER_KIND = 2


def summarise(  # noqa: PLR0913
    folder: Path,
    *,
    raw_files: int,
    seconds: Mapping[str, float],
    settings: Mapping[str, Any],
    attempts: int | None = None,
    dataset: Mapping[str, Any] | None = None,
    dead_letters: int = 0,
    teacher: Mapping[str, Any] | None = None,
    stopped: str = "",
) -> Report:
    """Count the records in a run's folder; a file that is not there counts as empty.

    `settings` are plain data without secrets, `dataset` is the summary of the
    export, and `attempts` defaults to the turns that the samples took. `teacher`
    is what asking a language model took, `stopped` why the run is not at its end.

    Raises:
        UsageError: a file cannot be read or holds something else.
    """
    rejections = _Rejections(_read(folder, "rejections", Rejection))
    programs = _Programs(_read(folder, "programs", Program), wanted=rejections.examples_by_id())
    executions = _Executions(_read(folder, "executions", ExecutedProgram))
    samples = _Samples(_read(folder, "samples", Sample))
    return Report(
        raw_files=raw_files,
        files_with_program=len(executions.files),
        programs_normalised=programs.count,
        programs=executions.pairs.total(),
        pairs=sum(number * count for number, count in executions.pairs.items()),
        attempts=samples.answers if attempts is None else attempts,
        samples=samples.turns.total(),
        samples_correct=samples.correct,
        rejections=rejections.by_stage(),
        seconds=_in_order(seconds),
        settings=settings,
        pairs_per_program=Spread(counts=executions.pairs),
        outputs_per_program=Spread(counts=executions.outputs),
        prompt_chars=Spread(counts=samples.prompt_chars),
        rationale_chars=Spread(counts=samples.rationale_chars),
        turns=Spread(counts=samples.turns),
        verdicts=_named(samples.verdicts),
        first_verdicts=_named(samples.first_verdicts),
        input_predictions=dict(samples.found_by.most_common()),
        statements=dict(samples.statements),
        samples_with_claims=samples.with_claims,
        samples_with_claims_checked=samples.with_claims_checked,
        licences=dict(executions.licences.most_common()),
        python_versions=tuple(sorted(executions.python_versions)),
        lock_hashes=tuple(sorted(executions.lock_hashes)),
        dead_letters=dead_letters,
        dataset=dataset or {},
        teacher=teacher or {},
        finish_reasons=dict(samples.finish_reasons.most_common()),
        stopped=stopped,
        refusals=rejections.refusals(programs.code),
        reading=samples.to_read(),
    )


def _read(folder: Path, name: str, kind: type[R]) -> Iterator[R]:
    """Yield the records of one of the run's files, each id once."""
    path = folder / f"{name}.jsonl.zst"
    seen: set[str] = set()
    for record in read_records(path, kind) if path.exists() else ():
        name = record_id(record)
        if name not in seen:
            seen.add(name)
            yield record


class _Rejections:
    """Counts by stage and reason, and one example for each family of reasons."""

    def __init__(self, rejections: Iterable[Rejection]) -> None:
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._examples: dict[tuple[str, str], Rejection] = {}
        for rejection in rejections:
            self._counts[rejection.stage][rejection.reason] += 1
            family = (rejection.stage, _family(rejection.reason))
            known = self._examples.get(family)
            if known is None or rejection.record_id < known.record_id:
                self._examples[family] = rejection

    def by_stage(self) -> dict[str, dict[str, int]]:
        return _in_order({stage: dict(c.most_common()) for stage, c in self._counts.items()})

    def examples_by_id(self) -> set[str]:
        return {example.record_id for example in self._examples.values()}

    def refusals(self, code: Mapping[str, str]) -> tuple[Refusal, ...]:
        found = []
        for stage, reasons in self.by_stage().items():
            families: dict[str, Counter[str]] = defaultdict(Counter)
            for reason, count in reasons.items():
                families[_family(reason)][reason.partition(":")[2]] += count
            for reason, variants in sorted(
                families.items(), key=lambda item: (-item[1].total(), item[0])
            ):
                example = self._examples[stage, reason]
                found.append(
                    Refusal(
                        stage=stage,
                        reason=reason,
                        count=variants.total(),
                        variants={name: n for name, n in variants.most_common() if name},
                        example=example,
                        code=code.get(example.record_id, ""),
                    )
                )
        return tuple(found)


class _Programs:
    """Counts programs and keeps the code of a few."""

    def __init__(self, programs: Iterable[Program], *, wanted: set[str]) -> None:
        self.count = 0
        self.code: dict[str, str] = {}
        for program in programs:
            self.count += 1
            if program.program_id in wanted:
                self.code[program.program_id] = program.code


class _Executions:
    """Counts executed programs by pairs, outputs, files and licences."""

    def __init__(self, executions: Iterable[ExecutedProgram]) -> None:
        self.files: set[str] = set()
        self.pairs: Counter[int] = Counter()
        self.outputs: Counter[int] = Counter()
        self.licences: Counter[str] = Counter()
        self.python_versions: set[str] = set()
        self.lock_hashes: set[str] = set()
        for execution in executions:
            origin = execution.program.origin
            self.files.add(origin.file_id)
            self.pairs[len(execution.pairs)] += 1
            self.outputs[execution.distinct_outputs] += 1
            self.licences[origin.licence] += 1
            self.python_versions.add(execution.python_version)
            self.lock_hashes.add(execution.lock_hash)


class _Samples:
    """Counts samples by direction, verdict and length, and picks some to read."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.verdicts: dict[int, Counter[int]] = defaultdict(Counter)
        self.first_verdicts: dict[int, Counter[int]] = defaultdict(Counter)
        self.found_by: Counter[str] = Counter()
        self.turns: Counter[int] = Counter()
        self.prompt_chars: Counter[int] = Counter()
        self.rationale_chars: Counter[int] = Counter()
        self.answers = self.correct = 0
        self.finish_reasons: Counter[str] = Counter()
        self.statements: Counter[str] = Counter(supported=0, contradicted=0, unknown=0)
        self.with_claims = self.with_claims_checked = 0
        self._picked: dict[tuple[int, int, str], list[Sample]] = defaultdict(list)
        for sample in samples:
            self._count(sample)

    def _count(self, sample: Sample) -> None:
        self.turns[len(sample.turns)] += 1
        self.answers += len(sample.turns)
        self.correct += sample.verdict == Verdict.VERDICT_CORRECT
        direction = sample.task.direction
        self.verdicts[direction][sample.verdict] += 1
        if not sample.turns:
            return
        first, last = sample.turns[0], sample.turns[-1]
        self.first_verdicts[direction][first.verdict] += 1
        self.prompt_chars[len(first.prompt)] += 1
        self.rationale_chars[len(last.reasoning) + len(last.response)] += 1
        self.finish_reasons.update(turn.finish_reason or "none" for turn in sample.turns)
        found = last.statements
        self.statements["supported"] += found.supported
        self.statements["contradicted"] += found.contradicted
        self.statements["unknown"] += found.unknown
        self.with_claims += bool(found.supported + found.contradicted)
        self.with_claims_checked += sample.claims_checked
        found_by = ""
        if direction == Direction.DIRECTION_INPUT_PREDICTION:
            found_by = last.finish_reason
            self.found_by[found_by] += 1
        self._pick(sample, found_by)

    def _pick(self, sample: Sample, found_by: str) -> None:
        """Keep the smallest ids of each kind: ids are hashes, so this is a fair draw."""
        if sum(len(turn.prompt) + len(turn.response) for turn in sample.turns) > (
            _MOST_CHARS_TO_READ
        ):
            return
        kind = (len(sample.turns), sample.verdict, found_by or "output")
        known = self._picked[kind]
        programs = {other.task.program.program_id for other in known}
        if sample.task.program.program_id in programs:
            return
        known.append(sample)
        known.sort(key=lambda other: other.sample_id)
        del known[_TO_READ_PER_KIND:]

    def to_read(self) -> tuple[Sample, ...]:
        """Return one of each kind, then more, right answers at the first try before others."""

        def order(kind: tuple[int, int, str]) -> tuple[bool, int, str]:
            turns, verdict, found_by = kind
            return verdict != Verdict.VERDICT_CORRECT, turns, found_by

        kinds = [self._picked[kind] for kind in sorted(self._picked, key=order)]
        ranked = [
            kind[rank] for rank in range(_TO_READ_PER_KIND) for kind in kinds if rank < len(kind)
        ]
        chosen = {sample.sample_id for sample in ranked[:_TO_READ]}
        return tuple(sample for kind in kinds for sample in kind if sample.sample_id in chosen)


def _family(reason: str) -> str:
    return reason.partition(":")[0]


def _named(counts: Mapping[int, Counter[int]]) -> dict[str, dict[str, int]]:
    return {
        Direction.Name(direction): {
            Verdict.Name(verdict): number for verdict, number in sorted(found.items())
        }
        for direction, found in sorted(counts.items())
    }


V = TypeVar("V")


def _in_order(by_stage: Mapping[str, V]) -> dict[str, V]:
    """Return the stages in the order of a record's way, unknown ones last by name."""
    places = {stage: place for place, stage in enumerate(STAGES)}
    ordered = sorted(by_stage, key=lambda stage: (places.get(stage, len(places)), stage))
    return {stage: by_stage[stage] for stage in ordered}
