"""`codeio submit`: what `collect` finds, appended to the broker's topic of raw files."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codeio.runtime import spans
from codeio.runtime.kafka import KafkaLog
from codeio.runtime.kafka.topics import check_topics
from codeio.runtime.topics import RAW_FILES, Flow
from codeio.v1.records_pb2 import RawFile, Rejection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeio.collect import Collector
    from codeio.runtime.log import Entry
    from codeio.runtime.settings import KafkaSettings

_CHUNK = 64
"""Records of a transaction; a raw file is at most 256 KiB."""
_FLOW = Flow("collect", consumes=(), produces=(RAW_FILES,))


@dataclass
class Submitted:
    """What was written."""

    raw_files: int = 0
    rejections: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        return {"raw_files": self.raw_files, "rejections": dict(sorted(self.rejections.items()))}


async def submit(
    sources: Sequence[str], collector: Collector, settings: KafkaSettings
) -> Submitted:
    """Append the raw files of the sources, and what was refused of them.

    What was submitted before is submitted again: it costs the stages their work, and
    comes out once, since its ids are the same.

    Raises:
        UsageError: a source cannot be read, or the broker is not fit.
        LogError: the broker failed; what was counted until then is written.
    """
    collector.check(sources)
    await asyncio.to_thread(check_topics, _FLOW, settings)
    found = (record for _, record in collector.collect(sources))
    submitted = Submitted()
    with ThreadPoolExecutor(1, "collect") as thread:
        loop = asyncio.get_running_loop()
        async with KafkaLog(settings) as log:
            while chunk := await loop.run_in_executor(thread, _take, found):
                await log.append([_entry(record) for record in chunk])
                for record in chunk:
                    if isinstance(record, Rejection):
                        submitted.rejections[record.reason] += 1
                    else:
                        submitted.raw_files += 1
    return submitted


def _entry(record: RawFile | Rejection) -> Entry:
    with spans.submitting(record):
        return spans.with_context(_FLOW.topic_for(record).encode(record))


def _take(found: Iterator[RawFile | Rejection]) -> list[RawFile | Rejection]:
    return list(itertools.islice(found, _CHUNK))
