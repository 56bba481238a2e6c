"""Stages for tests: a stand-in for what makes tasks, and the real loop of revisions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from codeio.cot_generator import CotGenerator
from codeio.runtime import values
from codeio.runtime.errors import Rejected, TransientError
from codeio.runtime.records import origin_of, task_id
from codeio.runtime.settings import (
    LimitsSettings,
    TeacherSettings,
    VerifierSettings,
    WorkerSettings,
)
from codeio.runtime.worker import Worker
from codeio.v1.execution_pb2 import ExecuteRequest, ExecuteResponse, Outcome
from codeio.v1.records_pb2 import (
    Direction,
    ExecutedProgram,
    IoPair,
    Origin,
    PredictionTask,
    Program,
    RawFile,
    Rejection,
)
from codeio.verifier import Verifier
from tests.faults import Fault, FaultyTeacher, dawdle, share_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from codeio.runtime.log import Log
    from codeio.runtime.stage import Sandbox, Stage

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


async def until(condition: Callable[[], bool]) -> None:
    """Give way to the other tasks until the condition holds."""
    while not condition():  # noqa: ASYNC110  (there is no event for it but in the code under test)
        await asyncio.sleep(0)


def program(name: str, k: int, origin: Origin | None = None) -> Program:
    """Return a program that gives n * n + k."""
    return Program(
        program_id=name,
        code=f"def main_solution(n):\n    return n * n + {k}\n",
        entry_point="main_solution",
        scores={"k": k},
        origin=origin,
    )


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
        k = len(file.file_id) * 10 + int(luck * 10)
        yield program(f"p-{file.file_id}", k, origin_of(file))


class Executor:
    """Makes an executed program and two tasks in each direction of a program."""

    name = "executor"

    async def handle(self, program: Program) -> AsyncIterator[ExecutedProgram | PredictionTask]:
        await dawdle(program.program_id)
        pairs = [
            IoPair(input_json=f'{{"n": {n}}}', output_json=f"{n * n + int(program.scores['k'])}")
            for n in (3, 8)
        ]
        yield ExecutedProgram(program=program, pairs=pairs)
        for pair in pairs:
            for direction in (
                Direction.DIRECTION_OUTPUT_PREDICTION,
                Direction.DIRECTION_INPUT_PREDICTION,
            ):
                name = task_id(program_id=program.program_id, pair=pair, direction=direction)
                yield PredictionTask(task_id=name, program=program, pair=pair, direction=direction)


class TrustingSandbox:
    """Runs the programs of these tests, which are harmless, in this process."""

    async def execute(self, request: ExecuteRequest) -> ExecuteResponse:
        await dawdle(request.code)
        namespace: dict[str, Any] = {}
        exec(request.code, namespace)
        response = ExecuteResponse()
        for call in request.calls:
            try:
                output = namespace[request.entry_point](**values.loads(call.input_json))
            except Exception as error:  # noqa: BLE001
                response.results.add(
                    outcome=Outcome.OUTCOME_RAISED,
                    error_type=type(error).__name__,
                    error_message=str(error),
                )
            else:
                response.results.add(outcome=Outcome.OUTCOME_OK, output_json=values.dumps(output))
        return response


def loop(
    sandbox: Sandbox | None = None, *, always: Fault | None = None, turns: int = 1
) -> tuple[Stage, Stage]:
    """Return the real generator, with the teacher that fails, and the real verifier."""
    return (
        CotGenerator(FaultyTeacher(always=always), settings=TeacherSettings(turns=turns)),
        Verifier(
            sandbox or TrustingSandbox(),
            settings=VerifierSettings(),
            limits=LimitsSettings(),
            revise=True,
        ),
    )


def workers(log: Log, *stages: Stage) -> list[Worker]:
    """Return workers for these stages, or for a whole recipe."""
    chosen = stages or (Normalizer(), Executor(), *loop())
    return [Worker(stage, log, concurrency=4, settings=FAST) for stage in chosen]
