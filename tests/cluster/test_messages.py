"""What is missing shows where one looks: in `kubectl describe` and in the log, in a sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cluster.cluster import MINUTES, eventually

if TYPE_CHECKING:
    from tests.cluster.cluster import Release

ALONE = {
    "normalizer": {"enabled": False},
    "cotGenerator": {"enabled": False},
    "verifier": {"enabled": False},
    "snapshot": {"enabled": False},
    "kafka": {"embedded": {"enabled": False}},
}


def described(release: Release, what: str, sentence: str) -> None:
    eventually(
        lambda: sentence in release.kubectl("describe", what),
        within=3 * MINUTES,
        what=f"{what} says {sentence!r}",
    )


def logged(release: Release, pod: str, sentence: str) -> None:
    eventually(
        lambda: sentence in release.log(pod),
        within=2 * MINUTES,
        what=f"the log of {pod} says {sentence!r}",
    )


def test_a_runtime_class_that_is_missing(empty: Release) -> None:
    told = empty.helm("install", values={**ALONE, "sandbox": {"runtimeClassName": "runsc"}})
    assert "without the RuntimeClass runsc nothing serves" in told
    described(empty, "replicasets", 'RuntimeClass "runsc" not found')
    described(empty, "pod/codeio-executor-0", "no sandbox is at")
    logged(empty, "codeio-executor-0", "no sandbox is at")
    assert empty.pods("sandbox") == []


def test_a_secret_a_broker_and_a_topic_that_are_missing(empty: Release) -> None:
    nowhere = f"broker.{empty.namespace}.svc:9092"
    external = {"bootstrapServers": nowhere, "topics": {"apply": False}}
    values = {**ALONE, "kafka": {**ALONE["kafka"], **external}}
    values["server"] = {"tokens": {"existingSecret": "codeio-tokens"}}
    empty.helm("install", values=values)
    described(empty, "pod/codeio-executor-0", 'secret "codeio-tokens" not found')

    empty.helm("upgrade", values={"server": {"tokens": {"existingSecret": ""}}})
    described(empty, "pod/codeio-executor-0", f"no Kafka can be reached at {nowhere}")
    logged(empty, "codeio-executor-0", f"no Kafka can be reached at {nowhere}")

    embedded = {
        "bootstrapServers": "",
        "embedded": {"enabled": True},
        "topics": {"apply": False},
    }
    empty.helm("upgrade", values={"kafka": embedded})
    described(empty, "pod/codeio-executor-0", "run `codeio topics apply`")

    empty.helm("upgrade", values={"kafka": {"topics": {"apply": True}}})
    empty.wait_ready()
    assert json.loads(empty.exec("codeio-executor-0", "codeio", "status", "--json"))
