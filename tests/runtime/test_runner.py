"""The runner: the end of a run, the loop of revisions, signals and fatal errors."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from codeio.runtime.errors import Stopped, UsageError
from codeio.runtime.feed import Feed
from codeio.runtime.local import LocalLog
from codeio.runtime.log import LogError
from codeio.runtime.logfile import LogFile
from codeio.runtime.runner import run_stages
from codeio.runtime.topics import ATTEMPTS, PROGRAMS, RAW_FILES, REVISIONS, SAMPLES, TASKS
from codeio.runtime.worker import Worker
from codeio.v1.records_pb2 import Direction, Program, RawFile, Sample, Verdict
from tests.faults import Fault, fault_of
from tests.runtime import stages
from tests.runtime.log_contract import contents
from tests.runtime.stages import raw_files, workers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from codeio.runtime.feed import Found
    from codeio.runtime.records import Record
    from codeio.runtime.stage import Sandbox
    from codeio.v1.records_pb2 import Attempt, PredictionTask


VERDICTS = {
    None: Verdict.VERDICT_CORRECT,
    Fault.WRONG: Verdict.VERDICT_WRONG,
    Fault.UNPARSABLE: Verdict.VERDICT_UNPARSABLE,
    Fault.CRASHING: Verdict.VERDICT_FAILED,
}


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[LocalLog]:
    async with LocalLog(tmp_path / "log.sqlite") as log:
        yield log


async def samples(log: LocalLog) -> list[Sample]:
    return [Sample.FromString(value) for value in await contents(log, SAMPLES.name)]


async def size(log: LocalLog, topic: str) -> int:
    return sum((await log.ends([topic])).values())


async def test_a_run_ends_when_every_record_has_gone_its_way(log: LocalLog) -> None:
    assert await run_stages(log, workers(log), feed=Feed(log, raw_files(60)))
    tasks = await size(log, TASKS.name)
    found = await samples(log)
    assert tasks > 0
    assert len({sample.sample_id for sample in found}) == len(found) == tasks
    assert all(sample.verdict == Verdict.VERDICT_CORRECT for sample in found)
    revised = [sample for sample in found if len(sample.turns) == 2]
    assert 0.3 < len(revised) / len(found) < 0.5
    assert await size(log, REVISIONS.name) == len(revised)


async def test_a_run_in_which_every_answer_is_wrong_ends(log: LocalLog) -> None:
    hopeless = stages.loop(always=Fault.WRONG, turns=2)
    chosen = (stages.Normalizer(), stages.Executor(), *hopeless)
    assert await run_stages(log, workers(log, *chosen), feed=Feed(log, raw_files(30)))
    found = await samples(log)
    assert len(found) == await size(log, TASKS.name) > 0
    assert {len(sample.turns) for sample in found} == {3}
    assert {sample.verdict for sample in found} == {Verdict.VERDICT_WRONG}
    assert await size(log, ATTEMPTS.name) == 3 * len(found)


async def test_the_loop_turns_over_real_sandboxes(log: LocalLog, sandbox: Sandbox) -> None:
    """Every kind of fault gets its verdict and its feedback, and is mended by a second turn."""
    await log.append([PROGRAMS.encode(stages.program(f"p{k}", k)) for k in range(10)])
    assert await run_stages(log, workers(log, stages.Executor(), *stages.loop(sandbox)))
    found = await samples(log)
    assert len(found) == 40
    seen = set()
    for sample in found:
        assert sample.verdict == Verdict.VERDICT_CORRECT
        direction = sample.task.direction
        fault = fault_of(sample.sample_id, 0)
        first, *rest = sample.turns
        assert len(rest) == (fault is not None)
        if fault is Fault.CRASHING and direction == Direction.DIRECTION_OUTPUT_PREDICTION:
            assert first.verdict == Verdict.VERDICT_UNPARSABLE
        else:
            assert first.verdict == VERDICTS[fault]
        assert bool(first.feedback) == (fault is not None)
        assert all(first.feedback in turn.prompt for turn in rest)
        seen.add((fault, direction))
    assert len(seen) == 8, "every fault in both directions, and none"


class Broke:
    """A generator that answers so many tasks, and then has no money left."""

    name = "cot-generator"

    def __init__(self, *, answers: int) -> None:
        [self._generator, _] = stages.loop()
        self._left = answers

    async def handle(self, record: PredictionTask | Attempt) -> AsyncIterator[Record]:
        self._left -= 1
        if self._left < 0:
            raise Stopped("the budget is used up")
        async for attempt in self._generator.handle(record):
            yield attempt


@pytest.mark.parametrize("answers", [0, 10, 31])
async def test_a_stage_that_is_stopped_lets_those_behind_it_finish(
    log: LocalLog, answers: int
) -> None:
    chosen = (stages.Normalizer(), stages.Executor(), Broke(answers=answers), stages.loop()[1])
    with pytest.raises(Stopped, match="budget"):
        await run_stages(log, workers(log, *chosen), feed=Feed(log, raw_files(60)))
    attempts = await size(log, ATTEMPTS.name)
    found = len(await samples(log))
    assert attempts <= answers
    # What was answered is judged, right or to be revised.
    assert found + await size(log, REVISIONS.name) == attempts
    assert await run_stages(log, workers(log), feed=Feed(log, raw_files(60)))
    assert len(await samples(log)) == await size(log, TASKS.name) > 31


async def test_two_stages_that_are_stopped_end_the_run_with_the_first_word(
    log: LocalLog,
) -> None:
    class Normalizer(stages.Normalizer):
        async def handle(self, file: RawFile) -> AsyncIterator[Program]:
            if file.file_id == "file-31":
                raise Stopped("no endpoint answers")
            async for program in super().handle(file):
                yield program

    chosen = (Normalizer(), stages.Executor(), Broke(answers=3), stages.loop()[1])
    async with asyncio.timeout(30):
        with pytest.raises(Stopped, match=r"budget|endpoint"):
            await run_stages(log, workers(log, *chosen), feed=Feed(log, raw_files(60)))


async def test_a_finished_run_has_nothing_left_to_do(log: LocalLog) -> None:
    assert await run_stages(log, workers(log), feed=Feed(log, raw_files(20)))
    before = await samples(log)
    again = workers(log)
    assert await run_stages(log, again, feed=Feed(log, raw_files(20)))
    assert await samples(log) == before
    assert sum(worker.progress.tally.written for worker in again) > len(before)


async def test_a_run_without_a_feed_ends_with_what_the_log_holds(log: LocalLog) -> None:
    assert await run_stages(log, workers(log))
    await log.append([RAW_FILES.encode(RawFile(file_id="file-1"))])
    assert await run_stages(log, workers(log))
    assert len(await samples(log)) == 4


class Signalling:
    """A normalizer that sends this process a signal with its third record, then hangs."""

    name = "normalizer"

    def __init__(self, *signals: signal.Signals) -> None:
        self._signals = signals
        self.cancelled = False

    async def handle(self, file: RawFile) -> AsyncIterator[Program]:
        if file.file_id == "file-3":
            for number in self._signals:
                os.kill(os.getpid(), number)
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled = True
        yield Program(program_id=file.file_id)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_drains_and_the_next_run_goes_on(
    log: LocalLog, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    settings = stages.FAST.model_copy(update={"drain_seconds": 0.0})
    stage = Signalling(number)
    worker = Worker(stage, log, concurrency=1, settings=settings)
    assert not await run_stages(log, [worker], feed=Feed(log, raw_files(9)))
    assert stage.cancelled
    assert signal.getsignal(number) == before
    (position,) = (await log.committed("normalizer", [RAW_FILES.name])).values()
    assert position.offset == 2

    assert await run_stages(log, workers(log), feed=Feed(log, raw_files(9)))
    programs = await contents(log, "codeio.programs")
    assert len({Program.FromString(value).program_id for value in programs}) == len(programs)


async def test_a_second_signal_stops_at_once(log: LocalLog) -> None:
    patient = stages.FAST.model_copy(update={"drain_seconds": 3600.0})
    stage = Signalling(signal.SIGINT, signal.SIGINT)
    worker = Worker(stage, log, concurrency=1, settings=patient)
    async with asyncio.timeout(60):
        assert not await run_stages(log, [worker], feed=Feed(log, raw_files(9)))
    assert stage.cancelled


async def test_a_source_that_hangs_does_not_hold_up_an_interrupted_run(log: LocalLog) -> None:
    never = threading.Event()

    def source(skip: int) -> Iterator[Found]:
        yield 1, RawFile(file_id="file-1")
        os.kill(os.getpid(), signal.SIGINT)
        never.wait(60)

    async with asyncio.timeout(30):
        assert not await run_stages(log, workers(log), feed=Feed(log, source))
    never.set()


async def test_wrong_use_in_a_handler_ends_the_run(log: LocalLog) -> None:
    class NoSandbox:
        name = "executor"

        async def handle(self, program: Program) -> AsyncIterator[Any]:
            raise UsageError("runsc is missing")
            yield

    chosen = (stages.Normalizer(), NoSandbox(), *stages.loop())
    with pytest.raises(UsageError, match="runsc is missing"):
        await run_stages(log, workers(log, *chosen), feed=Feed(log, raw_files(500)))


async def test_wrong_use_in_the_source_ends_the_run(log: LocalLog) -> None:
    def source(skip: int) -> Iterator[Found]:
        yield 1, RawFile(file_id="file-1")
        raise UsageError("the archive is damaged")

    with pytest.raises(UsageError, match="the archive is damaged"):
        await run_stages(log, workers(log), feed=Feed(log, source))


async def test_a_log_that_fails_ends_the_run(
    log: LocalLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0
    write = LogFile.write

    def failing(self: LogFile, changes: Any) -> None:
        nonlocal writes
        writes += 1
        if writes > 5:
            raise LogError("the disk is full")
        write(self, changes)

    monkeypatch.setattr(LogFile, "write", failing)
    with pytest.raises(LogError, match="the disk is full"):
        await run_stages(log, workers(log), feed=Feed(log, raw_files(500)))


async def test_cancelling_the_run_cancels_all_of_it(log: LocalLog) -> None:
    stage = Signalling()
    worker = Worker(stage, log, concurrency=1, settings=stages.FAST)
    running = asyncio.create_task(run_stages(log, [worker], feed=Feed(log, raw_files(9))))
    await stages.until(lambda: worker.progress.tally.read == 2 and worker.progress.running == 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert stage.cancelled
