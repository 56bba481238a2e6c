"""Repositories by git: the tree of one commit, fetched as an archive.

Nothing is checked out, so no hook, filter or link of the repository acts here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING

from codeio.collect.cache import Cache, only_file
from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_SAFE = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "submodule.recurse=false",
    "-c", "protocol.ext.allow=never",
)  # fmt: skip
_TIMEOUT_SECONDS = 1800


def fetch(url: str, folder: Cache) -> Path:
    """Return a tar file with the tree of `URL` or `URL@REF` (a branch, tag or commit).

    Raises:
        UsageError: git is missing, or cannot fetch that.
    """
    if shutil.which("git") is None:
        raise UsageError(f"git+{url} needs git, which is not on PATH; install it")
    address, ref = _split(url)
    if address.startswith("-") or ref.startswith("-"):
        raise UsageError(f"git+{url} is not a repository's URL; write git+https://HOST/PATH")
    return only_file(folder.fetch(f"git+{url}", lambda into: _fetch(address, ref, into)))


def address_of(url: str) -> str:
    return _split(url)[0]


def _split(url: str) -> tuple[str, str]:
    # The last path segment alone may hold a ref: `git@host:` is a user.
    head, slash, last = url.rpartition("/")
    name, _, ref = last.partition("@")
    return (f"{head}{slash}{name}", ref) if slash else (url, "")


def _fetch(address: str, ref: str, into: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="codeio-git-") as repository:
        _git(repository, "init", "--quiet", "--bare", "--template=", address=address)
        _git(
            repository,
            *("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules"),
            *("--", address, ref or "HEAD"),
            address=address,
        )
        tree = str(into / "tree.tar")
        _git(
            repository,
            *("archive", "--format=tar", f"--output={tree}", "FETCH_HEAD"),
            address=address,
        )


def _git(repository: str, *arguments: str, address: str) -> None:
    try:
        done = subprocess.run(
            ["git", *_SAFE, "-C", repository, *arguments],
            env=os.environ | {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise UsageError(
            f"cannot fetch {address}: not done after {_TIMEOUT_SECONDS} s; try again later"
        ) from error
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise UsageError(
            f"cannot fetch {address}: {said[-1] if said else 'git failed'}; "
            "check the URL, the ref and your access"
        )
