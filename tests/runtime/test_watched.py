"""Files that change under a server: what it holds meanwhile, and what it says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import structlog

from codeio.runtime.errors import UsageError
from codeio.runtime.watched import Watched

if TYPE_CHECKING:
    from pathlib import Path


def number(contents: tuple[bytes, ...]) -> int:
    if not contents[0].isdigit():
        raise UsageError("that is no number")
    return int(contents[0])


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any file is one that was last changed a while ago."""
    monkeypatch.setattr("codeio.runtime.watched._SETTLED_SECONDS", 0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("1")
    return path


def test_a_change_is_met_by_the_next_who_asks(file: Path) -> None:
    watched = Watched("number", [file], number)
    assert watched.current() == 1
    for expected in range(2, 10):
        # In place, of one length, within the resolution of the file's times.
        file.write_text(str(expected))
        assert watched.current() == expected


def test_changes_that_look_like_one_are_told_apart(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the clock of the file system has not moved on between two of them."""
    state = ((time.time_ns(), file.stat().st_ino, 1),)
    monkeypatch.setattr("codeio.runtime.watched._state", lambda _: state)
    watched = Watched("number", [file], number)
    assert watched.current() == 1
    file.write_text("2")
    assert watched.current() == 2


def test_a_file_that_rests_is_not_read_again(
    file: Path, settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched("number", [file], number)
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda _: pytest.fail("it was read"))
    assert watched.current() == watched.current() == 1


def test_a_change_after_a_long_rest_is_met(file: Path, settled: None) -> None:
    watched = Watched("number", [file], number)
    assert watched.current() == 1
    file.write_text("22")
    assert watched.current() == 22


def test_a_link_that_is_swapped_is_a_change(tmp_path: Path, settled: None) -> None:
    """As Kubernetes does it: the path itself is a link that stays."""
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "file").write_text(version)
    data, new, link = tmp_path / "data", tmp_path / "new", tmp_path / "link"
    data.symlink_to("1")
    link.symlink_to("data/file")
    watched = Watched("number", [link], number)
    assert watched.current() == 1
    new.symlink_to("2")
    new.replace(data)
    assert watched.current() == 2


def test_what_is_of_no_use_is_told_once_and_the_old_stays(file: Path) -> None:
    read = []

    def reading(contents: tuple[bytes, ...]) -> int:
        read.append(contents)
        return number(contents)

    watched = Watched("number", [file], reading)
    with structlog.testing.capture_logs() as lines:
        file.write_text("half a num")
        assert watched.current() == watched.current() == 1
        assert len(read) == 2
        file.unlink()
        assert watched.current() == watched.current() == 1
        file.write_text("2")
        assert watched.current() == 2
    assert [(line["log_level"], line.get("why")) for line in lines] == [
        ("warning", "that is no number"),
        ("warning", f"cannot read {file}: No such file or directory"),
        ("info", None),
    ]
    assert {line["what"] for line in lines} == {"number"}


def test_what_is_of_no_use_at_first_is_an_error(tmp_path: Path, file: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*nothing: No such file or directory"):
        Watched("number", [tmp_path / "nothing"], number)
    with pytest.raises(UsageError, match="Is a directory"):
        Watched("number", [tmp_path], number)
    file.write_text("x")
    with pytest.raises(UsageError, match="that is no number"):
        Watched("number", [file], number)
