"""Who the server is, and who calls: TLS, and bearer tokens."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import grpc

from codeio.client.errors import InvalidRequest, Unauthenticated

if TYPE_CHECKING:
    import os

Pem: TypeAlias = "bytes | str | os.PathLike[str]"
"""Certificates or a key in PEM, as bytes, or the path of a file that holds them."""

_HOST = re.compile(
    r"(?:\[(?P<bracketed>[^\]]*)\]|(?P<plain>[^:]*))(?::\d+)?|(?P<bare>[\da-fA-F:]+)"
)
_MANY = re.compile(r"(?:ipv4|ipv6):(?P<addresses>.*)")
_LOCAL = re.compile(r"unix(?:-abstract)?:")
_NAMED = re.compile(r"dns:(?://[^/]*/)?(?P<name>.*)")


@dataclass(frozen=True, kw_only=True)
class Tls:
    """An encrypted connection to a server that proves who it is."""

    ca: Pem | None = None
    """Who must have signed the server's certificate; the well-known authorities unless given."""
    certificate: Pem | None = None
    """The caller's own, where the server asks for one (mutual TLS)."""
    key: Pem | None = None
    """The key of that certificate."""
    server_name: str = ""
    """Name in the server's certificate, where it is not that of the target."""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise InvalidRequest("a certificate needs its key, and a key its certificate")

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files and return what a channel takes.

        Raises:
            InvalidRequest: a file cannot be read.
        """
        return grpc.ssl_channel_credentials(
            root_certificates=_pem(self.ca),
            private_key=_pem(self.key),
            certificate_chain=_pem(self.certificate),
        )


class Token:
    """A bearer token, by its text or by a file that is read for every call."""

    def __init__(self, *, text: str | None, file: str | os.PathLike[str] | None) -> None:
        if text is not None and file is not None:
            raise InvalidRequest("give a token or the file that holds one, not both")
        self._text = text
        self._file = None if file is None else Path(file)

    def __bool__(self) -> bool:
        return self._text is not None or self._file is not None

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what a call is sent with.

        Raises:
            Unauthenticated: the file holds no token.
        """
        if not self:
            return ()
        return (("authorization", f"Bearer {self._read()}"),)

    def _read(self) -> str:
        if self._file is None:
            text, place = self._text or "", "the token"
        else:
            place = f"the token in {self._file}"
            try:
                text = self._file.read_text()
            except (OSError, UnicodeDecodeError) as error:
                raise Unauthenticated(f"{place} cannot be read: {error}") from error
        text = text.strip()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise Unauthenticated(f"{place} is none: it must be one word of plain characters")
        return text


def is_loopback(target: str) -> bool:
    """Tell whether nobody but this machine sees what is sent to a gRPC target."""
    if _LOCAL.match(target):
        return True
    if many := _MANY.fullmatch(target):
        return all(map(_is_loopback_host, many["addresses"].split(",")))
    named = _NAMED.fullmatch(target)
    return named is not None and _is_loopback_host(named["name"])


def _is_loopback_host(address: str) -> bool:
    found = _HOST.fullmatch(address)
    if found is None:
        return False
    host = found["bracketed"] or found["plain"] or found["bare"] or ""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _pem(given: Pem | None) -> bytes | None:
    if given is None or isinstance(given, bytes):
        return given
    try:
        return Path(given).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"cannot read {given}: {error.strerror}") from error
