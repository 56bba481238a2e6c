"""From the words of a user to sources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codeio.collect import git, pypi, stdlib
from codeio.collect.remote import RemoteSource, is_url, located
from codeio.collect.row_files import ROW_ENDINGS, row_source
from codeio.collect.source import Candidate, Source, Unusable
from codeio.collect.tree import Archive, Folder, TreeSource
from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeio.collect.cache import Cache

FORMS = "a path, git+URL, pypi:NAME, hf:NAME, stdlib or an fsspec URL such as s3://..."


def open_source(name: str, *, cache: Cache, max_bytes: int) -> Source:
    """Return the source that a SOURCE names; `max_bytes` is the largest file that is read whole.

    Raises:
        UsageError: there is no such source, or it cannot be fetched.
    """
    if name == "stdlib":
        return TreeSource(
            name=name,
            tree=stdlib.folder(),
            keeps_unknown_licence=True,
            max_bytes=max_bytes,
            repository="cpython",
            licence=stdlib.LICENCE,
        )
    if name.startswith("git+"):
        url = name.removeprefix("git+")
        return TreeSource(
            name=name,
            tree=Archive(git.fetch(url, cache)),
            keeps_unknown_licence=False,
            max_bytes=max_bytes,
            repository=git.address_of(url),
        )
    if name.startswith("pypi:"):
        package = pypi.fetch(name.removeprefix("pypi:"), cache)
        return TreeSource(
            name=name,
            tree=Archive(package, strip=0 if package.suffix == ".whl" else 1),
            keeps_unknown_licence=False,
            max_bytes=max_bytes,
            repository=package.name,
        )
    if name.startswith("hf:") and not is_url(name):
        url = f"hf://datasets/{name.removeprefix('hf:')}"
        return RemoteSource(name, url, cache=cache, max_bytes=max_bytes)
    if is_url(name):
        return RemoteSource(name, name, cache=cache, max_bytes=max_bytes)
    return _local(name, max_bytes=max_bytes)


def _local(name: str, *, max_bytes: int) -> Source:
    if not name.strip():
        raise UsageError(f"a source is empty; name {FORMS}")
    path = Path(name).expanduser()
    try:
        if not path.exists():
            raise UsageError(f"there is no {name}; name {FORMS}")
        if path.is_dir():
            return _folder(name, path, max_bytes=max_bytes)
        if not path.is_file():
            raise UsageError(f"{name} is neither a file nor a folder; name {FORMS}")
        with path.open("rb"):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot read {name}: {error.strerror or error}; check its permissions"
        ) from error
    if path.name.endswith(ROW_ENDINGS):
        return row_source(name, path)
    return FileSource(name, path, max_bytes=max_bytes)


def _folder(name: str, path: Path, *, max_bytes: int) -> Source:
    """Return the folder's Python files, or where it has none, its files of rows."""
    tree = Folder(path)
    rows = []
    for entry in tree.entries():
        if entry.path.endswith(".py"):
            return TreeSource(name=name, tree=tree, keeps_unknown_licence=True, max_bytes=max_bytes)
        if entry.path.endswith(ROW_ENDINGS):
            rows.append(entry.path)
    if not rows:
        raise UsageError(
            f"the folder {name} holds no Python, JSON Lines or Parquet files; name one that does"
        )
    return RowFolder(name, path, rows)


class FileSource:
    """One Python file."""

    keeps_unknown_licence = True

    def __init__(self, name: str, path: Path, *, max_bytes: int) -> None:
        self.name = name
        self._path = path
        self._max_bytes = max_bytes

    def check(self) -> None:
        """Nothing is left to be checked once it could be opened."""

    def items(self) -> Iterator[Candidate | Unusable]:
        with self._path.open("rb") as file:
            content = file.read(self._max_bytes + 1)
        yield Candidate(location=self._path.name, path=self._path.name, content=content)


class RowFolder:
    """The files of rows of a folder, such as the shards of a data set."""

    keeps_unknown_licence = True

    def __init__(self, name: str, root: Path, paths: list[str]) -> None:
        self.name = name
        self._files = {path: row_source(f"{name}/{path}", root / path) for path in paths}

    def check(self) -> None:
        for source in self._files.values():
            source.check()

    def items(self) -> Iterator[Candidate | Unusable]:
        for path, source in self._files.items():
            for item in source.items():
                yield located(item, path)
