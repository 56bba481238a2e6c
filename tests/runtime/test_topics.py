"""The topics and flows are those of the design, and carry records unchanged."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from codeio.runtime.log import Message, Partition
from codeio.runtime.records import record_id
from codeio.runtime.topics import ATTEMPTS, DEAD_LETTERS, FLOWS, REVISIONS, TASKS, TOPICS
from codeio.v1.records_pb2 import Attempt, DeadLetter, Rejection


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS.keys())
def test_every_topic_gives_back_what_it_was_given(topic) -> None:  # type: ignore[no-untyped-def]
    record = topic.kind()
    entry = topic.encode(record)
    assert re.fullmatch(r"codeio\.[a-z-]+", entry.topic)
    message = Message(Partition(entry.topic, 0), 0, entry.key, entry.value, entry.headers)
    assert topic.decode(message) == record


@pytest.mark.parametrize("version", [b"2", b"0", b"", b"x", b"\xff"])
def test_a_record_of_another_version_of_the_contract_is_refused(version: bytes) -> None:
    entry = TASKS.encode(TASKS.kind())
    headers = {**entry.headers, "schema": version}
    message = Message(Partition(entry.topic, 0), 0, entry.key, entry.value, headers)
    with pytest.raises(ValueError, match=r"of version .* of the contract.*upgrade"):
        TASKS.decode(message)


def test_turns_of_one_sample_have_keys_of_their_own() -> None:
    attempt = Attempt(sample_id="s")
    keys = set()
    for _ in range(3):
        attempt.turns.add()
        keys.add(ATTEMPTS.encode(attempt).key)
    assert keys == {b"s/1", b"s/2", b"s/3"}


def test_a_dead_letter_keeps_the_key_of_what_it_holds() -> None:
    assert DEAD_LETTERS.encode(DeadLetter(key=b"\xff", topic="t")).key == b"\xff"


def test_a_rejection_is_keyed_by_record_and_stage() -> None:
    rejection = Rejection(record_id="r", stage="executor")
    assert TOPICS["codeio.rejections"].encode(rejection).key == record_id(rejection).encode()


def test_equal_records_have_equal_bytes() -> None:
    forwards, backwards = DeadLetter(), DeadLetter()
    for name in ("a", "b", "c"):
        forwards.headers[name] = b""
    for name in ("c", "b", "a"):
        backwards.headers[name] = b""
    assert DEAD_LETTERS.encode(forwards) == DEAD_LETTERS.encode(backwards)


def test_revisions_go_before_new_tasks() -> None:
    assert FLOWS["cot-generator"].consumes == (REVISIONS, TASKS)


def test_each_topic_between_stages_is_written_and_read() -> None:
    read = {topic.name for flow in FLOWS.values() for topic in flow.consumes}
    written = {topic.name for flow in FLOWS.values() for topic in flow.produces}
    assert read - written == {"codeio.raw-files"}
    assert written - read == {"codeio.executions", "codeio.samples"}


def test_what_a_data_set_is_made_of_is_kept_for_ever() -> None:
    kept = {name for name, topic in TOPICS.items() if topic.retention is None}
    assert kept == {
        "codeio.raw-files",
        "codeio.executions",
        "codeio.samples",
        "codeio.rejections",
    }
    assert DEAD_LETTERS.retention == timedelta(days=90)
