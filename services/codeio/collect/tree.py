"""Trees of files: folders and archives, each file with the licence that governs it.

An archive is read in place and never unpacked, so no name in it can reach
the file system; links and special files are passed over in both. Only the links
of a volume of Kubernetes are followed: each file of a mounted ConfigMap is one, to a
hidden folder beside it.
"""

from __future__ import annotations

import os
import re
import stat
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from codeio.collect import licences
from codeio.collect.source import Candidate, Unusable
from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

# What an archive may unpack to: far above any package of source code, and low
# enough that a bomb is refused within a minute.
MAX_UNPACKED_BYTES = 4 << 30

_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
_LICENCE_FILE = re.compile(r"(un)?licen[sc]e|copying", re.IGNORECASE)
_LICENCE_ENDINGS = frozenset({"", ".txt", ".md", ".rst"})
_METADATA_FILES = frozenset({"PKG-INFO", "METADATA"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file of a tree."""

    path: str
    """Relative to the root, with slashes."""
    size: int
    """In bytes, as the file system or the archive states it."""
    open: Callable[[], IO[bytes]]

    def read(self, limit: int) -> bytes:
        """Read at most `limit` bytes, whatever the stated size is."""
        with self.open() as stream:
            return stream.read(limit)


class Tree(Protocol):
    """A set of files; each walk gives the same ones in the same order."""

    def entries(self) -> Iterator[Entry]: ...


class Folder:
    """A folder on this machine. Hidden folders, caches and installed packages are left out."""

    def __init__(self, root: Path, *, leave_out: frozenset[str] = frozenset()) -> None:
        self.root = root
        self._leave_out = _SKIPPED_FOLDERS | leave_out

    def entries(self) -> Iterator[Entry]:
        for folder, names, files in os.walk(self.root):
            names[:] = sorted(name for name in names if self._enters(Path(folder, name)))
            for name in sorted(files):
                path = Path(folder, name)
                try:
                    state = path.stat() if self._is_projected(path) else path.lstat()
                except OSError:
                    continue  # gone since it was listed
                if stat.S_ISREG(state.st_mode):
                    yield Entry(
                        path.relative_to(self.root).as_posix(),
                        state.st_size,
                        lambda path=path: path.open("rb"),  # type: ignore[misc]
                    )

    def _is_projected(self, path: Path) -> bool:
        """Tell whether this is a link as Kubernetes makes them: into `..TIME`, by `..data`."""
        if not path.is_symlink():
            return False
        # By `os.path`, which takes links in a circle for what they are: nothing.
        root, target = (Path(os.path.realpath(each)) for each in (self.root, path))
        return target.is_relative_to(root) and target.relative_to(root).parts[0].startswith("..")

    def _enters(self, folder: Path) -> bool:
        name = folder.name
        return not (
            name.startswith(".") or name in self._leave_out or (folder / "pyvenv.cfg").exists()
        )


class Archive:
    """A tar or zip file (wheels are zip files)."""

    def __init__(self, path: Path, *, strip: int = 0) -> None:
        """Read `path`; `strip` leading folders are taken off each name in it."""
        self.path = path
        self._strip = strip

    def entries(self) -> Iterator[Entry]:
        unpacked = 0
        try:
            for entry in self._zip() if zipfile.is_zipfile(self.path) else self._tar():
                unpacked += entry.size
                if unpacked > MAX_UNPACKED_BYTES:
                    raise UsageError(
                        f"{self.path.name} unpacks to more than {MAX_UNPACKED_BYTES >> 30} GiB; "
                        "leave this source out"
                    )
                name = "/".join(PurePosixPath(entry.path).parts[self._strip :])
                if name:
                    yield Entry(name, entry.size, entry.open)
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise UsageError(f"{self.path.name} is a damaged archive: {error}") from error

    def _zip(self) -> Iterator[Entry]:
        with zipfile.ZipFile(self.path) as archive:
            for member in sorted(archive.infolist(), key=lambda member: member.filename):
                mode = member.external_attr >> 16
                if not member.is_dir() and (stat.S_ISREG(mode) or stat.S_IFMT(mode) == 0):
                    yield Entry(
                        member.filename,
                        member.file_size,
                        lambda member=member: archive.open(member),  # type: ignore[misc]
                    )

    def _tar(self) -> Iterator[Entry]:
        # In the archive's own order: a compressed tar cannot be read in another.
        with tarfile.open(self.path) as archive:
            for member in archive:
                if member.isreg():
                    yield Entry(
                        member.name,
                        member.size,
                        lambda member=member: _contents(archive, member),  # type: ignore[misc]
                    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSource:
    """The Python files of a tree, each with the licence of the nearest folder that has one."""

    name: str
    tree: Tree
    keeps_unknown_licence: bool
    max_bytes: int
    """The largest file that is read whole."""
    repository: str = ""
    licence: str = ""
    """What is known to govern the whole tree; licence files are not read then."""

    def check(self) -> None:
        if not any(_is_python(entry.path) for entry in self.tree.entries()):
            raise UsageError(f"{self.name} holds no Python files; name a source that does")

    def items(self) -> Iterator[Candidate | Unusable]:
        governing = self._licences()
        for entry in self.tree.entries():
            if _is_python(entry.path):
                yield self._item(entry, governing)

    def _item(self, entry: Entry, governing: dict[PurePosixPath, str]) -> Candidate | Unusable:
        licence = next(
            (
                governing[folder]
                for folder in PurePosixPath(entry.path).parents
                if folder in governing
            ),
            self.licence,
        )
        try:
            # One byte too many is enough for the size filter to refuse it.
            content = entry.read(self.max_bytes + 1)
        except OSError as error:
            return Unusable(
                location=entry.path,
                path=entry.path,
                reason="unreadable",
                detail=error.strerror or str(error),
                licence=licence,
                repository=self.repository,
            )
        return Candidate(
            location=entry.path,
            path=entry.path,
            content=content,
            licence=licence,
            repository=self.repository,
        )

    def _licences(self) -> dict[PurePosixPath, str]:
        """Return the licence of each folder that states one; empty where it is not known."""
        if self.licence:
            return {}
        found: dict[PurePosixPath, list[str]] = {}
        stated = ""
        for entry in self.tree.entries():
            path = PurePosixPath(entry.path)
            if _is_metadata(path):
                stated = stated or licences.from_metadata(entry.read(licences.MAX_TEXT_BYTES))
            elif _is_licence(path):
                text = entry.read(licences.MAX_TEXT_BYTES).decode("utf-8", errors="replace")
                found.setdefault(_governed(path), []).append(licences.from_text(text))
        governing = {folder: licences.all_of(texts) for folder, texts in found.items()}
        root = PurePosixPath()
        if stated:
            governing[root] = licences.reconcile(stated, governing.get(root, ""))
        return governing


def _contents(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    contents = archive.extractfile(member)
    if contents is None:
        raise OSError(f"{member.name} is no regular file")
    return contents


def _is_python(path: str) -> bool:
    return path.endswith(".py")


def _is_licence(path: PurePosixPath) -> bool:
    # LICENSE, LICENSE.txt, LICENSE-MIT, COPYING.LESSER, but not license.py.
    name = path.name
    return _LICENCE_FILE.match(name) is not None and (
        path.suffix.lower() in _LICENCE_ENDINGS or path.suffix.isupper()
    )


def _is_metadata(path: PurePosixPath) -> bool:
    if path.name not in _METADATA_FILES:
        return False
    return len(path.parts) == 1 or (
        len(path.parts) == 2 and path.parent.name.endswith(".dist-info")
    )


def _governed(path: PurePosixPath) -> PurePosixPath:
    """Return the folder that a licence file speaks for.

    A wheel keeps the licence files of its folders below `NAME.dist-info/licenses`.
    """
    parts = path.parent.parts
    if parts and parts[0].endswith(".dist-info"):
        parts = parts[2:] if parts[1:2] == ("licenses",) else ()
    return PurePosixPath(*parts)
