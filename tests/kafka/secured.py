"""A broker that knows its users by password and lets them do what they were granted, no more."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from codeio.runtime.settings import KafkaSettings
from kafka import KafkaAdminClient
from tests.kafka.broker import cluster, free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ADMIN, PASSWORD = "admin", "secret"
_LISTENERS = {
    "listeners": "CLIENT://127.0.0.1:{port},INSIDE://127.0.0.1:{inside},"
    "CONTROLLER://127.0.0.1:{controller}",
    "advertised.listeners": "CLIENT://127.0.0.1:{port},INSIDE://127.0.0.1:{inside}",
    "inter.broker.listener.name": "INSIDE",
    "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.client.scram-sha-512.sasl.jaas.config": (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    ),
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    # The broker to itself, over loopback.
    "super.users": f"User:{ADMIN};User:ANONYMOUS",
}


@dataclass(frozen=True)
class Right:
    """One right on a thing of the broker; a name that ends in `*` stands for what begins so."""

    operation: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.operation} on {self.kind} {self.name}"

    def granted_to(self, user: str) -> ACL:
        prefixed = self.name.endswith("*")
        pattern = ACLResourcePatternType.PREFIXED if prefixed else ACLResourcePatternType.LITERAL
        kind = ResourceType[self.kind.upper()]
        return ACL(
            principal=f"User:{user}",
            host="*",
            operation=ACLOperation[self.operation],
            permission_type=ACLPermissionType.ALLOW,
            resource_pattern=ResourcePattern(kind, self.name.rstrip("*"), pattern),
        )


@dataclass(frozen=True)
class SecuredBroker:
    """The broker, and its administrator."""

    address: str
    admin: KafkaAdminClient

    def settings(self, user: str, **more: Any) -> KafkaSettings:
        return KafkaSettings(
            **{
                "bootstrap_servers": self.address,
                "security_protocol": "SASL_PLAINTEXT",
                "username": user,
                "password": PASSWORD,
                "replicas": 1,
                "partitions": 1,
                "session_seconds": 2,
                "transaction_seconds": 5,
                **more,
            }
        )

    def user(self, name: str, rights: Iterable[Right]) -> None:
        """Make a user who has these rights."""
        made = UserScramCredentialUpsertion(name, ScramMechanism.SCRAM_SHA_512, PASSWORD)
        failed = {n: e for n, e in self.admin.alter_user_scram_credentials([made]).items() if e}
        assert not failed, failed
        granted = self.admin.create_acls([right.granted_to(name) for right in rights])
        assert not granted["failed"], granted

    def revoke(self, name: str, right: Right) -> None:
        ((_, gone, _),) = self.admin.delete_acls([right.granted_to(name)])
        assert gone


@contextmanager
def secured_broker() -> Iterator[SecuredBroker]:
    inside = str(free_port())
    properties = {k: v.replace("{inside}", inside) for k, v in _LISTENERS.items()}
    with cluster(properties=properties, scram={ADMIN: PASSWORD}) as brokers:
        admin = KafkaAdminClient(
            bootstrap_servers=brokers.bootstrap,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username=ADMIN,
            sasl_plain_password=PASSWORD,
        )
        try:
            yield SecuredBroker(brokers.bootstrap, admin)
        finally:
            admin.close()
