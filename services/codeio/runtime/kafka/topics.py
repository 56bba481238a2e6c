"""What the topics are on the broker, and that they are there.

| setting               | value              | reason                                            |
|-----------------------|--------------------|---------------------------------------------------|
| partitions            | `kafka.partitions` | one is read by one replica at a time              |
|                       | dead letters: 1    | they are few, and wanted in order                 |
| replicas              | `kafka.replicas`   | a broker may be lost                              |
| `min.insync.replicas` | one less, 1 or up  | and while one is lost, nothing waits              |
| `retention.ms`        | as the topic says  | see `runtime.topics`                              |
| `retention.bytes`     | no limit           | what is kept for ever is not to be cut off        |
| `cleanup.policy`      | `delete`           | readers collapse a record that came twice         |
| `max.message.bytes`   | `runtime.sizes`    | clients hold themselves to the same               |
| `compression.type`    | `lz4`              | as ours write; others' batches are made so        |
| `message.timestamp.type` | `LogAppendTime` | no writer's clock decides what is kept, or taken  |
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions
from kafka.errors import (
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from codeio.runtime.errors import UsageError
from codeio.runtime.kafka.connection import (
    client_options,
    missing_right,
    missing_topic,
    open_client,
    reaching,
)
from codeio.runtime.sizes import MAX_DEAD_LETTER_BYTES, MAX_MESSAGE_BYTES
from codeio.runtime.topics import DEAD_LETTERS, REJECTIONS, TOPICS, Flow, Topic
from kafka import KafkaAdminClient

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codeio.runtime.settings import KafkaSettings

_NO_LIMIT = "-1"
_TOPIC_SECONDS = 30.0
_NEWS_SECONDS = 5.0
_POLL_SECONDS = 0.2
_READ, _WRITE = "READ", "WRITE"


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of the topics."""

    created: tuple[str, ...]
    changed: tuple[str, ...]
    kept: tuple[str, ...]


def apply_topics(settings: KafkaSettings) -> Applied:
    """Create the topics that are missing and mend those that differ; again, it does nothing.

    Partitions are added but never taken away, and a topic's number of replicas stays.

    Raises:
        UsageError: the broker cannot be reached, or refuses.
    """
    with reaching(settings):
        admin = open_client(KafkaAdminClient, client_options(settings))
        try:
            return _apply(admin, settings)
        finally:
            admin.close()


def _apply(admin: KafkaAdminClient, settings: KafkaSettings) -> Applied:
    for entry in admin.describe_topics([settings.prefix + name for name in TOPICS]):
        # Of what may not be seen it is not even said whether it is there.
        if entry["error_code"] == TopicAuthorizationFailedError.errno:
            raise UsageError(missing_right(settings, "DESCRIBE", f"topic {entry['name']}"))
    there = _described(admin, settings, TOPICS.values())
    missing = [topic for topic in TOPICS.values() if topic.name not in there]
    if missing:
        wanted = {
            settings.prefix + topic.name: {
                "num_partitions": _partitions(topic, settings),
                "replication_factor": settings.replicas,
                "configs": topic_configs(topic, replicas=settings.replicas),
            }
            for topic in missing
        }
        _create(admin, wanted, settings)
        admin.wait_for_topics(list(wanted), timeout_ms=_TOPIC_SECONDS * 1000)
    changed = {
        topic.name
        for topic in TOPICS.values()
        if topic.name in there and _mend(admin, topic, there[topic.name], settings)
    }
    return Applied(
        created=tuple(topic.name for topic in missing),
        changed=tuple(sorted(changed)),
        kept=tuple(sorted(there.keys() - changed)),
    )


def _create(
    admin: KafkaAdminClient, wanted: dict[str, dict[str, Any]], settings: KafkaSettings
) -> None:
    for made in admin.create_topics(wanted, raise_errors=False)["topics"]:
        match for_code(made["error_code"])(made.get("error_message")):
            case NoError() | TopicAlreadyExistsError():  # another may apply topics as well
                continue
            case TopicAuthorizationFailedError():
                raise UsageError(missing_right(settings, "CREATE", f"topic {made['name']}"))
            case error:
                raise UsageError(f"the broker makes no topic {made['name']}: {error}")


