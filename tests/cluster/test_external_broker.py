"""The embedded broker's door for clients outside of the cluster, who show a password."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest
from kafka.errors import KafkaError

from codeio.runtime.topics import TOPICS
from kafka import KafkaAdminClient
from tests.cluster.cluster import MINUTES, eventually, kubectl
from tests.cluster.test_messages import ALONE

if TYPE_CHECKING:
    from tests.cluster.cluster import Release

PORT = 30092


def test_clients_outside_come_in_with_a_password(empty: Release) -> None:
    [node, *_] = json.loads(kubectl("get", "nodes", "--output", "json"))["items"]
    host = next(
        each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"
    )
    empty.kubectl("create", "secret", "generic", "door", "--from-literal", "password=open sesame")
    external = {"enabled": True, "host": host, "nodePort": PORT, "existingSecret": "door"}
    kafka = {"embedded": {"enabled": True, "external": external}}
    empty.helm("install", values={**ALONE, "kafka": kafka})
    empty.wait_ready()
    try:
        socket.create_connection((host, PORT), timeout=5).close()
    except OSError as error:
        pytest.skip(f"this machine does not reach the node's ports: {error}")

    def topics(password: str) -> set[str]:
        admin = KafkaAdminClient(
            bootstrap_servers=f"{host}:{PORT}",
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username="codeio",
            sasl_plain_password=password,
        )
        try:
            return set(admin.list_topics())
        finally:
            admin.close()

    found = eventually(lambda: topics("open sesame"), within=MINUTES, what="the topics are seen")
    assert set(TOPICS) <= found
    with pytest.raises(KafkaError):
        topics("sesame")
