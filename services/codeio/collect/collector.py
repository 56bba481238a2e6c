"""The first stage: from the sources that a user names to raw files and refusals."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from codeio.collect import licences
from codeio.collect.benchmarks import Benchmarks
from codeio.collect.cache import Cache
from codeio.collect.duplicates import SeenContents
from codeio.collect.python_text import decode, modernise
from codeio.collect.source import Candidate, Source, Unusable
from codeio.collect.sources import FORMS, open_source
from codeio.runtime.errors import Rejected, UsageError
from codeio.runtime.records import file_id, origin_of, program_id
from codeio.v1.records_pb2 import Origin, Program, RawFile, Rejection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codeio.runtime.settings import CollectSettings

STAGE = "collect"


class Collector:
    """Reads sources and lets through what the filters allow, in a fixed order."""

    def __init__(
        self,
        settings: CollectSettings,
        *,
        limit: int | None = None,
        cache: Path | None = None,
    ) -> None:
        """Prepare a collection.

        Args:
            settings: what counts as usable.
            limit: how many files or rows are looked at, over all sources,
                whether they are then accepted or refused.
            cache: folder in which fetched sources stay, so that a resumed run
                sees the same bytes; without one they are fetched anew by each
                collector.
        """
        self.settings = settings
        self.limit = limit
        if cache is None:
            cache = Path(tempfile.mkdtemp(prefix="codeio-sources-"))
            weakref.finalize(self, shutil.rmtree, cache, ignore_errors=True)
        self._cache = Cache(cache)

    def check(self, sources: Sequence[str]) -> None:
        """Make sure that all sources and benchmark files can be read; remote ones are fetched.

        Raises:
            UsageError: one cannot; the message says which and what to do.
        """
        self._checked(sources)

    def collect(
        self, sources: Sequence[str], *, skip: int = 0
    ) -> Iterator[tuple[int, RawFile | Rejection]]:
        """Yield each item's position and what became of it.

        Positions count all items from 1 in an order that does not change. The
        first `skip` are not yielded again, yet take part in finding duplicates,
        so the rest is what an uninterrupted collection gives.

        Raises:
            UsageError: a source cannot be read; before the first item if it can be known then.
        """
        checked = self._checked(sources)
        benchmarks = Benchmarks(self.settings.benchmarks)
        position = 0
        with SeenContents() as seen:
            for source in checked:
                for item in source.items():
                    if self.limit is not None and position >= self.limit:
                        return
                    position += 1
                    outcome = self._outcome(
                        source, item, seen, benchmarks if position > skip else None
                    )
                    if position > skip:
                        yield position, outcome

    def _checked(self, sources: Sequence[str]) -> list[Source]:
        if not sources:
            raise UsageError(f"no source is named; name {FORMS}")
        for path in self.settings.benchmarks:
            if not path.is_file():
                raise UsageError(f"there is no benchmark file {path}; check collect.benchmarks")
        opened = [
            open_source(name, cache=self._cache, max_bytes=self.settings.max_bytes)
            for name in sources
        ]
        for source in opened:
            source.check()
        return opened

    def _outcome(
        self,
        source: Source,
        item: Candidate | Unusable,
        seen: SeenContents,
        benchmarks: Benchmarks | None,
    ) -> RawFile | Rejection:
        """Return what becomes of an item; without benchmarks only as far as duplicates need it."""
        try:
            record = self._screened(source, item, seen)
            return record if benchmarks is None else _finished(record, benchmarks)
        except Rejected as refusal:
            return _rejection(source, item, refusal)

    def _screened(self, source: Source, item: Candidate | Unusable, seen: SeenContents) -> RawFile:
        """Apply the filters that are cheap enough to be repeated for skipped items.

        Raises:
            Rejected: one of them refuses the item.
        """
        if isinstance(item, Unusable):
            raise Rejected(item.reason, item.detail)
        self._refuse_large(item.content)
        text = decode(item.content)
        self._refuse_large(text)
        licence = licences.from_header(text) or item.licence
        self._refuse_licence(licence, source)
        record = _raw_file(source, item, text, licence)
        if not seen.add(record.file_id):
            raise Rejected("duplicate", "the same content was taken in before")
        return record

    def _refuse_large(self, content: str | bytes) -> None:
        # A text has at least as many bytes as characters: most need no encoding.
        size = len(content)
        if isinstance(content, str) and size <= self.settings.max_bytes < 4 * size:
            size = len(content.encode(errors="replace"))
        if size > self.settings.max_bytes:
            raise Rejected("too_large", f"it has more than {self.settings.max_bytes} bytes")

    def _refuse_licence(self, licence: str, source: Source) -> None:
        if licence:
            if not licences.is_allowed(licence, self.settings.licences):
                raise Rejected(f"licence:{licence}", f"{licence} is not on the list of licences")
            return
        policy = self.settings.unknown_licence
        if policy == "refuse" or (policy == "auto" and not source.keeps_unknown_licence):
            raise Rejected("unknown_licence", "no licence is stated that is known")


def _raw_file(source: Source, item: Candidate, text: str, licence: str) -> RawFile:
    record = RawFile()
    if item.record is not None:
        record.CopyFrom(item.record)
    else:
        record.source = source.name
        record.path = item.path
        record.repository = item.repository
        if item.program is not None:
            record.program.CopyFrom(item.program)
    record.file_id = file_id(text)
    record.content = text
    record.licence = licence
    return record


def _finished(record: RawFile, benchmarks: Benchmarks) -> RawFile:
    """Bring the code to Python 3 and complete the record.

    Raises:
        Rejected: it is no Python, or shares 13 tokens with a benchmark.
    """
    content = modernise(record.content)
    if content != record.content:
        record.content = content
        record.file_id = file_id(content)
    told = (content, record.program.problem_statement, record.program.io_description)
    shared = next(filter(None, map(benchmarks.shared_with, filter(None, told))), None)
    if shared is not None:
        raise Rejected("contaminated", f"it shares with a benchmark: {shared}")
    if record.HasField("program"):
        _complete(record.program, record)
    return record


def _complete(program: Program, record: RawFile) -> None:
    program.code = record.content
    program.origin.CopyFrom(origin_of(record))
    program.origin.unit = program.entry_point
    program.program_id = program_id(
        code=program.code, entry_point=program.entry_point, origin=program.origin
    )


def _rejection(source: Source, item: Candidate | Unusable, refusal: Rejected) -> Rejection:
    # Named by its place, not by its content: a duplicate must not be taken for
    # the file that was accepted.
    place = hashlib.sha256(f"{source.name}\n{item.location}".encode(errors="replace"))
    return Rejection(
        record_id=place.hexdigest()[:32],
        stage=STAGE,
        reason=refusal.reason,
        detail=_printable(refusal.detail),
        origin=Origin(
            source=source.name,
            path=_printable(item.path),
            licence=_printable(item.licence),
            repository=_printable(item.repository),
        ),
    )


def _printable(text: str) -> str:
    return text.encode(errors="replace").decode()