def _mend(
    admin: KafkaAdminClient, topic: Topic, found: dict[str, Any], settings: KafkaSettings
) -> bool:
    """Tell whether the topic was not as it is declared; it is now."""
    name, wanted = settings.prefix + topic.name, _partitions(topic, settings)
    few = len(found["partitions"]) < wanted
    if few:
        _demand("ALTER", name, found, settings)
        admin.create_partitions({name: NewPartitions(wanted)})
    _demand("DESCRIBE_CONFIGS", name, found, settings)
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    configs = admin.describe_configs([resource], config_filter="all")["topic"][name]
    has = {key: entry["value"] for key, entry in configs.items()}
    declared = topic_configs(topic, replicas=settings.replicas)
    differing = {k: v for k, v in declared.items() if has.get(k) != v}
    if differing:
        _demand("ALTER_CONFIGS", name, found, settings)
        altered = ConfigResource(ConfigResourceType.TOPIC, name, differing)
        outcome = admin.alter_configs([altered])["topic"][name]
        if outcome != "OK":
            raise UsageError(f"the broker does not change topic {name}: {outcome}")
    return few or bool(differing)


def _demand(right: str, name: str, found: dict[str, Any], settings: KafkaSettings) -> None:
    """See that a topic may be used so.

    F14: of what is refused the library does not always say so.

    Raises:
        UsageError: it may not.
    """
    rights = found.get("authorized_operations")
    if rights is not None and right not in rights:
        raise UsageError(missing_right(settings, right, f"topic {name}"))


def check_topics(flow: Flow, settings: KafkaSettings) -> None:
    """See that a stage finds its topics and may use them.

    A reader without the right to read is told nothing by the broker, ever.

    Raises:
        UsageError: a topic is missing, has too few partitions, or a right is missing.
    """
    with reaching(settings):
        admin = open_client(KafkaAdminClient, client_options(settings))
        try:
            wanted = {topic.name: _READ for topic in flow.consumes}
            # Who reads nothing has nothing that may break it.
            refused = (REJECTIONS, DEAD_LETTERS) if flow.consumes else (REJECTIONS,)
            wanted |= dict.fromkeys((topic.name for topic in (*flow.produces, *refused)), _WRITE)
            there = _awaited(admin, settings, [TOPICS[name] for name in wanted])
        finally:
            admin.close()
    for name, right in wanted.items():
        shown = settings.prefix + name
        if name not in there:
            raise UsageError(missing_topic(settings, shown))
        found = there[name]
        _demand(right, shown, found, settings)
        count, least = len(found["partitions"]), _partitions(TOPICS[name], settings)
        if count < least:
            raise UsageError(
                f"topic {shown} has {count} partitions, and kafka.partitions asks for {least}; "
                "run `codeio topics apply`, or set kafka.partitions"
            )


def _awaited(
    admin: KafkaAdminClient, settings: KafkaSettings, topics: Sequence[Topic]
) -> dict[str, dict[str, Any]]:
    """Return the topics that are there; of one that was just made not every broker has heard."""
    until = time.monotonic() + _NEWS_SECONDS
    while True:
        there = _described(admin, settings, topics)
        if len(there) == len(topics) or time.monotonic() > until:
            return there
        time.sleep(_POLL_SECONDS)


def _described(
    admin: KafkaAdminClient, settings: KafkaSettings, topics: Iterable[Topic]
) -> dict[str, dict[str, Any]]:
    names = [settings.prefix + topic.name for topic in topics]
    found = admin.describe_topics(names)
    return {
        entry["name"].removeprefix(settings.prefix): entry
        for entry in found
        if not entry["error_code"]
    }


def _partitions(topic: Topic, settings: KafkaSettings) -> int:
    return 1 if topic is DEAD_LETTERS else settings.partitions


def topic_configs(topic: Topic, *, replicas: int) -> dict[str, str]:
    """Return the settings of a topic that so many brokers hold."""
    kept = topic.retention
    return {
        "cleanup.policy": "delete",
        "compression.type": "lz4",
        "max.message.bytes": str(
            MAX_DEAD_LETTER_BYTES if topic is DEAD_LETTERS else MAX_MESSAGE_BYTES
        ),
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(max(1, replicas - 1)),
        "retention.bytes": _NO_LIMIT,
        "retention.ms": _NO_LIMIT if kept is None else str(round(kept.total_seconds() * 1000)),
    }
