"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from codeio.runtime.atomic import write_atomically


def test_a_file_is_made_with_its_folder_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "of" / "scores.json"
    write_atomically(file, "Grüße\u2028\r\n".encode())
    write_atomically(file, b"new\n")
    assert file.read_bytes() == b"new\n"
    assert list(file.parent.iterdir()) == [file]


def test_it_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "scores.json"
    flush, seen = os.fsync, []

    def flushed(descriptor: int) -> None:
        held = Path(f"/proc/self/fd/{descriptor}").readlink()
        seen.append((held.read_bytes() if held.is_file() else None, file.exists()))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", flushed)
    write_atomically(file, b"whole\n")
    assert seen == [(b"whole\n", False), (None, True)]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "scores.json"
    write_atomically(file, b"old\n")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(file, b"new\n")
    assert file.read_bytes() == b"old\n"
    assert list(tmp_path.iterdir()) == [file]
