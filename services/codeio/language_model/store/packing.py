"""How every store keeps a response: its text in UTF-8, compressed by zstd."""

from __future__ import annotations

import re

import zstandard

from codeio.runtime.errors import Stopped

_KEY = re.compile(r"[0-9a-f]{64}")


def check_key(key: str) -> None:
    """Raise `ValueError` unless the key is a SHA-256 in hexadecimal digits."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} cannot be the key of a response")


def pack(text: str) -> bytes:
    # A model may write half a surrogate pair, which is no reason to lose what was paid for.
    return zstandard.compress(text.encode("utf-8", "surrogatepass"))


def unpack(data: bytes, *, key: str, where: str) -> str:
    """Return the text that was packed.

    Raises:
        Stopped: it is damaged.
    """
    try:
        return zstandard.decompress(data).decode("utf-8", "surrogatepass")
    except (zstandard.ZstdError, UnicodeDecodeError) as error:
        raise Stopped(
            f"the response {key} in {where} is damaged ({error}); delete it and start again"
        ) from error
