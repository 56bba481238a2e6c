"""Stand-ins for the stages: tiny, deterministic by content, and as unruly as real ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from codeio.runtime.errors import Rejected, TransientError
from codeio.runtime.settings import WorkerSettings
from codeio.runtime.worker import Worker
from codeio.v1.records_pb2 import (
    Attempt,
    ExecutedProgram,
    IoPair,
    PredictionTask,
    Program,
    RawFile,
    Rejection,
    Sample,
    Verdict,
)
from tests.faults import Fault, fault_of, share_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from codeio.runtime.log import Log
    from codeio.runtime.stage import Stage

FAST = WorkerSettings(first_wait_seconds=0.001, longest_wait_seconds=0.002, attempts=3)


def raw_files(count: int) -> Callable[[int], Iterator[tuple[int, RawFile | Rejection]]]:
    """Return a source of so many files, one in ten refused by `collect`."""

    def source(skip: int) -> Iterator[tuple[int, RawFile | Rejection]]:
        for position in range(skip + 1, count + 1):
            name = f"file-{position}"
            if position % 10 == 0:
                yield position, Rejection(record_id=name, stage="collect", reason="too_large")
            else:
                yield position, RawFile(file_id=name, content=name * 50, source="here")

    return source


async def dawdle(record_id: str) -> None:
    """Let others go first, so that results are finished out of order."""
    for _ in range(int(share_of("dawdle", record_id) * 6)):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Give way to the other tasks until the condition holds."""
    while not condition():  # noqa: ASYNC110  (there is no event for it but in the code under test)
        await asyncio.sleep(0)


class Normalizer:
    """Makes one program of a file; refuses some, breaks on some, and stumbles over some."""

    name = "normalizer"

    def __init__(self) -> None:
        self._stumbled: set[str] = set()

    async def handle(self, file: RawFile) -> AsyncIterator[Program]:
        await dawdle(file.file_id)
        luck = share_of("file", file.file_id)
        if luck < 0.1:
            raise Rejected("impure", f"{file.file_id} opens a file")
        if luck < 0.2:
            raise ZeroDivisionError(file.file_id)
        if luck < 0.3:
            raise TransientError("the sandbox is always dead")
        if luck < 0.5 and file.file_id not in self._stumbled:
            self._stumbled.add(file.file_id)
            raise TransientError("the sandbox died")
        yield Program(program_id=file.file_id, code=file.content)


class Executor:
    """Makes an executed program and three tasks of a program."""

    name = "executor"

    async def handle(self, program: Program) -> AsyncIterator[ExecutedProgram | PredictionTask]:
        await dawdle(program.program_id)
        pairs = [IoPair(input_json=f"{i}", output_json=f"{i * i}") for i in range(3)]
        yield ExecutedProgram(program=program, pairs=pairs)
        for i, pair in enumerate(pairs):
            yield PredictionTask(task_id=f"{program.program_id}.{i}", program=program, pair=pair)


class CotGenerator:
    """Answers a task, or tries a revision again."""

    name = "cot-generator"

    def __init__(self, *, first_turns: float = 0.4, always_wrong: bool = False) -> None:
        self._first_turns = first_turns
        self._always_wrong = always_wrong

    async def handle(self, record: PredictionTask | Attempt) -> AsyncIterator[Attempt]:
        attempt = Attempt()
        if isinstance(record, Attempt):
            attempt.CopyFrom(record)
            attempt.turns_left -= 1
        else:
            attempt = Attempt(sample_id=f"s-{record.task_id}", task=record, turns_left=2)
        await dawdle(attempt.sample_id)
        fault = fault_of(attempt.sample_id, len(attempt.turns), first_turns=self._first_turns)
        if self._always_wrong:
            fault = Fault.WRONG
        attempt.turns.add(response=fault.value if fault else "right")
        yield attempt


class Verifier:
    """Judges the last turn and sends what is wrong back, where turns are left."""

    name = "verifier"

    async def handle(self, attempt: Attempt) -> AsyncIterator[Attempt | Sample]:
        await dawdle(f"{attempt.sample_id}/{len(attempt.turns)}")
        judged = Attempt()
        judged.CopyFrom(attempt)
        verdicts = {
            "right": Verdict.VERDICT_CORRECT,
            "wrong": Verdict.VERDICT_WRONG,
            "unparsable": Verdict.VERDICT_UNPARSABLE,
            "crashing": Verdict.VERDICT_FAILED,
        }
        verdict = verdicts[attempt.turns[-1].response]
        judged.turns[-1].verdict = verdict
        if verdict != Verdict.VERDICT_CORRECT and attempt.turns_left:
            judged.turns[-1].feedback = "look again"
            yield judged
            return
        yield Sample(
            sample_id=attempt.sample_id, task=attempt.task, turns=judged.turns, verdict=verdict
        )


def workers(log: Log, *stages: Stage) -> list[Worker]:
    """Return workers for these stages, or for one of each stand-in."""
    chosen = stages or (Normalizer(), Executor(), CotGenerator(), Verifier())
    return [Worker(stage, log, concurrency=4, settings=FAST) for stage in chosen]
