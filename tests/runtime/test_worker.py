"""The worker: order of commits, the one policy of failure, back-pressure, draining."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from codeio.runtime import worker as worker_module
from codeio.runtime.errors import Overloaded, Rejected, TransientError, UsageError
from codeio.runtime.local import LocalLog
from codeio.runtime.log import Entry, Partition
from codeio.runtime.settings import WorkerSettings
from codeio.runtime.sizes import MAX_RECORD_BYTES
from codeio.runtime.topics import (
    ATTEMPTS,
    DEAD_LETTERS,
    PROGRAMS,
    RAW_FILES,
    REJECTIONS,
    REVISIONS,
    SAMPLES,
    TASKS,
    Topic,
)
from codeio.runtime.worker import Worker
from codeio.v1.records_pb2 import Attempt, PredictionTask, Program, RawFile, Rejection, Sample
from tests.runtime.stages import FAST, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from codeio.runtime.log import Assignment, Consumer, Position
    from codeio.runtime.records import Record

SOURCE = Partition(RAW_FILES.name, 0)


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[LocalLog]:
    async with LocalLog(tmp_path / "log.sqlite") as log:
        yield log


class Handler:
    """A normalizer that makes a program of each file, and first does what it is told."""

    name = "normalizer"

    def __init__(self, first: Callable[[str], Awaitable[object]]) -> None:
        self._first = first
        self.begun: list[str] = []

    async def handle(self, file: RawFile) -> AsyncIterator[Program]:
        self.begun.append(file.file_id)
        await self._first(file.file_id)
        yield Program(program_id=f"p-{file.file_id}")


async def put(log: LocalLog, *names: str) -> None:
    await log.append([RAW_FILES.encode(RawFile(file_id=name, source="here")) for name in names])


async def records(log: LocalLog, topic: Topic) -> list[Any]:
    return [topic.decode(message) async for message in log.read(topic.name)]


async def position(log: LocalLog) -> int:
    committed = await log.committed("normalizer", [RAW_FILES.name])
    return committed[SOURCE].offset if committed else 0


async def run(log: LocalLog, worker: Worker) -> None:
    """Carry the worker to the end of its topics."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(worker.run())
        await log.drained({worker.name: worker.topics})
        worker.drain()


async def raising(error: Exception, log: LocalLog, *, settings: WorkerSettings = FAST) -> Handler:
    """Handle files a, b and c, where b raises."""

    async def first(name: str) -> None:
        if name == "b":
            raise error

    await put(log, "a", "b", "c")
    handler = Handler(first)
    await run(log, Worker(handler, log, settings=settings))
    assert [p.program_id for p in await records(log, PROGRAMS)] == ["p-a", "p-c"]
    return handler


async def test_results_wait_until_all_before_them_are_finished(log: LocalLog) -> None:
    gates = {name: asyncio.Event() for name in "abc"}
    handler = Handler(lambda name: gates[name].wait())
    await put(log, *"abc")
    worker = Worker(handler, log, concurrency=3, settings=FAST)
    running = asyncio.create_task(run(log, worker))

    gates["b"].set()
    gates["c"].set()
    await until(lambda: worker.progress.running == 1)
    await log.append([])  # whatever was to be written before this is written
    assert await position(log) == 0
    assert await records(log, PROGRAMS) == []

    gates["a"].set()
    await running
    assert await position(log) == 3
    assert [p.program_id for p in await records(log, PROGRAMS)] == ["p-a", "p-b", "p-c"]


