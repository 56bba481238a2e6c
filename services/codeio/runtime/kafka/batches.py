"""F13: one record with a header name that is not UTF-8 would stop its partition for ever.

Others' writers may send such; the library raises then, again and again, for the whole
batch, and the record cannot even be skipped. Here its name is read with escapes.
"""

from __future__ import annotations

from typing import Any

from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatch


class _Escaping(bytearray):
    def decode(self, encoding: str = "utf-8", errors: str = "") -> str:
        return super().decode(encoding, errors or "backslashreplace")


class _EscapingBuffer(bytearray):
    """Bytes whose slices escape what they cannot decode: the library's parser decodes slices."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Escaping(found) if isinstance(found, bytearray) else found


class _LenientBatch(DefaultRecordBatch):  # type: ignore[misc]  # the library has no types
    _buffer: bytearray

    def _read_msg(self) -> Any:
        try:
            return super()._read_msg()
        except UnicodeDecodeError:
            self._buffer = _EscapingBuffer(self._buffer)
            return super()._read_msg()


def read_any_headers() -> None:
    """Have the library make its batches so, in this process."""
    memory_records.DefaultRecordBatch = _LenientBatch
