"""The topics, what they hold, and which stage reads and writes which."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from codeio.runtime.log import Entry, Message
from codeio.runtime.records import Record, record_key
from codeio.v1.records_pb2 import (
    Attempt,
    DeadLetter,
    ExecutedProgram,
    PredictionTask,
    Program,
    RawFile,
    Rejection,
    Sample,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPE_HEADER = "type"
"""Header that holds the full name of the protobuf message in the value."""

SCHEMA_HEADER = "schema"
"""Header that holds the version of the contract, a number; none is the first."""

SCHEMA_VERSION = 1
"""Raised by what an older reader would get wrong; new fields do not raise it."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of one kind of record."""

    name: str
    kind: type[Record]
    key: str
    """What the key of a message is, in words."""
    retention: timedelta | None
    """How long messages are kept; None: for ever. The log of one run keeps all of them."""

    def encode(self, record: Record) -> Entry:
        """Return the record as it is appended to this topic.

        A dead letter goes under the key of the message that it holds, and
        fields are written in order, so that the same record gives the same bytes.
        """
        return Entry(
            self.name,
            _key(record),
            record.SerializeToString(deterministic=True),
            {
                TYPE_HEADER: record.DESCRIPTOR.full_name.encode(),
                SCHEMA_HEADER: b"%d" % SCHEMA_VERSION,
            },
        )

    def decode(self, message: Message) -> Record:
        """Return the record in a message of this topic.

        Raises:
            ValueError: it holds another kind of record, or none, or one of a newer contract,
                or its key is not the record's.
        """
        version = message.headers.get(SCHEMA_HEADER, b"1")
        if version != b"%d" % SCHEMA_VERSION:
            raise ValueError(
                f"the record is of version {version.decode(errors='replace')!r} of the contract, "
                f"and this codeio reads {SCHEMA_VERSION}; upgrade it"
            )
        expected = self.kind.DESCRIPTOR.full_name
        named = message.headers.get(TYPE_HEADER, b"").decode(errors="replace")
        if named != expected:
            raise ValueError(f"{self.name} holds {expected}, not {named or 'an unnamed type'}")
        try:
            record = self.kind.FromString(message.value)
        except DecodeError as error:
            raise ValueError(f"the value is not a {expected}: {error}") from error
        # The key chose the partition: under another, what is told of one record is in two.
        if message.key != (key := _key(record)):
            raise ValueError(f"the key is {_shown(message.key)}, and the record's is {_shown(key)}")
        return record


def _key(record: Record) -> bytes:
    return record.key if isinstance(record, DeadLetter) else record_key(record).encode()


def _shown(key: bytes) -> str:
    return f"{key[:_KEY_SHOWN]!r}{'...' if len(key) > _KEY_SHOWN else ''}"


_KEY_SHOWN = 100
_FOR_EVER = None
_TWO_WEEKS = timedelta(days=14)

RAW_FILES = Topic("codeio.raw-files", RawFile, "sha256 of the content", _FOR_EVER)
PROGRAMS = Topic("codeio.programs", Program, "program id", _TWO_WEEKS)
EXECUTIONS = Topic("codeio.executions", ExecutedProgram, "program id", _FOR_EVER)
TASKS = Topic("codeio.tasks", PredictionTask, "task id", _TWO_WEEKS)
ATTEMPTS = Topic("codeio.attempts", Attempt, "sample id and number of turns", _TWO_WEEKS)
REVISIONS = Topic("codeio.revisions", Attempt, "sample id and number of turns", _TWO_WEEKS)
SAMPLES = Topic("codeio.samples", Sample, "sample id", _FOR_EVER)
REJECTIONS = Topic("codeio.rejections", Rejection, "record id and stage", _FOR_EVER)
DEAD_LETTERS = Topic("codeio.dead-letters", DeadLetter, "original key", timedelta(days=90))

TOPICS: Mapping[str, Topic] = {
    topic.name: topic
    for topic in (
        RAW_FILES,
        PROGRAMS,
        EXECUTIONS,
        TASKS,
        ATTEMPTS,
        REVISIONS,
        SAMPLES,
        REJECTIONS,
        DEAD_LETTERS,
    )
}


@dataclass(frozen=True, slots=True)
class Flow:
    """What a stage reads and where its records go. Any stage may reject and break."""

    stage: str
    consumes: tuple[Topic, ...]
    """The most urgent first."""
    produces: tuple[Topic, ...]

    def topic_for(self, record: Record) -> Topic:
        """Return where a record goes that the stage yielded.

        Raises:
            TypeError: the stage has no business yielding such a record.
        """
        for topic in (*self.produces, REJECTIONS):
            if type(record) is topic.kind:
                return topic
        raise TypeError(f"stage {self.stage} yielded a {type(record).__name__}")


FLOWS: Mapping[str, Flow] = {
    flow.stage: flow
    for flow in (
        Flow("normalizer", consumes=(RAW_FILES,), produces=(PROGRAMS,)),
        Flow("executor", consumes=(PROGRAMS,), produces=(EXECUTIONS, TASKS)),
        # Revisions first: an attempt that was begun is finished before new ones
        # are, so the number of open ones stays small.
        Flow("cot-generator", consumes=(REVISIONS, TASKS), produces=(ATTEMPTS,)),
        Flow("verifier", consumes=(ATTEMPTS,), produces=(SAMPLES, REVISIONS)),
    )
}
