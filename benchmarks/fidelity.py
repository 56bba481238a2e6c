"""Are the pairs, the verdicts and the claims true? Measured on programs that others normalised.

Prints, for each SOURCE, the share of

- kept pairs that give the same output in another run of this command, in new
  sandboxes, in the replica with the other hash seed and clock;
- gold answers that the verifier accepts, in both directions;
- changed answers that it refuses: outputs changed beyond the tolerance, inputs
  changed so that the program gives another output;
- claims of the traced rationales that a second trace confirms;

beside what the recorded pairs of the source itself come to, where it has any.

    python benchmarks/fidelity.py [--limit N] [SOURCE...]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeio.executor.sandbox import make_pool
from codeio.runtime import values
from codeio.runtime.jsonl import read_records, write_records
from codeio.runtime.settings import load_settings
from codeio.v1.execution_pb2 import Call, CallResult, ExecuteRequest, Outcome
from codeio.v1.records_pb2 import (
    Attempt,
    Direction,
    ExecutedProgram,
    PredictionTask,
    Program,
    Sample,
    Turn,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeio.runtime.stage import Sandbox

DATA = [
    Path("../shared/data/pyedu_parsed.jsonl"),
    Path("../shared/data/reasoning_gym_codeio.jsonl"),
]
CODEIO = Path(sys.executable).with_name("codeio")
OUTPUT, INPUT = Direction.DIRECTION_OUTPUT_PREDICTION, Direction.DIRECTION_INPUT_PREDICTION


def codeio(*arguments: object) -> None:
    subprocess.run([CODEIO, *map(str, arguments)], check=True, stderr=subprocess.DEVNULL)


def changed(value: Any) -> Any:
    """Return the value with its first leaf changed beyond any tolerance."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1 + abs(value)
        case str():
            return value + "x"
        case None:
            return 0
        case [first, *rest]:
            return [changed(first), *rest]
        case dict() if value:
            key = next(iter(value))
            return {**value, key: changed(value[key])}
        case _:
            return [value]


def attempt(kind: str, number: int, task: PredictionTask, answer: Any) -> Attempt:
    key = "output" if task.direction == OUTPUT else "input"
    return Attempt(
        sample_id=f"{kind}/{number}",
        task=task,
        turns=[Turn(response=f"```json\n{json.dumps({key: answer})}\n```")],
    )


def answers(executed: Sequence[ExecutedProgram]) -> Iterator[Attempt]:
    """Yield the gold answer to every task, and a wrong one."""
    number = 0
    for program in executed:
        for pair in program.pairs:
            given, output = values.loads(pair.input_json), values.loads(pair.output_json)
            # An input of the same program whose output is another one.
            others = (
                values.loads(other.input_json)
                for other in program.pairs
                if not values.equal(values.loads(other.output_json), output)
            )
            for direction, gold, wrong in (
                (OUTPUT, output, changed(output)),
                (INPUT, given, next(others)),
            ):
                number += 1
                task = PredictionTask(
                    task_id=str(number), program=program.program, pair=pair, direction=direction
                )
                yield attempt("gold", number, task, gold)
                yield attempt("wrong", number, task, wrong)


async def reproduced(
    sandbox: Sandbox, program: Program, pairs: Sequence[tuple[str, str]]
) -> list[bool]:
    """Run the inputs once more; tell for each whether it gives the output."""
    response = await sandbox.execute(
        ExecuteRequest(
            code=program.code,
            entry_point=program.entry_point,
            calls=[Call(input_json=given) for given, _ in pairs],
            replica=1,
            unlimited_sizes=True,
        )
    )

    def same(result: CallResult, output: str) -> bool:
        return result.outcome == Outcome.OUTCOME_OK and values.equal(
            values.loads(result.output_json), values.loads(output), relative=0, absolute=0
        )

    return [same(r, output) for r, (_, output) in zip(response.results, pairs, strict=True)]


