"""Packages from the index that pip is configured with, none of their code ever run.

pip itself may run an sdist's build hooks even to download it, so the file is
found and fetched here, checked against the index's hash and read in place.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import logging
import os
import shutil
import ssl
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from packaging.requirements import InvalidRequirement, Requirement

from codeio.collect.cache import Cache, only_file
from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unearth import Package, PackageFinder
    from unearth.fetchers import Fetcher

MAX_DOWNLOAD_BYTES = 256 << 20


def fetch(requirement: str, folder: Cache) -> Path:
    """Return the wheel or sdist of `NAME` or `NAME==VERSION`.

    Raises:
        UsageError: the name is malformed, unknown to the index or out of reach.
    """
    try:
        wanted = Requirement(requirement)
    except InvalidRequirement as error:
        raise UsageError(f"pypi:{requirement} is not NAME or NAME==VERSION; write it so") from error
    if wanted.url or wanted.marker or wanted.extras:
        raise UsageError(f"pypi:{requirement} is not NAME or NAME==VERSION; write it so")
    return only_file(folder.fetch(f"pypi:{wanted}", lambda into: _download(wanted, into)))


def _download(wanted: Requirement, into: Path) -> None:
    import httpx2  # noqa: PLC0415  (slow to import, and needed for packages alone)
    from unearth.errors import UnpackError  # noqa: PLC0415

    try:
        with _finder() as finder:
            package = _choose(finder, wanted)
            _stream(finder, package, into)
    except (httpx2.HTTPError, UnpackError, OSError) as error:
        raise UsageError(
            f"cannot download pypi:{wanted}: {error}; check the network and pip's index settings"
        ) from error


def _choose(finder: PackageFinder, wanted: Requirement) -> Package:
    """Return the newest version's file: a pure wheel, else the sdist, else another wheel."""
    messages = _Messages()
    logger = logging.getLogger("unearth")
    logger.addHandler(messages)
    try:
        packages = list(finder.find_matches(wanted, allow_prereleases=False)) or list(
            finder.find_matches(wanted, allow_prereleases=True)
        )
    finally:
        logger.removeHandler(messages)
    if not packages:
        why = f" ({messages.last})" if messages.last else ""
        raise UsageError(
            f"no package matches pypi:{wanted} for Python {sys.version_info.major}."
            f"{sys.version_info.minor}{why}; check the name, the version and pip's index settings"
        )
    same_version = [package for package in packages if package.version == packages[0].version]
    return min(same_version, key=lambda package: _rank(package.link.filename))


def _rank(filename: str) -> int:
    if filename.endswith("-none-any.whl"):
        return 0
    return 2 if filename.endswith(".whl") else 1


def _stream(finder: PackageFinder, package: Package, into: Path) -> None:
    link = package.link
    stated = link.hash_option or {}
    digests = {name: hashlib.new(name) for name in stated}
    size = 0
    with (
        finder.session.get_stream(link.normalized) as response,
        (into / link.filename).open("wb") as file,
    ):
        response.raise_for_status()
        for chunk in response.iter_bytes(chunk_size=1 << 16):
            size += len(chunk)
            if size > MAX_DOWNLOAD_BYTES:
                raise UsageError(
                    f"{link.filename} is larger than {MAX_DOWNLOAD_BYTES >> 20} MiB; "
                    "leave this package out"
                )
            for digest in digests.values():
                digest.update(chunk)
            file.write(chunk)
    for name, digest in digests.items():
        if digest.hexdigest() not in stated[name]:
            raise UsageError(
                f"{link.filename} does not have the {name} that the index states; "
                "try again, and check the index if it persists"
            )


class _Messages(logging.Handler):
    """Keeps the last complaint, to be told where nothing was found."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self.last = record.getMessage()


@contextlib.contextmanager
def _finder() -> Iterator[PackageFinder]:
    from unearth import PackageFinder  # noqa: PLC0415
    from unearth.auth import MultiDomainBasicAuth  # noqa: PLC0415
    from unearth.fetchers import PyPIClient  # noqa: PLC0415

    options = _pip_options()
    indexes = [
        *options.get("index-url", "").split(),
        *options.get("extra-index-url", "").split(),
    ]
    links = options.get("find-links", "").split()
    if not indexes and "no-index" not in options:
        indexes = ["https://pypi.org/simple/"]
    settings: dict[str, Any] = {"trusted_hosts": options.get("trusted-host", "").split()}
    if "cert" in options:
        settings["verify"] = ssl.create_default_context(cafile=options["cert"])
    with PyPIClient(timeout=60.0, follow_redirects=True, **settings) as session:
        session.auth = MultiDomainBasicAuth(index_urls=indexes)
        yield PackageFinder(session=cast("Fetcher", session), index_urls=indexes, find_links=links)


@cache
def _pip_options() -> dict[str, str]:
    """Return pip's options as its configuration files and environment set them."""
    if importlib.util.find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip"]
    elif shutil.which("pip"):
        command = ["pip"]
    else:
        return {
            name.removeprefix("PIP_").lower().replace("_", "-"): value
            for name, value in os.environ.items()
            if name.startswith("PIP_")
        }
    listed = subprocess.run(
        [*command, "config", "list"], capture_output=True, text=True, check=False
    )
    found: dict[str, dict[str, str]] = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        with contextlib.suppress(ValueError, SyntaxError):
            found.setdefault(section, {})[option] = str(ast.literal_eval(value))
    # Later sections are above earlier ones, as they are for `pip download`.
    return {
        option: value
        for section in ("global", "download", ":env:")
        for option, value in found.get(section, {}).items()
    }
