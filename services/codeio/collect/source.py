"""What a source is: something that can be checked, and then gives items in a fixed order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeio.v1.records_pb2 import Program, RawFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file or row as it was found, before the filters."""

    location: str
    """Names the item uniquely within its source: a path, or `line 7`."""
    path: str
    content: str | bytes
    licence: str = ""
    """SPDX expression or another name; empty when unknown."""
    repository: str = ""
    program: Program | None = None
    """Set when the row holds a program; its id and origin are still to be filled in."""
    record: RawFile | None = None
    """Set when the row is a RawFile record of an earlier collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A file or row of which no content could be had."""

    location: str
    path: str
    reason: str
    detail: str
    licence: str = ""
    repository: str = ""


class Source(Protocol):
    """One SOURCE of the user."""

    @property
    def name(self) -> str:
        """The SOURCE as the user wrote it."""
        ...

    @property
    def keeps_unknown_licence(self) -> bool:
        """What `unknown_licence: auto` means here."""
        ...

    def check(self) -> None:
        """Make sure that the source can be read; what is remote is fetched or listed.

        Raises:
            UsageError: it cannot; the message says what to do.
        """
        ...

    def items(self) -> Iterator[Candidate | Unusable]:
        """Yield all items, in the same order each time.

        Raises:
            UsageError: the source broke while it was read.
        """
        ...
