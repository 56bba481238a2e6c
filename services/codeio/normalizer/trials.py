"""Asks the sandbox which hypotheses hold, and reads its answers."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeio.normalizer.assemble import Result, caller_source, program_source
from codeio.normalizer.generators import generator_source
from codeio.normalizer.hypotheses import Hypothesis, combinations
from codeio.normalizer.shapes import Operations
from codeio.runtime import values
from codeio.runtime.verdicts import refusal
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codeio.normalizer.evidence import Slot
    from codeio.normalizer.shapes import Shape
    from codeio.normalizer.units import Unit
    from codeio.runtime.settings import ExecutorSettings, LimitsSettings
    from codeio.runtime.stage import Sandbox

_HARNESS = "\n".join(
    # In the guest they are one text, which knows no package of ours.
    re.sub(
        r"^from codeio\..*\n", "", (Path(__file__).parent / name).read_text(), flags=re.MULTILINE
    )
    for name in ("guest_values.py", "guest_steps.py", "guest_trial.py")
)
_SEEDS = 14
# A hypothesis under which fewer calls return is wrong, however good these few look.
_FEWEST_RUNS = 3
# A unit that ends the process takes those behind it along; they are asked again so often.
_ROUNDS = 3


@dataclass(frozen=True)
class Trial:
    """The outcome of trying a unit: the shapes that worked, and the pairs that they gave."""

    unit: Unit
    shapes: Mapping[str, Shape]
    generator: str
    result: Result
    program: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    examples: tuple[str, ...]
    coverage: float
    """Share of the lines of its functions that the inputs reach."""

    @property
    def distinct(self) -> int:
        return len(set(self.outputs))


@dataclass(frozen=True)
class Failed:
    """Why no hypothesis about a unit held."""

    unit: Unit
    reason: str
    detail: str
    errors: tuple[str, ...] = ()
    """The exceptions that its trials raised, the commonest first."""


@dataclass
class _Asked:
    unit: Unit
    hypotheses: list[Hypothesis]
    answer: dict[str, Any] = field(default_factory=dict)
    failure: tuple[str, str] | None = None


class Trials:
    """Runs units in the sandbox, many to a request."""

    def __init__(
        self, sandbox: Sandbox, limits: LimitsSettings, *, bar: ExecutorSettings, seed: int
    ) -> None:
        self._sandbox = sandbox
        self._limits = limits
        self._bar = bar
        # Enough to meet the bar where half of the inputs give nothing.
        self._seeds = seed, seed + max(_SEEDS, 2 * bar.min_pairs, 2 * bar.min_distinct_outputs)

    async def search(
        self, units: Sequence[Unit], classes: Mapping[str, Mapping[str, Slot]]
    ) -> list[Trial | Failed]:
        """Try the hypotheses about each unit."""
        asked = [_Asked(unit, _hypotheses(unit, classes)) for unit in units]
        jobs = [_job(entry, self._seeds) for entry in asked]
        for entry, (answer, failure) in zip(asked, await self._ask(jobs, replica=0), strict=True):
            entry.answer, entry.failure = answer, failure
        return [_judged(entry) for entry in asked]

    async def confirm(self, trials: Sequence[Trial]) -> list[Trial | Failed]:
        """Run the finished programs once more with another hash seed, inputs in reverse."""
        jobs = [
            {"program": trial.program, "inputs": list(reversed(trial.inputs))} for trial in trials
        ]
        found: list[Trial | Failed] = []
        for trial, (answer, failure) in zip(trials, await self._ask(jobs, replica=1), strict=True):
            if failure is not None:
                found.append(Failed(trial.unit, *failure))
                continue
            outputs = list(reversed(answer.get("outputs", [])))
            found.append(_confirmed(trial, outputs, str(answer.get("error", "")), self._bar))
        return found

    def _harness(self, jobs: list[dict[str, Any]]) -> str:
        limits = self._limits
        lines = [
            _HARNESS,
            f"CONTAINER_ITEMS, STRING_CHARS = {limits.container_items}, {limits.string_chars}",
            f"VALUE_BYTES = {limits.value_bytes}",
            f"JOBS = json.loads({json.dumps(jobs)!r})",
            # Imports read clocks and files on their own account: before any call is watched.
            *(f"load({line!r})" for line in _imports(jobs)),
        ]
        return "\n".join(lines) + "\n"

    async def _ask(
        self, jobs: Sequence[dict[str, Any]], *, replica: int
    ) -> list[tuple[dict[str, Any], tuple[str, str] | None]]:
        """Return for every job its answer, or the reason and detail of its failure."""
        answers: dict[int, tuple[dict[str, Any], tuple[str, str] | None]] = {}
        for _ in range(_ROUNDS):
            waiting = [index for index in range(len(jobs)) if index not in answers]
            if not waiting:
                break
            request = ExecuteRequest(
                code=self._harness([jobs[index] for index in waiting]),
                entry_point="trial",
                calls=[Call(input_json=f'{{"index": {at}}}') for at in range(len(waiting))],
                replica=replica,
                unlimited_sizes=True,
            )
            response = await self._sandbox.execute(request)
            for index, result in zip(waiting, response.results, strict=False):
                if result.outcome == Outcome.OUTCOME_UNSPECIFIED:
                    break
                # Every effect, as `purity` refuses in the source; the executor's `impurity` lets
                # the clock, the environment and standard input pass. It must judge programs that
                # were handed in, by whether two runs differ. We choose among a file's functions,
                # and in the few inputs of a trial it may not show what a reading does.
                if result.effects:
                    answers[index] = {}, (f"impure:{result.effects[0].split(':')[0]}", "")
                elif result.outcome != Outcome.OUTCOME_OK:
                    answers[index] = {}, refusal(result)
                else:
                    answers[index] = values.loads(result.output_json), None
        gone = ("not_reached", "units before it ended the process")
        return [answers.get(index, ({}, gone)) for index in range(len(jobs))]


def _imports(jobs: list[dict[str, Any]]) -> list[str]:
    """Return the import lines of the jobs' code."""
    sources = [str(job.get("closure") or job.get("program")) for job in jobs]
    lines = [line for source in sources for line in source.splitlines()]
    return list(dict.fromkeys(line for line in lines if line.startswith(("import ", "from "))))


