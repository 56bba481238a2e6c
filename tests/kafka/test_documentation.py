"""docs/kafka.md says of the topics what the code makes of them."""

from __future__ import annotations

import re
from pathlib import Path

from codeio.runtime.kafka import topics as kafka_topics
from codeio.runtime.settings import KafkaSettings
from codeio.runtime.topics import FLOWS, TOPICS

PAGE = (Path(__file__).parents[2] / "docs" / "kafka.md").read_text()
SOURCES = "".join(
    path.read_text() for path in Path(kafka_topics.__file__).parent.glob("*.py")
) + "".join(path.read_text() for path in Path(kafka_topics.__file__).parents[1].glob("worker.py"))


def rows(heading: str) -> list[list[str]]:
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = re.findall(r"^\| (.+) \|$", section, re.MULTILINE)
    return [[cell.strip() for cell in line.split(" | ")] for line in lines]


def test_each_topic_stands_there_with_its_key_and_retention() -> None:
    told = {cells[0].strip("`"): cells[1:] for cells in rows("Topics") if len(cells) == 3}
    for topic in TOPICS.values():
        kept = "for ever" if topic.retention is None else f"{topic.retention.days} days"
        assert told[topic.name] == [topic.key, kept]


def test_each_setting_of_a_topic_stands_there() -> None:
    told = {cells[0].strip("`") for cells in rows("Topics")}
    made = kafka_topics.topic_configs(
        next(iter(TOPICS.values())), replicas=KafkaSettings().replicas
    )
    assert made.keys() <= told


def test_all_stages_stand_there() -> None:
    assert all(stage in PAGE for stage in FLOWS)


def test_each_fault_is_named_where_it_is_worked_round() -> None:
    section = PAGE.split("\n## Faults of kafka-python", 1)[1]
    told = re.findall(r"^\| (F\d+) \|", section, re.MULTILINE)
    assert told == [f"F{number}" for number in range(1, len(told) + 1)]
    named = set(re.findall(r"\bF\d+\b", SOURCES))
    assert named <= set(told)
    # F7 is the worker's, whose limit has other reasons too.
    assert set(told) - named <= {"F7"}
