"""Record files: JSON Lines in protobuf's JSON mapping, `.zst` and `.gz` as such, `-` for pipes."""

from __future__ import annotations

import gzip
import io
import json
import sys
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import zstandard
from google.protobuf import json_format

from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message

M = TypeVar("M", bound="Message")


def to_json(record: Message) -> str:
    """Return the record as one line of JSON: proto field names, defaults printed."""
    fields = json_format.MessageToDict(
        record, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return json.dumps(fields, ensure_ascii=False)


def from_json(line: str, kind: type[M]) -> M:
    """Parse one line; fields of later versions are ignored.

    Raises:
        ValueError: the line is not a record of this kind.
    """
    try:
        return json_format.Parse(line, kind(), ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise ValueError(str(error)) from error


@contextmanager
def open_text(path: str | Path) -> Iterator[IO[str]]:
    """Open a text file for reading, decompressed by its ending.

    Raises:
        UsageError: it is missing or unreadable.
    """
    with open_bytes(path) as stream:
        yield io.TextIOWrapper(stream, encoding="utf-8", errors="strict", newline="\n")


@contextmanager
def open_bytes(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes, decompressed by its ending.

    Raises:
        UsageError: it is missing, unreadable or damaged, then or while it is read.
    """
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    path = Path(path)
    try:
        with _decompressed(path) as stream:
            yield io.BufferedReader(stream)  # type: ignore[type-var]
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (zstandard.ZstdError, zlib.error, EOFError) as error:
        raise UsageError(f"cannot read {path}: it is damaged ({error})") from error


@dataclass(frozen=True)
class BadLine:
    """A line that holds no record, and what is wrong with it."""

    number: int
    complaint: str


def read_lines(path: str | Path, kind: type[M]) -> Iterator[M | BadLine]:
    """Yield a record, or what is wrong, for each line of a file that is not empty.

    Raises:
        UsageError: the file cannot be read.
    """
    with open_bytes(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = from_json(line.decode(), kind)
            except ValueError as error:
                yield BadLine(number, str(error))
                continue
            if record.ByteSize():
                yield record
            else:
                yield BadLine(number, f"it has none of the fields of a {kind.__name__}")


def read_records(path: str | Path, kind: type[M]) -> Iterator[M]:
    """Yield the records of a file in order.

    Raises:
        UsageError: the file cannot be read, or a line is not such a record.
    """
    for line in read_lines(path, kind):
        if isinstance(line, BadLine):
            raise UsageError(
                f"{path}, line {line.number} is not a {kind.__name__} record: {line.complaint}"
            )
        yield line


@contextmanager
def write_records(path: str | Path) -> Iterator[Callable[[Message], None]]:
    """Give a function that writes one record.

    The file appears under its name when all is written, and not at all after
    an error, so that no reader meets half of it. A device or a pipe is written
    to as it is.

    Raises:
        UsageError: the file cannot be written.
    """
    if str(path) == "-":
        yield lambda record: print(to_json(record), file=sys.stdout)  # noqa: T201
        return
    path = Path(path)
    replaced = path.is_file() or not path.exists()
    target = path.with_name(f".{path.name}.partial") if replaced else path
    with ExitStack() as stack:
        with _blaming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            stream = stack.enter_context(_compressed(target, path.suffix))

        def write(record: Message) -> None:
            with _blaming(path):
                stream.write(to_json(record).encode() + b"\n")

        try:
            yield write
            with _blaming(path):
                stack.close()
                if replaced:
                    target.replace(path)
        finally:
            if replaced:
                target.unlink(missing_ok=True)


@contextmanager
def write_rejections(path: str | Path) -> Iterator[Callable[[Message], None]]:
    """Give a function that writes what was refused on the way to `path`, beside it.

    Beside standard output, a device or a pipe there is no place; the caller's
    counts must do.
    """
    path = Path(path)
    if str(path) == "-" or (path.exists() and not path.is_file()):
        yield lambda _: None
        return
    name = path.name
    for ending in (".zst", ".gz", ".jsonl", ".json"):
        name = name.removesuffix(ending)
    with write_records(path.with_name(f"{name}.rejections.jsonl")) as write:
        yield write


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def _decompressed(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as raw:
        if path.suffix == ".zst":
            with zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as stream:
                yield stream
        elif path.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as stream:
                yield stream  # type: ignore[misc]
        else:
            yield raw


@contextmanager
def _compressed(path: Path, suffix: str) -> Iterator[IO[bytes]]:
    with path.open("wb") as raw:
        if suffix == ".zst":
            with zstandard.ZstdCompressor(level=6).stream_writer(raw, closefd=False) as stream:
                yield stream
        elif suffix == ".gz":
            # No time and no name in the header: the same records, the same bytes.
            with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as stream:
                yield stream  # type: ignore[misc]
        else:
            yield raw