def _job(entry: _Asked, seeds: tuple[int, int]) -> dict[str, Any]:
    return {
        "closure": entry.unit.closure.source,
        "hypotheses": [
            {
                "caller": caller_source(entry.unit, hypothesis.shapes),
                "generator": generator_source(hypothesis.shapes),
                "cost": hypothesis.cost,
            }
            for hypothesis in entry.hypotheses
        ],
        "seeds": seeds,
        "examples": entry.unit.examples,
    }


def _judged(entry: _Asked) -> Trial | Failed:
    unit = entry.unit
    if entry.failure is not None:
        return Failed(unit, *entry.failure)
    every = entry.answer["records"]
    records = [record for record in every if "error" not in record]
    errors = Counter(entry.answer.get("errors", {}))
    raised = tuple(text for text, _ in errors.most_common())
    if len(records) < _FEWEST_RUNS:
        return Failed(unit, "no_candidate_runs", raised[0] if raised else "", raised)
    if sum(record.get("error") == "TimeUp" for record in every) > 1:
        detail = "more than one input takes too long"
        timeout = CallResult(outcome=Outcome.OUTCOME_CPU_TIMEOUT, error_message=detail)
        return Failed(unit, *refusal(timeout), raised)
    result = _result(unit, records)
    if result is None:
        detail = f"{len(records)} inputs gave one output"
        return Failed(unit, "constant_output", detail, raised)
    hypothesis = entry.hypotheses[entry.answer["best"]]
    pairs = {
        record["input"]: output
        for record in records
        if (output := _output(record, result)) is not None
    }
    examples = [record["input"] for record in records if record["example"]]
    examples += _rare(pairs)
    return Trial(
        unit=unit,
        shapes=hypothesis.shapes,
        generator=generator_source(hypothesis.shapes),
        result=result,
        program=program_source(unit, hypothesis.shapes, result),
        inputs=tuple(pairs),
        outputs=tuple(pairs.values()),
        examples=tuple(dict.fromkeys(examples)),
        coverage=entry.answer["coverage"],
    )


def _rare(pairs: Mapping[str, str]) -> list[str]:
    """Return the inputs with a rare output, where one output is by far the commonest."""
    counts = Counter(pairs.values())
    commonest, count = counts.most_common(1)[0]
    if count < 0.8 * len(pairs):
        return []
    return [text for text, output in pairs.items() if output != commonest]


