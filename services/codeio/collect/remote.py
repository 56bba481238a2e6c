"""Files behind fsspec URLs: listed once, then fetched one by one as they are reached."""

from __future__ import annotations

import hashlib
import json
import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import fsspec

from codeio.collect.row_files import ROW_ENDINGS, row_source
from codeio.collect.source import Candidate, Unusable
from codeio.runtime.errors import UsageError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeio.collect.cache import Cache

# Packages that bring a protocol, where fsspec itself does not name them.
_PACKAGES = {
    "hf": "huggingface_hub",
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
}


def is_url(name: str) -> bool:
    return "://" in name


class RemoteSource:
    """A file or a folder behind a URL: its Python files, or where there are none, its rows."""

    keeps_unknown_licence = True

    def __init__(self, name: str, url: str, *, cache: Cache, max_bytes: int) -> None:
        self.name = name
        self._url = url
        self._cache = cache
        self._max_bytes = max_bytes

    def check(self) -> None:
        """List the source and fetch the first file of rows, to see that it holds some."""
        first = self._listing()[0]
        if first.endswith(ROW_ENDINGS):
            row_source(f"{self.name} ({first})", self._fetched(first)).check()

    def items(self) -> Iterator[Candidate | Unusable]:
        listing = self._listing()
        several = len(listing) > 1
        for path in listing:
            local = self._fetched(path)
            if not path.endswith(ROW_ENDINGS):
                with local.open("rb") as file:
                    content = file.read(self._max_bytes + 1)
                yield Candidate(location=path, path=path, content=content)
                continue
            for item in row_source(f"{self.name} ({path})", local).items():
                yield located(item, path) if several else item

    def _listing(self) -> list[str]:
        """Return the paths below the URL, as they were when the cache first saw it."""
        folder = self._cache.fetch(f"listing of {self._url}", self._list)
        listing: list[str] = json.loads((folder / "listing.json").read_text())
        return listing

    def _list(self, into: Path) -> None:
        system, root = self._system()
        try:
            if system.info(root)["type"] == "file":
                found = [posixpath.basename(root)]
            else:
                found = sorted(posixpath.relpath(path, root) for path in system.find(root))
        except Exception as error:
            raise self._failed(error) from error
        files = [path for path in found if path.endswith(".py")] or [
            path for path in found if path.endswith(ROW_ENDINGS)
        ]
        if not files:
            raise UsageError(
                f"{self.name} holds no Python, JSON Lines or Parquet files, or is not there; "
                "check the address"
            )
        (into / "listing.json").write_text(json.dumps(files))

    def _fetched(self, path: str) -> Path:
        def fetch(into: Path) -> None:
            system, root = self._system()
            single = posixpath.basename(root) == path and system.isfile(root)
            try:
                system.get_file(root if single else posixpath.join(root, path), str(into / name))
            except Exception as error:
                raise self._failed(error) from error

        digest = hashlib.sha256(path.encode()).hexdigest()[:16]
        name = f"{digest}-{posixpath.basename(path)}"
        return self._cache.fetch(f"{self._url} {path}", fetch) / name

    def _system(self) -> tuple[Any, str]:
        try:
            system, root = fsspec.core.url_to_fs(self._url)
        except (ImportError, ValueError) as error:
            protocol = self._url.partition("://")[0]
            package = _PACKAGES.get(protocol)
            if package is None:
                raise UsageError(
                    f"{self.name} has the unknown scheme {protocol}://; "
                    "use a path, git+URL, pypi:NAME, hf:NAME, stdlib or an fsspec URL"
                ) from error
            raise UsageError(
                f"{self.name} needs the package {package}; run: pip install {package}"
            ) from error
        except Exception as error:
            raise self._failed(error) from error
        return system, str(root).rstrip("/")

    def _failed(self, error: Exception) -> UsageError:
        # Each file system has errors of its own, all of which mean this to the user.
        why = first_line(error)
        return UsageError(f"cannot read {self.name}: {why}; check the address and your access")


def located(item: Candidate | Unusable, file: str) -> Candidate | Unusable:
    """Return the item of one file among several, its location unique among them all."""
    location = f"{file}, {item.location}"
    path = location if item.path == item.location else item.path
    return replace(item, location=location, path=path)
