"""TLS of a gRPC server, with certificates that may be renewed while it runs.

gRPC asks for the certificate at each new connection, in a thread of its own.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import grpc

from codeio.runtime.errors import UsageError
from codeio.runtime.watched import Watched

if TYPE_CHECKING:
    from pathlib import Path

    from codeio.runtime.settings import ServerSettings


def server_credentials(settings: ServerSettings) -> grpc.ServerCredentials | None:
    """Return the credentials that the settings name, or None where they name none.

    Raises:
        UsageError: a file cannot be read or used, or certificate and key differ.
    """
    certificate, key, client_ca = (
        settings.tls_certificate,
        settings.tls_key,
        settings.tls_client_ca,
    )
    if certificate is None or key is None:
        return None

    def read(contents: tuple[bytes, ...]) -> grpc.ServerCertificateConfiguration:
        chain, private_key, *roots = contents
        _check_pair(certificate, key)
        if client_ca:
            _check_authorities(client_ca, roots[0])
        return grpc.ssl_server_certificate_configuration([(private_key, chain)], *roots)

    paths = [certificate, key, *([client_ca] if client_ca else [])]
    watched = Watched("TLS certificate", paths, read)
    in_use = watched.current()

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal in_use
        before, in_use = in_use, watched.current()
        # To return one makes gRPC set up everything anew.
        return None if in_use is before else in_use

    return grpc.dynamic_ssl_server_credentials(
        in_use,
        renewed,  # type: ignore[arg-type]  # None is an answer, say gRPC's documents
        require_client_authentication=client_ca is not None,
    )


def _check_pair(certificate: Path, key: Path) -> None:
    """Find out what gRPC would not say; by their paths, since Python can do it in no other way.

    So what is checked may be newer than what was read. gRPC keeps its old pair
    then, and what is newer is read at the next connection.
    """

    def password() -> str:
        raise UsageError(f"the key in {key} is encrypted; give one that is not")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UsageError(
                f"the certificate in {certificate} and the key in {key} do not belong together"
            ) from error
        raise UsageError(
            f"{certificate} and {key} cannot be used as a certificate and its private key in PEM "
            f"form ({error.reason or 'not understood'})"
        ) from error
    except OSError as error:
        raise UsageError(f"cannot read {certificate} or {key}: {error.strerror}") from error


def _check_authorities(path: Path, text: bytes) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(cadata=text.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError) as error:
        raise UsageError(f"{path} holds no certificates in PEM form") from error
