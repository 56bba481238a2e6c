"""Bytes per record of each topic of a run, and the disk that brokers need for many samples.

    codeio run SOURCE... --out DIR
    python benchmarks/record_sizes.py [DIR] [--samples 3500000] [--replicas 3]

Records are packed as the broker's client packs them, compressed by lz4, in batches
of 16 KiB. How full a batch gets depends on how much is written at once: it may be
one of 1 MiB, and what each record takes in a batch of its own stands beside it. The baseline is the
records as they are.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kafka.record.memory_records import MemoryRecordsBuilder

from codeio.runtime.logfile import LogFile
from codeio.runtime.topics import SAMPLES, TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeio.runtime.log import Message

BATCH_BYTES = 16_384
NONE, LZ4 = 0, 3
PAGE = 500
INDEXES = 1.01
"""What the indexes of a log add: 12 bytes and 8 for every 4 KiB."""


@dataclass
class Sizes:
    """What the records of a topic take, in bytes."""

    raw: list[int] = field(default_factory=list)
    batches: int = 0
    alone: int = 0

    @property
    def mean(self) -> float:
        return sum(self.raw) / len(self.raw)

    def quantile(self, share: float) -> int:
        return sorted(self.raw)[min(len(self.raw) - 1, int(share * len(self.raw)))]


def messages(log: LogFile, topic: str) -> Iterator[Message]:
    start, end = 0, log.ends.get(topic, 0)
    while page := log.read(topic, start, end, PAGE):
        yield from page
        start = page[-1].offset + 1


def batch() -> MemoryRecordsBuilder:
    return MemoryRecordsBuilder(
        2, LZ4, BATCH_BYTES, transactional=True, producer_id=1, producer_epoch=0, base_sequence=0
    )


def packed(builder: MemoryRecordsBuilder) -> int:
    builder.close()
    return len(builder.buffer())


def sizes_of(log: LogFile, topic: str) -> Sizes:
    sizes, full = Sizes(), batch()
    for message in messages(log, topic):
        content = (0, message.key, message.value, list(message.headers.items()))
        sizes.raw.append(message.size)
        single = batch()
        single.append(*content)
        sizes.alone += packed(single)
        if full.append(*content) is None:
            sizes.batches += packed(full)
            full = batch()
            full.append(*content)
    sizes.batches += packed(full)
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("run", type=Path, nargs="?", default=Path("out"))
    parser.add_argument("--samples", type=int, default=3_500_000)
    parser.add_argument("--replicas", type=int, default=3)
    options = parser.parse_args()
    path = options.run / "log.sqlite"
    if not path.exists():
        print(f"there is no run in {options.run}: make one with `make run`")
        return
    log = LogFile(path)
    measured = {name: sizes_of(log, name) for name in TOPICS if log.ends.get(name)}
    log.close()
    if SAMPLES.name not in measured:
        parser.error("the run has made no samples")
    of_run = len(measured[SAMPLES.name].raw)
    print("| topic | records | per sample | mean | 95 % | lz4, alone | lz4, in batches | disk |")
    print("|---|---|---|---|---|---|---|---|")
    total = {True: 0.0, False: 0.0}
    for name, sizes in measured.items():
        count = len(sizes.raw)
        per_sample = count / of_run
        mean = sizes.batches / count
        disk = per_sample * options.samples * mean * options.replicas * INDEXES / 1e9
        total[TOPICS[name].retention is None] += disk
        print(
            f"| `{name}` | {count:,} | {per_sample:.2f} | {sizes.mean:,.0f} B "
            f"| {sizes.quantile(0.95):,} B | {sizes.alone / count:,.0f} B | {mean:,.0f} B "
            f"| {disk:,.1f} GB |"
        )
    print(
        f"\n{options.samples:,} samples on {options.replicas} replicas: {total[True]:,.0f} GB "
        f"of what is kept for ever, and up to {total[False]:,.0f} GB of what is kept for a while."
    )


if __name__ == "__main__":
    main()