async def second_run(
    executed: Sequence[ExecutedProgram], rows: Sequence[dict[str, Any]]
) -> dict[str, str]:
    pool = make_pool(load_settings(), say=print)
    kept: Counter[bool] = Counter()
    recorded: Counter[bool] = Counter()
    async with pool:
        for program in executed:
            pairs = [(pair.input_json, pair.output_json) for pair in program.pairs]
            kept.update(await reproduced(pool, program.program, pairs))
        for row in rows:
            if "ios" in row:
                program = Program(code=row["refcode"], entry_point=row["funcname"])
                pairs = [(json.dumps(io["input"]), json.dumps(io["output"])) for io in row["ios"]]
                recorded.update(await reproduced(pool, program, pairs))
    return {
        "our pairs that reproduce": share(kept),
        "the source's own pairs that reproduce": share(recorded),
    }


def verdicts(samples: Iterator[Sample]) -> dict[str, str]:
    counts: dict[tuple[str, int], Counter[bool]] = {}
    for sample in samples:
        kind = sample.sample_id.split("/", maxsplit=1)[0]
        right = sample.verdict == Verdict.VERDICT_CORRECT
        counts.setdefault((kind, sample.task.direction), Counter())[right == (kind == "gold")] += 1
    names = {
        ("gold", OUTPUT): "gold outputs accepted",
        ("gold", INPUT): "gold inputs accepted",
        ("wrong", OUTPUT): "changed outputs refused",
        ("wrong", INPUT): "changed inputs refused",
    }
    return {name: share(counts.get(key, Counter())) for key, name in names.items()}


def share(counts: Counter[bool]) -> str:
    total = counts.total()
    return f"{counts[True]:,} of {total:,} ({counts[True] / total:.2%})" if total else "none"


def measure(source: Path, folder: Path, limit: int | None) -> dict[str, str]:
    def limited() -> list[object]:
        return [] if limit is None else ["--limit", limit]

    codeio("normalize", source, "--out", folder / "programs.jsonl", *limited())
    codeio(
        "execute", folder / "programs.jsonl", "--out", folder / "executions.jsonl",
        "--tasks", folder / "tasks.jsonl",
    )  # fmt: skip
    executed = list(read_records(folder / "executions.jsonl", ExecutedProgram))
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    figures = {
        "programs past the bar": str(len(executed)),
        "pairs": str(sum(len(program.pairs) for program in executed)),
    }
    figures |= asyncio.run(second_run(executed, rows))
    with write_records(folder / "answers.jsonl") as write:
        for answer in answers(executed):
            write(answer)
    codeio("verify", folder / "answers.jsonl", "--out", folder / "verdicts.jsonl")
    figures |= verdicts(read_records(folder / "verdicts.jsonl", Sample))
    codeio("generate", folder / "tasks.jsonl", "--out", folder / "attempts.jsonl")
    codeio("verify", folder / "attempts.jsonl", "--out", folder / "samples.jsonl")
    samples = list(read_records(folder / "samples.jsonl", Sample))
    right = Counter(sample.verdict == Verdict.VERDICT_CORRECT for sample in samples)
    claims = sum(len(sample.turns[-1].claims) for sample in samples)
    checked = Counter(sample.claims_checked for sample in samples)
    return figures | {
        "traced answers that are right": share(right),
        f"rationales of which every claim checks ({claims:,} claims)": share(checked),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*", type=Path, default=DATA)
    parser.add_argument("--limit", type=int, help="look at so many programs of each source")
    arguments = parser.parse_args()
    for source in arguments.sources:
        if not source.exists():
            print(f"skipped: {source} is missing")
            continue
        with tempfile.TemporaryDirectory() as folder:
            print(f"\n{source.name}")
            for name, figure in measure(source, Path(folder), arguments.limit).items():
                print(f"  {name:<62} {figure}", flush=True)


if __name__ == "__main__":
    main()
