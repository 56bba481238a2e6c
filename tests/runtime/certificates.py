"""Certificates for tests, in files as servers find them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import trustme

if TYPE_CHECKING:
    from pathlib import Path

AUTHORITY = trustme.CA()
OTHER_AUTHORITY = trustme.CA()


def server_certificate(name: str) -> trustme.LeafCert:
    return AUTHORITY.issue_cert("127.0.0.1", common_name=name)


def chain(leaf: trustme.LeafCert) -> bytes:
    return b"".join(blob.bytes() for blob in leaf.cert_chain_pems)


@dataclass(frozen=True)
class Files:
    """The files of a server in a folder, and the settings that name them."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "tls.crt"

    @property
    def key(self) -> Path:
        return self.folder / "tls.key"

    @property
    def client_ca(self) -> Path:
        return self.folder / "ca.crt"

    def hold(self, leaf: trustme.LeafCert) -> None:
        self.certificate.write_bytes(chain(leaf))
        self.key.write_bytes(leaf.private_key_pem.bytes())

    def trust(self, authority: trustme.CA) -> None:
        self.client_ca.write_bytes(authority.cert_pem.bytes())

    def settings(self, *, client_ca: bool = False) -> dict[str, Any]:
        names: dict[str, Any] = {"tls_certificate": self.certificate, "tls_key": self.key}
        if client_ca:
            names["tls_client_ca"] = self.client_ca
        return names


def credentials(client: trustme.LeafCert | None = None) -> grpc.ChannelCredentials:
    """What a client needs that trusts the authority; with a certificate of its own, if given."""
    own = (client.private_key_pem.bytes(), chain(client)) if client else ()
    return grpc.ssl_channel_credentials(AUTHORITY.cert_pem.bytes(), *own)
