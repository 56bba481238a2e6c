"""Addresses that servers listen at, as text and as sockets."""

from __future__ import annotations

import ipaddress
import os
import socket

from codeio.runtime.errors import UsageError


def address_text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int, *, chosen_by: str = "--host and --port") -> socket.socket:
    """Return a socket that listens there; port 0 is one that is free.

    Raises:
        UsageError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # `::` is every address, as it is for gRPC.
        return socket.create_server((host, port), family=family, dualstack_ipv6=host == "::")
    except OSError as error:
        # Those of name resolution are below 0.
        code = error.errno or 0
        why = os.strerror(code) if code >= 0 else f"there is no host {host}"
        raise UsageError(
            f"cannot listen at {address_text(host, port)}: {why}; choose another by {chosen_by}"
        ) from error
