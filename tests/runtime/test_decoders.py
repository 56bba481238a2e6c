"""Whatever bytes come, decoders give a record or the error that they name, never another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codeio.runtime.log import Message, Partition
from codeio.runtime.policy import Policy
from codeio.runtime.records import origin_of, record_id
from codeio.runtime.settings import WorkerSettings
from codeio.runtime.sizes import MAX_DEAD_LETTER_BYTES
from codeio.runtime.topics import DEAD_LETTERS, SCHEMA_HEADER, TOPICS, TYPE_HEADER, Topic
from codeio.runtime.worker import Tally
from codeio.v1.records_pb2 import DeadLetter

TYPES = [topic.kind.DESCRIPTOR.full_name.encode() for topic in TOPICS.values()]
KEYS = st.binary(max_size=40)
HEADERS = st.dictionaries(
    st.sampled_from([TYPE_HEADER, SCHEMA_HEADER, "traceparent", "\x00é", ""]),
    st.sampled_from([b"1", b"2", b"", b"\xff", *TYPES]) | st.binary(max_size=20),
)
EACH = pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS.keys())


def decoded(topic: Topic, message: Message) -> Any:
    try:
        return topic.decode(message)
    except ValueError:
        return None


def ours(topic: Topic, value: bytes, key: bytes) -> Message:
    """Return a message that only its value and key may give away."""
    headers = {TYPE_HEADER: topic.kind.DESCRIPTOR.full_name.encode(), SCHEMA_HEADER: b"1"}
    return Message(Partition(topic.name, 0), 0, key, value, headers)


@EACH
@given(key=KEYS, value=st.binary(max_size=200), headers=HEADERS)
def test_any_message_is_a_record_or_a_value_error(
    topic: Topic, key: bytes, value: bytes, headers: dict[str, bytes]
) -> None:
    for message in (
        Message(Partition(topic.name, 0), 0, key, value, headers),
        ours(topic, value, key),
    ):
        record = decoded(topic, message)
        if record is not None:
            record_id(record)
            origin_of(record)
            assert topic.encode(record).key == message.key


@EACH
@given(data=st.data())
def test_a_record_with_a_bit_turned_is_a_record_or_a_value_error(
    topic: Topic, data: st.DataObject
) -> None:
    record = topic.kind()
    for field in record.DESCRIPTOR.fields:
        if field.type == field.TYPE_STRING and not field.is_repeated:
            setattr(record, field.name, data.draw(st.text(max_size=10)))
    entry = topic.encode(record)
    assert decoded(topic, ours(topic, entry.value, entry.key)) == record
    value = bytearray(entry.value or b"\x00")
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    decoded(topic, ours(topic, bytes(value), entry.key))


@given(text=st.text() | st.binary().map(lambda raw: raw.decode(errors="surrogateescape")))
@example(text="[" * 100_000)
@example(text="1" * 5000)
@example(text="")
def test_any_note_at_a_position_is_a_tally(text: str) -> None:
    assert Tally.from_metadata(text) + Tally() == Tally.from_metadata(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(note=st.dictionaries(st.sampled_from([*Tally.__slots__, "of a newer version"]), JSON) | JSON)
@example(note={"read": 10**400})
@example(note={"read": float("nan")})
@example(note={"read": -1, "written": 1})
def test_any_json_at_a_position_is_a_tally_that_can_be_shown(note: Any) -> None:
    tally = Tally.from_metadata(json.dumps(note))
    assert min(tally.read, tally.written, tally.seconds) >= 0
    assert tally.written / (tally.read or 1) >= 0
    assert len(tally.to_metadata()) < 4000


@given(tally=st.builds(Tally, *[st.integers(0, 1 << 52)] * 5, st.floats(0, 1e12, allow_nan=False)))
def test_a_tally_comes_back_from_its_note(tally: Tally) -> None:
    assert Tally.from_metadata(tally.to_metadata()) == tally
    newer = json.loads(tally.to_metadata()) | {"of a newer version": 1}
    assert Tally.from_metadata(json.dumps(newer)) == tally


@given(key=KEYS, value=st.binary(max_size=200), headers=HEADERS, error=st.text())
def test_any_message_fits_into_a_dead_letter_and_comes_back(
    key: bytes, value: bytes, headers: dict[str, bytes], error: str
) -> None:
    message = Message(Partition("codeio.tasks", 3), 7, key, value, headers)
    policy = Policy("cot-generator", WorkerSettings())
    letter = policy.judge(ValueError(error), message=message, record=None, attempt=2)
    assert isinstance(letter, DeadLetter)
    entry = DEAD_LETTERS.encode(letter)
    back = DEAD_LETTERS.decode(
        Message(Partition(DEAD_LETTERS.name, 0), 0, entry.key, entry.value, entry.headers)
    )
    assert back == letter
    assert (letter.key, letter.value, dict(letter.headers)) == (key, value, headers)
    assert (letter.topic, letter.partition, letter.offset) == ("codeio.tasks", 3, 7)
    assert (letter.attempts, letter.cut) == (2, False)


SIZES = st.sampled_from([0, 1, 1 << 10, 2 << 20, 4 << 20, (4 << 20) + (60 << 10), 5 << 20])


@given(key=SIZES, value=SIZES, header=SIZES, count=st.sampled_from([0, 1, 1000]))
@example(key=0, value=0, header=0, count=300_000)
def test_a_dead_letter_is_never_larger_than_its_topic_takes(
    key: int, value: int, header: int, count: int
) -> None:
    headers = {f"h{number}": b"" for number in range(count)} | {"h": bytes(header)}
    message = Message(Partition("codeio.tasks", 0), 0, bytes(key), bytes(value), headers)
    policy = Policy("cot-generator", WorkerSettings())
    letter = policy.judge(ValueError("\udcff" * 10_000), message=message, record=None, attempt=1)
    assert isinstance(letter, DeadLetter)
    assert DEAD_LETTERS.encode(letter).size < MAX_DEAD_LETTER_BYTES - 1000
    assert letter.cut or (letter.key, letter.value) == (message.key, message.value)
