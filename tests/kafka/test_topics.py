"""Topics are made by a command that may be repeated, and are seen to before a stage begins."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from codeio.runtime.errors import UsageError
from codeio.runtime.kafka.topics import apply_topics, check_topics
from codeio.runtime.settings import KafkaSettings
from codeio.runtime.topics import DEAD_LETTERS, FLOWS, TOPICS

if TYPE_CHECKING:
    from kafka import KafkaAdminClient


@pytest.fixture
def settings(kafka: str) -> KafkaSettings:
    prefix = f"t{uuid.uuid4().hex[:8]}."
    return KafkaSettings(bootstrap_servers=kafka, prefix=prefix, replicas=1, partitions=2)


def described(admin: KafkaAdminClient, settings: KafkaSettings) -> dict[str, int]:
    found = admin.describe_topics([settings.prefix + name for name in TOPICS])
    return {
        entry["name"].removeprefix(settings.prefix): len(entry["partitions"]) for entry in found
    }


def test_all_topics_are_made_once(admin: KafkaAdminClient, settings: KafkaSettings) -> None:
    first = apply_topics(settings)
    assert set(first.created) == set(TOPICS)
    again = apply_topics(settings)
    assert (again.created, again.changed, set(again.kept)) == ((), (), set(TOPICS))
    expected = dict.fromkeys(TOPICS, 2) | {DEAD_LETTERS.name: 1}
    assert described(admin, settings) == expected
    for flow in FLOWS.values():
        check_topics(flow, settings)


def test_what_differs_is_mended(admin: KafkaAdminClient, settings: KafkaSettings) -> None:
    apply_topics(settings)
    name = f"{settings.prefix}codeio.samples"
    spoilt = ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": "1000"})
    admin.alter_configs([spoilt])
    more = settings.model_copy(update={"partitions": 3})
    applied = apply_topics(more)
    assert set(applied.changed) == set(TOPICS) - {DEAD_LETTERS.name}
    assert described(admin, settings)["codeio.samples"] == 3
    configs = admin.describe_configs([spoilt], config_filter="all")["topic"][name]
    assert configs["retention.ms"]["value"] == "-1"


def test_a_missing_topic_is_named(settings: KafkaSettings) -> None:
    with pytest.raises(UsageError, match=r"topic t.*codeio\.raw-files is missing.*topics apply"):
        check_topics(FLOWS["normalizer"], settings)


def test_too_few_partitions_are_told(settings: KafkaSettings) -> None:
    apply_topics(settings)
    more = settings.model_copy(update={"partitions": 5})
    with pytest.raises(UsageError, match=r"has 2 partitions, and kafka\.partitions asks for 5"):
        check_topics(FLOWS["verifier"], more)


def test_a_broker_that_is_not_there_is_told(settings: KafkaSettings) -> None:
    nowhere = settings.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    with pytest.raises(UsageError, match=r"no Kafka can be reached at 127\.0\.0\.1:1: .*REFUSED"):
        apply_topics(nowhere)