def _result(unit: Unit, records: list[dict[str, Any]]) -> Result | None:
    """Return where the outputs come from that differ, the returned value first."""
    returned = [r["returned"] for r in records if r["returned"] is not None and not r["unusable"]]
    if len(set(returned)) > 1:
        kinds = frozenset(kind for record in records for kind in record["kinds"])
        return Result("returned", kinds=kinds)
    for name in unit.slots:
        changed = [r["changed"][name] for r in records if name in r["changed"]]
        if len({change["value"] for change in changed}) > 1:
            kinds = frozenset(kind for change in changed for kind in change["kinds"])
            return Result("changed", name, kinds)
    texts = [record["printed"] for record in records if record["printed"] is not None]
    if len(set(texts)) > 1:
        return Result("printed", printed_form=_printed_form(texts))
    return None


def _printed_form(texts: list[str]) -> str:
    lines = [text.splitlines() for text in texts]
    numbers = all(line.strip().lstrip("-").isdigit() for part in lines for line in part)
    if all(len(part) == 1 for part in lines):
        return "number" if numbers else "line"
    return "numbers" if numbers else "lines"


def _output(record: dict[str, Any], result: Result) -> str | None:
    """Return the output of a record as JSON, null where it is of no use."""
    if result.source == "printed":
        return None if record["printed"] is None else values.dumps(record["printed"])
    if result.source == "changed":
        change = record["changed"].get(result.name)
        unchanged = values.loads(record["input"])[result.name]
        return str(change["value"]) if change else values.dumps(unchanged)
    if record["unusable"] or record["returned"] is None:
        return None
    if record["returned"] == "null" and result.kinds in _NODE_KINDS:
        return "[]"
    return str(record["returned"])


# Linked lists and trees become lists; no node at all is the empty one.
_NODE_KINDS = ({"top:linked"}, {"top:tree"})


def _confirmed(
    trial: Trial, outputs: list[str | None], error: str, bar: ExecutorSettings
) -> Trial | Failed:
    if len(outputs) != len(trial.inputs):
        return Failed(trial.unit, *refusal(_load_failure(error)))
    kept = []
    for text, before, after in zip(trial.inputs, trial.outputs, outputs, strict=True):
        if after is None:
            continue
        if trial.result.source != "printed" and not values.equal(
            values.loads(before), values.loads(after)
        ):
            return Failed(trial.unit, "nondeterministic", f"{text} gave {before}, then {after}")
        kept.append((text, after))
    if len(kept) < bar.min_pairs:
        return Failed(trial.unit, "too_few_pairs", error)
    distinct = len({after for _, after in kept})
    if distinct < bar.min_distinct_outputs:
        detail = f"{len(kept)} inputs give {distinct} different outputs"
        return Failed(trial.unit, "constant_output", detail)
    return replace(
        trial,
        inputs=tuple(text for text, _ in kept),
        outputs=tuple(after for _, after in kept),
    )


def _load_failure(error: str) -> CallResult:
    """Return what the sandbox would say where the harness caught an error while loading."""
    error_type, _, message = error.partition(": ")
    timed_out = error_type == "TimeUp"
    return CallResult(
        outcome=Outcome.OUTCOME_CPU_TIMEOUT if timed_out else Outcome.OUTCOME_LOAD_FAILED,
        error_type=error_type,
        error_message=message,
    )


def _hypotheses(unit: Unit, classes: Mapping[str, Mapping[str, Slot]]) -> list[Hypothesis]:
    present = {s.name for s in unit.closure.statements if isinstance(s, ast.ClassDef)}
    usable = {name: fields for name, fields in classes.items() if name in present}
    found = combinations(unit.slots, classes=usable, sorted_first=_is_binary_search(unit))
    if not unit.operations:
        return found
    adding = tuple(operation.method for operation in unit.operations if operation.adds)
    folded = []
    for hypothesis in found:
        shapes = {name: s for name, s in hypothesis.shapes.items() if "." not in name}
        methods = tuple(
            (operation.method, tuple(hypothesis.shapes[name] for name in operation.slot_names))
            for operation in unit.operations
        )
        shapes["operations"] = Operations(methods, adding)
        folded.append(Hypothesis(hypothesis.cost, shapes))
    return folded


def _is_binary_search(unit: Unit) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id.lower() in ("mid", "middle", "midpoint", "median")
        for node in ast.walk(unit.node)
    )