async def test_what_is_too_much_for_one_transaction_is_written_in_several(
    log: LocalLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_COMMIT_BYTES", 1)
    written: list[int] = []
    subscribe = log.subscribe

    async def noting(group: str, topics: Sequence[str]) -> Consumer:
        consumer = await subscribe(group, topics)
        commit = consumer.commit

        async def noted(positions: Mapping[Assignment, Position], outputs: Sequence[Entry]) -> None:
            written.append(len(outputs))
            await commit(positions, outputs)

        monkeypatch.setattr(consumer, "commit", noted)
        return consumer

    monkeypatch.setattr(log, "subscribe", noting)
    gates = {name: asyncio.Event() for name in "abc"}
    await put(log, *"abc")
    worker = Worker(Handler(lambda name: gates[name].wait()), log, concurrency=3, settings=FAST)
    running = asyncio.create_task(run(log, worker))
    for name in "cba":
        gates[name].set()
    await running
    assert written == [1, 1, 1]
    assert [p.program_id for p in await records(log, PROGRAMS)] == ["p-a", "p-b", "p-c"]


async def test_as_many_handlers_run_as_allowed_and_no_more(log: LocalLog) -> None:
    running = 0
    most = 0

    async def first(name: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1

    await put(log, *map(str, range(50)))
    await run(log, Worker(Handler(first), log, concurrency=3, settings=FAST))
    assert most == 3


async def test_a_refused_record_becomes_a_rejection(log: LocalLog) -> None:
    await raising(Rejected("impure", "it opens a file"), log)
    (rejection,) = await records(log, REJECTIONS)
    assert rejection.record_id == "b"
    assert rejection.stage == "normalizer"
    assert (rejection.reason, rejection.detail) == ("impure", "it opens a file")
    assert rejection.origin.source == "here"


async def test_a_refusal_that_no_text_field_can_hold_is_mended(log: LocalLog) -> None:
    await raising(Rejected("impure", "it prints \ud800"), log)
    (rejection,) = await records(log, REJECTIONS)
    assert rejection.detail == "it prints \\ud800"


async def test_outputs_before_a_refusal_are_dropped(log: LocalLog) -> None:
    class Late:
        name = "normalizer"

        async def handle(self, file: RawFile) -> AsyncIterator[Program]:
            yield Program(program_id="half")
            raise Rejected("impure")

    await put(log, "a")
    await run(log, Worker(Late(), log, settings=FAST))
    assert await records(log, PROGRAMS) == []
    assert len(await records(log, REJECTIONS)) == 1


async def test_what_breaks_the_stage_becomes_a_dead_letter(log: LocalLog) -> None:
    await raising(ZeroDivisionError("division by zero"), log)
    (letter,) = await records(log, DEAD_LETTERS)
    assert letter.key == b"b"
    assert RawFile.FromString(letter.value) == RawFile(file_id="b", source="here")
    assert dict(letter.headers) == {"type": b"codeio.v1.RawFile", "schema": b"1"}
    assert (letter.topic, letter.partition, letter.offset) == (RAW_FILES.name, 0, 1)
    assert (letter.stage, letter.attempts) == ("normalizer", 1)
    first, innermost, *_ = letter.error.splitlines()
    assert first == "ZeroDivisionError: division by zero"
    assert "test_worker.py" in innermost
    (message,) = [message async for message in log.read(DEAD_LETTERS.name)]
    assert message.key == b"b"


async def test_a_record_that_is_too_large_is_refused(log: LocalLog) -> None:
    await put(log, "a")

    class Yields:
        name = "normalizer"

        async def handle(self, record: RawFile) -> AsyncIterator[Program]:
            yield Program(program_id="large", code="x" * MAX_RECORD_BYTES)

    await run(log, Worker(Yields(), log, settings=FAST))
    (rejection,) = await records(log, REJECTIONS)
    assert (rejection.record_id, rejection.reason) == ("a", "record_too_large")
    assert "Program large has 4,194" in rejection.detail
    assert "the limit is 4,194,304" in rejection.detail


@pytest.mark.parametrize(
    ("value", "header"),
    [(b"\xff\xff\xff", b"codeio.v1.RawFile"), (b"", b"codeio.v1.Program"), (b"", None)],
    ids=["broken bytes", "another record", "no type"],
)
async def test_what_cannot_be_decoded_becomes_a_dead_letter(
    log: LocalLog, value: bytes, header: bytes | None
) -> None:
    headers = {"trace": b"\x01\xff"} | ({"type": header} if header else {})
    await put(log, "a")
    await log.append([Entry(RAW_FILES.name, b"poison", value, headers)])
    await put(log, "b")

    async def first(name: str) -> None:
        pass

    await run(log, Worker(Handler(first), log, settings=FAST))
    (letter,) = await records(log, DEAD_LETTERS)
    assert (letter.key, letter.value, dict(letter.headers)) == (b"poison", value, headers)
    assert [p.program_id for p in await records(log, PROGRAMS)] == ["p-a", "p-b"]


async def test_a_record_of_a_kind_that_the_stage_does_not_write_is_a_dead_letter(
    log: LocalLog,
) -> None:
    class Confused:
        name = "normalizer"

        async def handle(self, file: RawFile) -> AsyncIterator[Record]:
            yield Sample(sample_id="s")

    await put(log, "a")
    await run(log, Worker(Confused(), log, settings=FAST))
    (letter,) = await records(log, DEAD_LETTERS)
    assert "normalizer yielded a Sample" in letter.error


async def test_what_is_transient_is_tried_again_and_dead_lettered_at_last(log: LocalLog) -> None:
    handler = await raising(TransientError("the sandbox is dead"), log)
    assert handler.begun.count("b") == FAST.attempts
    (letter,) = await records(log, DEAD_LETTERS)
    assert letter.attempts == FAST.attempts


async def test_one_who_is_turned_away_comes_again_as_often_as_it_takes(log: LocalLog) -> None:
    tries = 0

    async def first(name: str) -> None:
        nonlocal tries
        tries += 1
        if tries < 20 * FAST.attempts:
            raise Overloaded("full", retry_after=0)
        if tries < 21 * FAST.attempts - 1:
            raise TransientError("dead")

    await put(log, "a")
    await run(log, Worker(Handler(first), log, settings=FAST))
    assert [p.program_id for p in await records(log, PROGRAMS)] == ["p-a"]
    assert await records(log, DEAD_LETTERS) == []


async def test_others_go_on_while_one_waits_to_be_tried_again(log: LocalLog) -> None:
    """With one handler at a time, a wait does not hold the others up, and order is kept."""
    others = asyncio.Event()
    tries = 0

    async def first(name: str) -> None:
        nonlocal tries
        if name == "a":
            tries += 1
            if not others.is_set():
                raise TransientError("not yet")
        elif name == "c":
            others.set()

    await put(log, *"abc")
    patient = WorkerSettings(attempts=10_000, first_wait_seconds=0, longest_wait_seconds=0)
    await run(log, Worker(Handler(first), log, concurrency=1, settings=patient))
    assert tries > 1
    assert [p.program_id for p in await records(log, PROGRAMS)] == ["p-a", "p-b", "p-c"]


async def test_what_is_held_behind_a_stuck_record_is_bounded(log: LocalLog) -> None:
    stuck = asyncio.Event()

    async def first(name: str) -> None:
        if name == "0":
            await stuck.wait()

    handler = Handler(first)
    await put(log, *map(str, range(1000)))
    worker = Worker(handler, log, concurrency=2, settings=FAST)
    running = asyncio.create_task(run(log, worker))
    await until(lambda: len(handler.begun) == 128)
    for _ in range(100):
        await log.append([])
    assert len(handler.begun) < 200
    stuck.set()
    await running
    assert len(await records(log, PROGRAMS)) == 1000


async def test_errors_of_parallel_calls_are_judged_by_the_gravest(log: LocalLog) -> None:
    parts = [Rejected("impure"), TransientError("dead"), ValueError("a bug")]
    await raising(ExceptionGroup("calls", parts), log)
    (letter,) = await records(log, DEAD_LETTERS)
    assert letter.error.startswith("ValueError: a bug")
    assert letter.attempts == 1


async def test_a_call_that_is_cancelled_under_a_handler_does_not_lose_the_record(
    log: LocalLog,
) -> None:
    async def first(name: str) -> None:
        if name == "b":
            call = asyncio.get_running_loop().create_future()
            call.cancel()
            await call

    handler = Handler(first)
    await put(log, *"abc")
    await run(log, Worker(handler, log, settings=FAST))
    assert handler.begun.count("b") == FAST.attempts
    (letter,) = await records(log, DEAD_LETTERS)
    assert "what the handler waited for was cancelled" in letter.error
    assert await position(log) == 3


async def test_wrong_use_stops_the_worker_and_leaves_the_record(log: LocalLog) -> None:
    async def first(name: str) -> None:
        if name == "b":
            raise UsageError("there is no gVisor")

    await put(log, *"abc")
    with pytest.raises(UsageError, match="there is no gVisor"):
        await Worker(Handler(first), log, settings=FAST).run()
    assert await position(log) <= 1
    assert await records(log, DEAD_LETTERS) == []


async def test_draining_finishes_what_was_begun_and_begins_nothing(log: LocalLog) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def first(name: str) -> None:
        begun.set()
        await gate.wait()

    handler = Handler(first)
    await put(log, *"abc")
    worker = Worker(handler, log, concurrency=1, settings=FAST)
    running = asyncio.create_task(worker.run())
    await begun.wait()
    worker.drain()
    gate.set()
    await running
    assert handler.begun == ["a"]
    assert [p.program_id for p in await records(log, PROGRAMS)] == ["p-a"]
    assert await position(log) == 1


async def test_draining_abandons_what_takes_too_long(log: LocalLog) -> None:
    begun = asyncio.Event()
    abandoned = False

    async def first(name: str) -> None:
        nonlocal abandoned
        if name == "a":
            return
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            abandoned = True

    await put(log, *"ab")
    hasty = WorkerSettings(drain_seconds=0)
    worker = Worker(Handler(first), log, concurrency=2, settings=hasty)
    running = asyncio.create_task(worker.run())
    await begun.wait()
    worker.drain()
    await running
    assert abandoned
    assert await position(log) == 1


async def test_draining_does_not_wait_for_another_try(log: LocalLog) -> None:
    tried = asyncio.Event()

    async def first(name: str) -> None:
        tried.set()
        raise TransientError("busy", retry_after=3600)

    await put(log, "a")
    worker = Worker(Handler(first), log, settings=WorkerSettings())
    running = asyncio.create_task(worker.run())
    await tried.wait()
    worker.drain()
    await running
    assert await position(log) == 0


async def test_a_worker_that_lost_its_partition_drops_its_work(log: LocalLog) -> None:
    gate = asyncio.Event()
    await put(log, *"ab")
    slow = Worker(Handler(lambda name: gate.wait()), log, concurrency=2, settings=FAST)
    fenced = asyncio.create_task(slow.run())
    await until(lambda: slow.progress.running == 2)

    async def at_once(name: str) -> None:
        pass

    await run(log, Worker(Handler(at_once), log, settings=FAST))
    gate.set()
    slow.drain()
    await fenced
    assert [p.program_id for p in await records(log, PROGRAMS)] == ["p-a", "p-b"]


async def test_counts_go_on_where_the_last_run_ended(log: LocalLog) -> None:
    async def first(name: str) -> None:
        if name.startswith("r"):
            raise Rejected("impure")
        if name.startswith("d"):
            raise ZeroDivisionError

    for names in (["a", "r1", "d1"], ["b", "r2"]):
        await put(log, *names)
        worker = Worker(Handler(first), log, settings=FAST)
        await run(log, worker)
    progress = worker.progress
    assert (progress.stage, progress.running, progress.lag) == ("normalizer", 0, 0)
    tally = progress.tally
    assert (tally.read, tally.written, tally.rejected, tally.dead) == (5, 2, 2, 1)
    assert tally.seconds > 0


async def test_rejections_that_a_stage_yields_count_as_such(log: LocalLog) -> None:
    class Picky:
        name = "normalizer"

        async def handle(self, file: RawFile) -> AsyncIterator[Record]:
            yield Program(program_id="good")
            yield Rejection(record_id=file.file_id, stage=self.name, reason="impure")

    await put(log, "a")
    worker = Worker(Picky(), log, settings=FAST)
    await run(log, worker)
    assert len(await records(log, PROGRAMS)) == len(await records(log, REJECTIONS)) == 1
    assert (worker.progress.tally.written, worker.progress.tally.rejected) == (1, 1)


async def test_attempts_go_forward_from_the_generator_and_back_from_the_verifier(
    log: LocalLog,
) -> None:
    class Generator:
        name = "cot-generator"

        async def handle(self, record: PredictionTask | Attempt) -> AsyncIterator[Attempt]:
            kind = "revised" if isinstance(record, Attempt) else "new"
            yield Attempt(sample_id=kind)

    class Judge:
        name = "verifier"

        async def handle(self, attempt: Attempt) -> AsyncIterator[Attempt | Sample]:
            yield attempt if attempt.sample_id == "new" else Sample(sample_id="done")

    await log.append([TASKS.encode(PredictionTask(task_id="t"))])
    for stage in (Generator(), Judge(), Generator(), Judge()):
        await run(log, Worker(stage, log, settings=FAST))
    assert [a.sample_id for a in await records(log, ATTEMPTS)] == ["new", "revised"]
    assert [a.sample_id for a in await records(log, REVISIONS)] == ["new"]
    assert [s.sample_id for s in await records(log, SAMPLES)] == ["done"]
