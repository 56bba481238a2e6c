"""Addresses that servers listen at, as text and as sockets."""

from __future__ import annotations

import os
import socket

from codeio.runtime.errors import UsageError


def address_text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0 is one that is free.

    Raises:
        UsageError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        unknown_host = isinstance(error, socket.gaierror)
        why = error.strerror if unknown_host else os.strerror(error.errno or 0)
        raise UsageError(
            f"cannot listen at {address_text(host, port)}: {why}; "
            "choose another by --host and --port"
        ) from error
