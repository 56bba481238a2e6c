"""One stage over a file of records: the same worker and policy, over a log of its own."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from codeio.executor.sandbox import make_pool
from codeio.pipeline.batching import stopped_when_all_wait
from codeio.pipeline.display import progress_display
from codeio.pipeline.stages import build_stage
from codeio.pipeline.workshop import check_stages, concurrency, open_workshop
from codeio.runtime.errors import CodeioError, Interrupted, UsageError
from codeio.runtime.jsonl import BadLine, read_lines, write_records, write_rejections
from codeio.runtime.local import LocalLog
from codeio.runtime.runner import run_stages
from codeio.runtime.topics import DEAD_LETTERS, FLOWS, RAW_FILES, REJECTIONS, Topic
from codeio.runtime.worker import Worker
from codeio.v1.records_pb2 import DeadLetter, RawFile, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from codeio.collect import Collector
    from codeio.runtime.records import Record
    from codeio.runtime.settings import Settings

_CHUNK = 512


@dataclass
class Counts:
    """What one command did, for its last line."""

    read: int = 0
    written: Counter[str] = field(default_factory=Counter)
    rejections: Counter[str] = field(default_factory=Counter)
    teacher: Mapping[str, object] = field(default_factory=dict)
    """What asking a language model took."""

    def to_json(self) -> dict[str, object]:
        return {
            "read": self.read,
            **dict(sorted(self.written.items())),
            "rejected": self.rejections.total(),
            "rejections": dict(sorted(self.rejections.items())),
            **({"teacher": self.teacher} if self.teacher else {}),
        }


async def stage_over_file(
    stage: str,
    records: Iterable[Record],
    *,
    outputs: Mapping[Topic, str],
    settings: Settings,
    say: Callable[[str], None],
) -> Counts:
    """Run a stage over records and write what it yields, in the order of the records.

    `outputs` names the file for each topic that is wanted; the first one's
    neighbour takes the rejections. Rejections among the records go there too.

    Raises:
        UsageError: the stage cannot be had, or a file cannot be read or written.
        CodeioError: a record broke the stage; nothing was written.
        Interrupted: by SIGINT or SIGTERM.
        Stopped: a language model cannot be asked any more; nothing was written.
    """
    check_stages(settings, [stage])
    flow = FLOWS[stage]
    counts = Counts()
    async with AsyncExitStack() as stack:
        # Before the sandboxes are started: a file that cannot be read shows at once.
        first = list(itertools.islice(iterator := iter(records), _CHUNK))
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="codeio-"))
        log = await stack.enter_async_context(LocalLog(Path(scratch) / "log.sqlite"))
        chunk = first
        while chunk:
            counts.read += len(chunk)
            await log.append(
                [
                    (REJECTIONS if isinstance(r, Rejection) else flow.consumes[-1]).encode(r)
                    for r in chunk
                ]
            )
            chunk = list(itertools.islice(iterator, _CHUNK))
        workshop = await stack.enter_async_context(
            open_workshop(settings, make_pool(settings, say=say), stages=[stage])
        )
        worker = Worker(
            build_stage(stage, settings, workshop, own_tasks=False),
            log,
            concurrency=concurrency(stage, settings, at_least=workshop.workers + 1),
            settings=settings.worker,
        )
        async with (
            stopped_when_all_wait(workshop.model, lambda: [worker.progress]),
            progress_display(lambda: [worker.progress], model=workshop.model),
        ):
            if not await run_stages(log, [worker]):
                raise Interrupted("interrupted; nothing was written")
        if workshop.model:
            counts.teacher = workshop.model.tally.to_json()
        await _refuse_broken(log, stage)
        await _write(log, outputs, counts)
    return counts


def records_of(path: str, topic: Topic) -> Iterator[Record]:
    """Yield the records of a file; a line that is none becomes a rejection.

    Raises:
        UsageError: the file cannot be read, or no line of it is such a record.
    """
    good, bad = 0, ""
    for line in read_lines(path, topic.kind):
        if isinstance(line, BadLine):
            bad = bad or line.complaint
            yield Rejection(
                record_id=f"{path}:{line.number}",
                stage="read",
                reason="bad_row",
                detail=f"line {line.number}: {line.complaint}",
            )
        else:
            good += 1
            yield line
    if bad and not good:
        raise UsageError(f"{path} holds no {topic.kind.__name__} records: {bad}")


def raw_files_of(source: str, collector: Collector) -> Iterator[Record]:
    """Yield the raw files of a SOURCE, or of standard input, with what was refused."""
    if source == "-":
        yield from records_of(source, RAW_FILES)
        return
    for _, record in collector.collect([source]):
        yield record


def write_collected(records: Iterable[RawFile | Rejection], out: str) -> Counts:
    """Write raw files to `out` and what was refused beside it."""
    counts = Counts()
    with ExitStack() as stack:
        write = stack.enter_context(write_records(out))
        refuse = stack.enter_context(write_rejections(out))
        counts.written["raw_files"] = 0
        for record in records:
            counts.read += 1
            if isinstance(record, Rejection):
                counts.rejections[record.reason] += 1
                refuse(record)
            else:
                counts.written["raw_files"] += 1
                write(record)
    return counts


async def _refuse_broken(log: LocalLog, stage: str) -> None:
    broken = [DEAD_LETTERS.decode(message) async for message in log.read(DEAD_LETTERS.name)]
    if broken:
        first = cast("DeadLetter", broken[0])
        raise CodeioError(
            f"{len(broken)} records broke the {stage}, and nothing was written; "
            f"the first with {first.error}"
        )


async def _write(log: LocalLog, outputs: Mapping[Topic, str], counts: Counts) -> None:
    with ExitStack() as stack:
        for topic, path in outputs.items():
            write = stack.enter_context(write_records(path))
            name = topic.name.removeprefix("codeio.").replace("-", "_")
            counts.written[name] = 0
            async for message in log.read(topic.name):
                write(topic.decode(message))
                counts.written[name] += 1
        refuse = stack.enter_context(write_rejections(next(iter(outputs.values()))))
        async for message in log.read(REJECTIONS.name):
            rejection = cast("Rejection", REJECTIONS.decode(message))
            refuse(rejection)
            counts.rejections[rejection.reason] += 1
