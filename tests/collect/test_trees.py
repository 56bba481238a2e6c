"""Folders, archives and the standard library."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from codeio.collect import tree
from codeio.collect.tree import Archive, Folder, TreeSource
from codeio.runtime.errors import UsageError
from codeio.v1.records_pb2 import RawFile
from tests.collect.conftest import only_file, reasons
from tests.collect.test_licences import BSD3, MIT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.collect.conftest import Collect


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def paths(tree_of: tree.Tree) -> list[str]:
    return [entry.path for entry in tree_of.entries()]


def test_a_folder_gives_its_python_files_in_the_order_of_names(
    collect: Collect, tmp_path: Path
) -> None:
    code = write(
        tmp_path / "code",
        {
            "b.py": "b = 1",
            "a/z.py": "z = 1",
            "a.py": "a = 1",
            "a.txt": "no",
            ".git/x.py": "x = 1",
            "__pycache__/y.py": "y = 1",
            "env/pyvenv.cfg": "",
            "env/v.py": "v = 1",
        },
    )
    outcomes = collect(code)
    assert [outcome.path for outcome in outcomes if isinstance(outcome, RawFile)] == [
        "a.py",
        "b.py",
        "a/z.py",
    ]


def test_links_and_special_files_of_a_folder_are_passed_over(tmp_path: Path) -> None:
    code = write(tmp_path / "code", {"a.py": "a = 1"})
    secret = write(tmp_path / "secret", {"s.py": "s = 1"})
    (code / "link.py").symlink_to(secret / "s.py")
    (code / "folder").symlink_to(secret)
    (code / "loop").symlink_to(code)
    (code / "itself.py").symlink_to("itself.py")
    os.mkfifo(code / "pipe.py")
    assert paths(Folder(code)) == ["a.py"]


def test_the_links_of_a_mounted_config_map_are_followed(tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    write(mounted / "..2026_11_27", {"a.py": "a = 1"})
    (mounted / "..data").symlink_to("..2026_11_27")
    (mounted / "a.py").symlink_to("..data/a.py")
    (mounted / "out.py").symlink_to("..data/../../secret.py")
    (tmp_path / "secret.py").write_text("s = 1")
    [entry] = Folder(mounted).entries()
    assert (entry.path, entry.size, entry.read(9)) == ("a.py", 5, b"a = 1")


def test_one_file_is_a_source_whatever_its_ending(collect: Collect, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("print 'a'\n")
    assert only_file(collect(script)).content == "print('a')\n"


def test_the_nearest_licence_file_governs(collect: Collect, tmp_path: Path) -> None:
    code = write(
        tmp_path / "code",
        {
            "LICENSE": MIT,
            "a.py": "a = 1",
            "gpl/COPYING.txt": "GNU GENERAL PUBLIC LICENSE Version 3",
            "gpl/deep/b.py": "b = 1",
            "odd/LICENCE.md": "Ask us.",
            "odd/c.py": "c = 1",
            "bsd/LICENSE-BSD": BSD3,
            "bsd/license.py": "d = 1",
        },
    )
    outcomes = collect(code, unknown_licence="refuse")
    assert {
        outcome.path or outcome.origin.path: outcome.licence
        for outcome in outcomes
        if isinstance(outcome, RawFile)
    } == {
        "a.py": "MIT",
        "bsd/license.py": "BSD-3-Clause",
    }
    assert reasons(outcomes) == ["ok", "ok", "licence:GPL-3.0-or-later", "unknown_licence"]


def test_an_unreadable_file_of_a_folder_is_refused_alone(
    collect: Collect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = write(tmp_path / "code", {"a.py": "a = 1", "b.py": "b = 1"})
    read = tree.Entry.read

    def refuse(entry: tree.Entry, limit: int) -> bytes:
        if entry.path == "a.py":
            raise PermissionError(13, "Permission denied")
        return read(entry, limit)

    monkeypatch.setattr(tree.Entry, "read", refuse)
    assert reasons(collect(code)) == ["unreadable", "ok"]


def make_wheel(path: Path, metadata: str, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {"p-1.dist-info/METADATA": metadata, **files}.items():
            wheel.writestr(name, text)
    return path


def wheel_licences(path: Path) -> dict[str, str]:
    source = TreeSource(
        name="pypi:p", tree=Archive(path), keeps_unknown_licence=False, max_bytes=1000
    )
    return {item.path: item.licence for item in source.items()}


def test_a_wheel_states_its_licence_in_its_metadata(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "p.whl", "License-Expression: MIT", {"p/a.py": "a = 1"})
    assert wheel_licences(wheel) == {"p/a.py": "MIT"}


def test_metadata_and_licence_file_must_both_be_met(tmp_path: Path) -> None:
    files = {
        "p/a.py": "a = 1",
        "p-1.dist-info/licenses/COPYING": "GNU General Public License version 3",
    }
    wheel = make_wheel(tmp_path / "p.whl", "License: MIT", files)
    assert wheel_licences(wheel) == {"p/a.py": "GPL-3.0-or-later AND MIT"}


def test_a_wheel_keeps_the_licences_of_its_folders(tmp_path: Path) -> None:
    files = {
        "p/a.py": "a = 1",
        "p/vendored/b.py": "b = 1",
        "p-1.dist-info/licenses/LICENSE": MIT,
        "p-1.dist-info/licenses/p/vendored/LICENSE": BSD3,
    }
    wheel = make_wheel(tmp_path / "p.whl", "Name: p", files)
    assert wheel_licences(wheel) == {"p/a.py": "MIT", "p/vendored/b.py": "BSD-3-Clause"}


def make_tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def test_an_archive_is_read_in_place(tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    archive = make_tar(
        tmp_path / "p.tar.gz",
        [
            (member("p-1/a.py"), b"a = 1"),
            (member("p-1/link.py", tarfile.SYMTYPE, "/etc/passwd"), b""),
            (member("p-1/hard.py", tarfile.LNKTYPE, "p-1/a.py"), b""),
            (member("p-1/device.py", tarfile.CHRTYPE), b""),
            (member("p-1/../../up.py"), b"up = 1"),
            (member("/absolute.py"), b"absolute = 1"),
        ],
    )
    entries = {entry.path: entry.read(100) for entry in Archive(archive, strip=1).entries()}
    assert entries["a.py"] == b"a = 1"
    assert set(entries) == {"a.py", "../../up.py", "absolute.py"}
    assert sorted(tmp_path.rglob("*")) == [*before, archive]


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(tree, "MAX_UNPACKED_BYTES", 1 << 20)
    bomb = tmp_path / f"bomb.{kind}"
    zeros = bytes(2 << 20)
    if kind == "tar":
        make_tar(bomb, [(member("p/a.py"), zeros)])
    else:
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.py", zeros)
    with pytest.raises(UsageError, match="unpacks to more"):
        paths(Archive(bomb))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"\x1f\x8b\x08 cut"])
def test_a_damaged_archive_is_told(tmp_path: Path, content: bytes) -> None:
    archive = tmp_path / "p.tar.gz"
    archive.write_bytes(content)
    with pytest.raises(UsageError, match="damaged archive"):
        paths(Archive(archive))


def test_the_standard_library_is_there_without_its_tests(collect: Collect) -> None:
    outcomes = collect("stdlib", limit=30)
    taken = {outcome.path: outcome for outcome in outcomes if isinstance(outcome, RawFile)}
    assert taken["bisect.py"].licence == "PSF-2.0"
    assert not any("test" in path.split("/") for path in taken)
