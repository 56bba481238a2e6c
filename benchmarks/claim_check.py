"""How well are the statements of a rationale judged? Measured on rationales with known faults.

Two measurements, each beside a naive baseline that reads `name = value` by a regular
expression and calls a value contradicted that the variable never has:

- corrupted rationales of the trace teacher: in the rationale of each task one value, branch,
  instance of a condition, number of rounds or result is changed so that it becomes false.
  Recall: changed places that a contradicted statement touches. Precision: contradicted
  statements that touch the changed place. Needs ../shared/data and the sandbox;
- `--labelled FILE`: JSON Lines of {"code", "input", "direction", "rationale",
  "contradicted": [substring], ...} written by people. `-v` prints what was missed and what
  was called contradicted without a label.

What stands in the final answer's block alone is left out, as that is judged elsewhere: by a
label or, where `final_answer` names a wrong one, in what was found.

    python benchmarks/claim_check.py [--limit N] [--labelled FILE] [-v]
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import json
import random
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeio.cot_generator import TraceTeacher
from codeio.executor.sandbox import make_pool
from codeio.runtime import values
from codeio.runtime.errors import Rejected
from codeio.runtime.settings import load_settings
from codeio.runtime.trace import Source
from codeio.v1.execution_pb2 import Call, ExecuteRequest, Outcome
from codeio.v1.records_pb2 import Direction, IoPair, PredictionTask, Program
from codeio.verifier.statements import Run, Support, find_statements, run_of
from codeio.verifier.statements.lines import lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from codeio.runtime.stage import Sandbox

DATA = (
    Path("../shared/data/pyedu_parsed.jsonl"),
    Path("../shared/data/reasoning_gym_codeio.jsonl"),
)
OUTPUT, INPUT = Direction.DIRECTION_OUTPUT_PREDICTION, Direction.DIRECTION_INPUT_PREDICTION
TRACE_STEPS = 2000

_NUMBER = r"-?\d+(?:\.\d+)?"
CORRUPTIBLE = {
    "value": re.compile(
        rf"(?<=[\w)\]'] = )('[^'`\n]*'|{_NUMBER}|True|False|\[[^`\[\]a-z]*\])(?=`)(?!`:|`, `\w+ = )"
    ),
    "compact": re.compile(rf"(?<=: )\w+ = ({_NUMBER}|'[^'\n]*')(?=[;,]|\.\s)"),
    "instance": re.compile(r"\(`(\d+)(?![\w.])[^`(]*`\)"),
    "branch": re.compile(r"(?<=`\))( holds\b| is false\b)"),
    "rounds": re.compile(r"\((\d+) rounds?\)"),
    "result": re.compile(r"(?:output is|result is therefore|gives the output) `([^`]*)`"),
}
_EQUATION = re.compile(rf"\b([A-Za-z_]\w*)`? (?:=|is) `?({_NUMBER}|'[^'\n]*'|\[[^\]\n]*\])")


@dataclass
class Score:
    """Counts over many texts."""

    right: int = 0
    alarms: int = 0
    found: int = 0
    faults: int = 0
    seconds: float = 0.0
    texts: int = 0
    supports: dict[str, int] = field(default_factory=dict)

    def count(
        self, spans: Sequence[tuple[int, int]], faults: Sequence[Sequence[tuple[int, int]]]
    ) -> tuple[list[tuple[int, int]], list[int]]:
        """Count the spans called contradicted against the places of the faults."""
        false = [
            span for span in spans if not any(_touch(span, at) for fault in faults for at in fault)
        ]
        missed = [
            number
            for number, fault in enumerate(faults)
            if not any(_touch(span, at) for span in spans for at in fault)
        ]
        self.right += len(spans) - len(false)
        self.alarms += len(false)
        self.found += len(faults) - len(missed)
        self.faults += len(faults)
        return false, missed

    def line(self) -> str:
        called = self.right + self.alarms
        return (
            f"precision {self.right / max(1, called):.3f} ({self.right} of {called})  "
            f"recall {self.found / max(1, self.faults):.3f} ({self.found} of {self.faults})"
        )


def _touch(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def contradicted(
    text: str, source: Source, run: Run | None, *, output_prediction: bool, score: Score
) -> list[tuple[int, int]]:
    begun = time.perf_counter()
    runs = [run] if run else []
    found = find_statements(text, source, runs, output_prediction=output_prediction)
    score.seconds += time.perf_counter() - begun
    score.texts += 1
    for one in found:
        score.supports[one.support.value] = score.supports.get(one.support.value, 0) + 1
    return [(one.start, one.end) for one in found if one.support is Support.CONTRADICTED]


def naive(text: str, run: Run | None) -> list[tuple[int, int]]:
    """Return the `name = value` of a text whose variable never has that value."""
    spans = []
    for match in _EQUATION.finditer(text):
        known = {repr(e.value) for e in run.episodes(ast.Name(match[1]))} if run else set()
        try:
            value = repr(ast.literal_eval(match[2]))
        except (ValueError, SyntaxError):
            continue
        if known and value not in known:
            spans.append(match.span())
    return spans


async def trace(
    sandbox: Sandbox, code: str, entry_point: str, given: str, source: Source
) -> Run | None:
    response = await sandbox.execute(
        ExecuteRequest(
            code=code,
            entry_point=entry_point,
            calls=[Call(input_json=given)],
            trace_steps=TRACE_STEPS,
            unlimited_sizes=True,
        )
    )
    return run_of(source, response.results[0]) if response.results else None


# Labelled rationales.


async def labelled(sandbox: Sandbox, path: Path, *, verbose: bool) -> None:
    score, baseline = Score(), Score()
    for number, row in enumerate(_rows(path)):
        source = Source(row["code"])
        given = row["input"] if isinstance(row["input"], str) else json.dumps(row["input"])
        run = await trace(sandbox, row["code"], "main_solution", given, source)
        text = row["rationale"]
        read = [(line.start, line.end) for line in lines(text)]
        faults = [places(text, label, read) for label in row["contradicted"]]
        judged = [(f, label) for f, label in zip(faults, row["contradicted"], strict=True) if f]
        spans = contradicted(
            text, source, run, output_prediction=row["direction"] == "output", score=score
        )
        if answer := row.get("final_answer"):
            at = (text.index(answer), text.index(answer) + len(answer))
            spans = [span for span in spans if not _touch(span, at)]
        false, missed = score.count(spans, [fault for fault, _ in judged])
        baseline.count(naive(text, run), [fault for fault, _ in judged])
        if verbose:
            for start, end in false:
                print(f"  {number}: without a label: …{text[max(0, start - 40) : end + 20]!r}")
            for place in missed:
                print(f"  {number}: missed: {judged[place][1]!r}")
    print(f"labelled rationales ({path.name})")
    report(score, baseline)


def places(text: str, label: str, read: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return where a label stands outside the final answer's block."""
    found = [(at.start(), at.end()) for at in re.finditer(re.escape(label), text)]
    return [span for span in found if any(_touch(span, line) for line in read)]


