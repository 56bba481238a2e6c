"""Normalizers made of others: filters before one, a second one after one that found nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from codeio.runtime.errors import Rejected
from codeio.v1.records_pb2 import Program, RawFile, Rejection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from codeio.runtime.records import Record
    from codeio.runtime.stage import Stage

_LONGEST_DETAIL = 300


class SourceFilter(Protocol):
    """Decides whether programs are to be made of a file (paper, section 2.1)."""

    async def judge(self, raw: RawFile, /) -> Mapping[str, float]:
        """Return what `Program.scores` is to hold of the file.

        Raises:
            Rejected: the file is not wanted.
            TransientError: the model or the sandbox failed.
        """
        ...


class FilteredNormalizer:
    """Passes files through filters, in order, before it normalises them.

    Programs that somebody normalised already are not filtered.
    """

    name = "normalizer"

    def __init__(self, normalizer: Stage, *, filters: Sequence[SourceFilter]) -> None:
        self._normalizer = normalizer
        self._filters = filters

    async def handle(self, raw: RawFile) -> AsyncIterator[Record]:
        """Yield what the normalizer makes of a file.

        Raises:
            Rejected: by a filter, or by the normalizer.
            TransientError: the model or the sandbox failed.
        """
        scores: dict[str, float] = {}
        if not raw.HasField("program"):
            for source_filter in self._filters:
                scores |= await source_filter.judge(raw)
        async for record in self._normalizer.handle(raw):
            if isinstance(record, Program):
                record.scores.update(scores)
            yield record


class StaticThenTeacher:
    """Asks the teacher only for files of which the static normalizer makes nothing."""

    name = "normalizer"

    def __init__(self, static: Stage, teacher: Stage) -> None:
        self._static = static
        self._teacher = teacher

    async def handle(self, raw: RawFile) -> AsyncIterator[Record]:
        """Yield the programs of a file.

        Raises:
            Rejected: neither makes a program of it, for the teacher's reason.
            TransientError: the model or the sandbox failed.
        """
        try:
            records = [record async for record in self._static.handle(raw)]
        except Rejected as refusal:
            if raw.HasField("program"):
                raise
            found = str(refusal)
        else:
            if any(isinstance(record, Program) for record in records):
                for record in records:
                    yield record
                return
            refusals = [record for record in records if isinstance(record, Rejection)]
            found = "; ".join(f"{refusal.reason}: {refusal.detail}" for refusal in refusals)
        try:
            async for record in self._teacher.handle(raw):
                yield record
        except Rejected as refusal:
            detail = f"{refusal.detail}; statically {found[:_LONGEST_DETAIL]}"
            raise Rejected(refusal.reason, detail) from refusal
