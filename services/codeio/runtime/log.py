"""What the stages are joined by: an append-only log of topics, read by consumer groups.

The words are Kafka's, and so are the promises, so that a log in one file and a
log in a broker pass one contract suite:

- a topic is split into partitions; within one, messages have a fixed order and
  rising offsets, not always without gaps;
- a group reads each message for one of its members: a partition is assigned to
  one member at a time, and what an earlier holder polled is void from then on;
- a commit writes outputs and the positions they follow from together or not at
  all, and only while the partitions are still assigned to the one who commits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from codeio.runtime.errors import CodeioError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence


class LogError(CodeioError):
    """The log can no longer be read or written, as when the disk is full."""


class Revoked(CodeioError):
    """A partition is no longer assigned to the one who commits.

    All that was polled from it is void: its next holder, who may be the same one, begins
    behind what was written.
    """


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be appended to a topic."""

    topic: str
    key: bytes
    value: bytes
    headers: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        return _size(self)


@dataclass(frozen=True, slots=True)
class Partition:
    """One ordered part of a topic."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """A partition for as long as one member holds it without a break."""

    partition: Partition
    generation: int


@dataclass(frozen=True, slots=True)
class Position:
    """How far a group has read a partition."""

    offset: int
    """Offset of the next message to read."""
    metadata: str = ""
    """The group's own note, kept with the offset; at most 4,000 characters."""


@dataclass(frozen=True, slots=True)
class Message:
    """An entry in its place."""

    partition: Partition
    offset: int
    key: bytes
    value: bytes
    headers: Mapping[str, bytes]
    generation: int = 0
    """Of the assignment under which a member polled it; 0 when it was merely read."""

    @property
    def assignment(self) -> Assignment:
        return Assignment(self.partition, self.generation)

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        return _size(self)


def _size(one: Entry | Message) -> int:
    parts = (one.key, one.value, *one.headers, *one.headers.values())
    return sum(map(len, parts))


class Consumer(Protocol):
    """One member of a group."""

    @property
    def assignments(self) -> Mapping[Assignment, Position]:
        """Partitions held now, each with the position at which this member took it over.

        It changes inside `poll` and by a commit that raised `Revoked`, never in between.
        """
        ...

    @property
    def joined(self) -> bool:
        """Whether it is in its group at this moment."""
        ...

    @property
    def lag(self) -> int:
        """Messages in the held partitions that are not committed yet, as far as known."""
        ...

    async def poll(self, limit: int, *, paused: Collection[Assignment] = ()) -> list[Message]:
        """Wait for messages and return 1 to `limit` of them, each once.

        Messages of an earlier topic come before those of a later one, and those
        of a partition in order. Partitions in `paused` give none. With a limit
        of 0 it waits for `wake`. Empty when woken or when assignments changed.
        Cancelled, it may take messages with it that are given to the next member only.
        """
        ...

    def wake(self) -> None:
        """Make the waiting `poll`, or else the next one, return without waiting."""
        ...

    async def commit(
        self, positions: Mapping[Assignment, Position], outputs: Sequence[Entry]
    ) -> None:
        """Write the outputs and the positions in one transaction.

        Raises:
            Revoked: one of the assignments is no longer held.
            LogError: the log failed; whether the commit was written is unknown.
        """
        ...

    async def close(self) -> None:
        """Leave the group; what was polled and not committed is given to others.

        Raises:
            LogError: the log failed, and nobody has been told.
        """
        ...


class Log(Protocol):
    """The topics of one system."""

    async def append(self, entries: Sequence[Entry]) -> None:
        """Write all entries, in order, or none."""
        ...

    async def subscribe(self, group: str, topics: Sequence[str]) -> Consumer:
        """Join a group that reads these topics, the most urgent first."""
        ...

    def read(self, topic: str) -> AsyncIterator[Message]:
        """Yield what the topic holds at the start of the call, outside any group."""
        ...

    async def ends(self, topics: Sequence[str]) -> dict[Partition, int]:
        """Return the offset that the next message of each partition will have."""
        ...

    async def committed(self, group: str, topics: Sequence[str]) -> dict[Partition, Position]:
        """Return how far a group has come; partitions without a commit are left out."""
        ...

    async def close(self) -> None: ...