# Corrupted rationales of the trace teacher.


async def tasks(sandbox: Sandbox, path: Path, limit: int) -> AsyncIterator[PredictionTask]:
    """Yield tasks of both directions for the first programs of a source."""
    for number, row in enumerate(_rows(path)[:limit]):
        program = Program(
            program_id=f"{path.stem}/{number}",
            code=row.get("refcode") or row["code_sample"],
            entry_point=row.get("funcname", "main_solution"),
        )
        pairs = row["ios"][:2] if "ios" in row else await _pairs(sandbox, program, row)
        for place, pair in enumerate(pairs):
            try:
                recorded = IoPair(
                    input_json=values.dumps(pair["input"]), output_json=values.dumps(pair["output"])
                )
            except ValueError:
                continue
            for direction in (OUTPUT, INPUT):
                yield PredictionTask(
                    task_id=f"{program.program_id}/{place}/{direction}",
                    program=program,
                    pair=recorded,
                    direction=direction,
                )


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def _pairs(sandbox: Sandbox, program: Program, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return inputs of the row's generator with what the program gives for them."""
    generator = (
        "import random\nfrom random import Random\n"
        f"{row['input_generator']}\n"
        "def generated(seed):\n    return generate_inputs(random.Random(seed))\n"
    )
    inputs = await _call(sandbox, generator, "generated", [{"seed": 1}, {"seed": 2}])
    outputs = await _call(sandbox, program.code, program.entry_point, inputs)
    return [{"input": i, "output": o} for i, o in zip(inputs, outputs, strict=False)]


async def _call(sandbox: Sandbox, code: str, entry_point: str, inputs: list[Any]) -> list[Any]:
    response = await sandbox.execute(
        ExecuteRequest(
            code=code,
            entry_point=entry_point,
            calls=[Call(input_json=json.dumps(given)) for given in inputs],
            unlimited_sizes=True,
        )
    )
    good = [one for one in response.results if one.outcome == Outcome.OUTCOME_OK]
    return [values.loads(one.output_json) for one in good] if len(good) == len(inputs) else []


def corrupted(kind: str, old: str, rng: random.Random) -> str | None:
    """Return another text in place of a value, of the same kind; None where there is none."""
    if kind == "branch":
        return " is false" if "holds" in old else " holds"
    if old in ("True", "False"):
        return "False" if old == "True" else "True"
    if old.startswith("'"):
        return f"{old[:-1]}{rng.choice('xyz')}'"
    numbers = list(re.finditer(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])", old))
    if not numbers:
        return None
    number = rng.choice(numbers)
    value = ast.literal_eval(number[0]) + rng.choice((1, 1, 2, 3, 10))
    return f"{old[: number.start()]}{value}{old[number.end() :]}"


async def rationales(
    sandbox: Sandbox, limit: int
) -> AsyncIterator[tuple[PredictionTask, Run, str]]:
    settings = load_settings().teacher
    teacher = TraceTeacher(sandbox, settings=settings)
    for path in DATA:
        if not limit or not path.exists():
            print(f"skipped: {path} is missing" if limit else f"skipped: {path}")
            continue
        async for task in tasks(sandbox, path, limit):
            try:
                turn = await teacher.answer(task, prompt="", conversation=(), sample_index=0)
                source = Source(task.program.code)
            except (Rejected, ValueError):
                continue
            given = task.pair.input_json
            if task.direction == INPUT:
                given = json.dumps(_answer(turn.response)["input"])
            run = await trace(sandbox, task.program.code, task.program.entry_point, given, source)
            if run is not None:
                yield task, run, turn.response


def _answer(response: str) -> Any:
    return json.loads(response[response.rindex("```json") + 7 :].rstrip().removesuffix("```"))


async def teacher_rationales(sandbox: Sandbox, *, limit: int, verbose: bool) -> None:
    whole, cut, baseline, clean = Score(), Score(), Score(), Score()
    kinds: dict[str, list[int]] = {kind: [0, 0] for kind in CORRUPTIBLE}
    async for task, run, text in rationales(sandbox, limit):
        source = run.source
        output = task.direction == OUTPUT
        spans = contradicted(text, source, run, output_prediction=output, score=clean)
        alarms, _ = clean.count(spans, [])
        for start, end in alarms if verbose else ():
            around = text[max(0, start - 60) : end + 20]
            print(f"  {task.task_id}: contradicted as it was: …{around!r}")
        # Of an input prediction, only the check at its end is about the predicted input.
        named = [text.find(line) for line in re.findall(r"\n[^\n`]+:\n\n", text)]
        begin = 0 if output else max(named, default=len(text))
        for kind, pattern in CORRUPTIBLE.items():
            rng = random.Random(f"{task.task_id} {kind}")
            at = [m for m in pattern.finditer(text, begin) if m.end() < text.rindex("```json")]
            if not at:
                continue
            chosen = rng.choice(at)
            new = corrupted(kind, chosen[1], rng)
            if new is None:
                continue
            false_text = text[: chosen.start(1)] + new + text[chosen.end(1) :]
            fault = [[(chosen.start(1), chosen.start(1) + len(new))]]
            score = cut if run.trace.cut else whole
            spans = contradicted(false_text, source, run, output_prediction=output, score=score)
            _, missed = score.count(spans, fault)
            if not run.trace.cut:
                baseline.count(naive(false_text, run), fault)
                kinds[kind][0] += not missed
                kinds[kind][1] += 1
            if verbose and missed:
                start, end = fault[0][0]
                around = false_text[max(0, start - 60) : end + 30]
                print(f"  {task.task_id}: missed {kind}: …{around!r} (was {chosen[1]!r})")
    if not whole.faults:
        return
    print("corrupted rationales of the trace teacher, whole traces")
    report(whole, baseline)
    for kind, (found, of) in kinds.items():
        print(f"    {kind:<10} {found} of {of}")
    print(f"  traces cut at {TRACE_STEPS} steps: {cut.line()}")
    print(f"  contradicted in {clean.texts} untouched rationales: {clean.alarms}")


def report(score: Score, baseline: Score) -> None:
    print(f"  {score.line()}")
    print(f"  naive baseline: {baseline.line()}")
    counts = ", ".join(f"{number} {name}" for name, number in sorted(score.supports.items()))
    print(f"  statements: {counts}")
    print(f"  {1000 * score.seconds / max(1, score.texts):.1f} ms a rationale")


async def measure(arguments: argparse.Namespace) -> None:
    async with make_pool(load_settings(), say=print) as sandbox:
        if arguments.labelled:
            await labelled(sandbox, arguments.labelled, verbose=arguments.verbose)
        await teacher_rationales(sandbox, limit=arguments.limit, verbose=arguments.verbose)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=60, help="programs of each source; 0: none")
    parser.add_argument("--labelled", type=Path, help="JSON Lines of labelled rationales")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the misses")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
