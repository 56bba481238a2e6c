"""Sources that are fetched: packages, repositories and URLs, all of them local here."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import shutil
import subprocess
import tarfile
import threading
from functools import partial
from typing import TYPE_CHECKING

import fsspec
import pytest

from codeio.collect import Collector, pypi
from codeio.runtime.errors import UsageError
from codeio.runtime.settings import CollectSettings
from codeio.v1.records_pb2 import RawFile, Rejection
from tests.collect.conftest import reasons
from tests.collect.test_licences import MIT
from tests.collect.test_trees import make_wheel, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.collect.conftest import Collect


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the loopback URL under which its files are served."""
    root = tmp_path / "served"
    root.mkdir()
    handler = partial(Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield root, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def index(served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index on loopback, as pip's settings name it."""
    root, url = served
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple/")
    pypi._pip_options.cache_clear()
    yield root
    pypi._pip_options.cache_clear()


def publish(index: Path, file: Path, *, sha256: str | None = None) -> None:
    project = index / "simple" / "demo"
    project.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, project)
    digest = sha256 or hashlib.sha256(file.read_bytes()).hexdigest()
    page = project / "index.html"
    links = page.read_text() if page.exists() else ""
    page.write_text(f'{links}<a href="{file.name}#sha256={digest}">{file.name}</a>\n')


def make_sdist(path: Path, metadata: str = "") -> Path:
    setup = "import pathlib\npathlib.Path('/ran').touch()\nraise SystemExit('setup.py ran')\n"
    files = {"PKG-INFO": metadata, "setup.py": setup, "demo.py": "sdist = 1\n"}
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"{path.name.removesuffix('.tar.gz')}/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


def test_the_newest_version_of_a_package_is_taken(
    collect: Collect, index: Path, tmp_path: Path
) -> None:
    for version in ("1.0", "2.0", "3.0rc1"):
        wheel = make_wheel(
            tmp_path / f"demo-{version}-py3-none-any.whl",
            "License-Expression: MIT",
            {"demo.py": f"version = '{version}'\n"},
        )
        publish(index, wheel)
    newest, pinned = collect("pypi:demo", "pypi:demo==1.0")
    assert isinstance(newest, RawFile)
    assert isinstance(pinned, RawFile)
    assert (newest.content, newest.licence) == ("version = '2.0'\n", "MIT")
    assert newest.repository == "demo-2.0-py3-none-any.whl"
    assert pinned.content == "version = '1.0'\n"


def test_an_sdist_is_read_and_not_run(collect: Collect, index: Path, tmp_path: Path) -> None:
    classifier = "Classifier: License :: OSI Approved :: MIT License"
    publish(index, make_sdist(tmp_path / "demo-1.0.tar.gz", classifier))
    outcomes = collect("pypi:demo")
    assert [(o.path, o.licence) for o in outcomes if isinstance(o, RawFile)] == [
        ("setup.py", "MIT"),
        ("demo.py", "MIT"),
    ]


def test_a_package_of_unknown_licence_is_refused(
    collect: Collect, index: Path, tmp_path: Path
) -> None:
    publish(index, make_sdist(tmp_path / "demo-1.0.tar.gz"))
    assert reasons(collect("pypi:demo")) == ["unknown_licence"] * 2
    assert reasons(collect("pypi:demo", unknown_licence="keep")) == ["ok"] * 2


def test_a_package_with_another_hash_is_refused(index: Path, tmp_path: Path) -> None:
    publish(index, make_sdist(tmp_path / "demo-1.0.tar.gz"), sha256="0" * 64)
    with pytest.raises(UsageError, match="sha256 that the index states"):
        Collector(CollectSettings()).check(["pypi:demo"])


@pytest.mark.parametrize("name", ["demo==9.9", "nothing"])
def test_a_package_that_is_not_there(index: Path, tmp_path: Path, name: str) -> None:
    publish(index, make_sdist(tmp_path / "demo-1.0.tar.gz"))
    with pytest.raises(UsageError, match="no package matches"):
        Collector(CollectSettings()).check([f"pypi:{name}"])


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = write(
        tmp_path / "repository",
        {"LICENSE": MIT, "a.py": "a = 1\n", ".gitattributes": "*.py filter=evil\n"},
    )
    (root / "link.py").symlink_to("/etc/passwd")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    commit(root, "first")
    git(root, "tag", "v1")
    (root / "a.py").write_text("a = 2\n")
    commit(root, "second")
    return root


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", root, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(root: Path, message: str) -> None:
    author = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    git(root, *author, "commit", "-q", "-a", "--no-gpg-sign", "-m", message)


def test_a_repository_is_read_at_a_ref(collect: Collect, repository: Path) -> None:
    first = git(repository, "rev-parse", "v1")
    outcomes = collect(*(f"git+file://{repository}{ref}" for ref in ("", "@v1", f"@{first}")))
    assert reasons(outcomes) == ["ok", "ok", "duplicate"]
    newest, tagged, _ = outcomes
    assert isinstance(newest, RawFile)
    assert isinstance(tagged, RawFile)
    assert (newest.path, newest.content, newest.licence) == ("a.py", "a = 2\n", "MIT")
    assert newest.repository == f"file://{repository}"
    assert tagged.content == "a = 1\n"


def test_a_resumed_run_sees_the_bytes_that_the_first_one_fetched(
    collect: Collect, repository: Path
) -> None:
    source = f"git+file://{repository}"
    before = collect(source)
    (repository / "a.py").write_text("a = 3\n")
    commit(repository, "third")
    assert collect(source) == before


@pytest.mark.parametrize("ref", ["@nowhere", "/nowhere"])
def test_a_repository_that_cannot_be_fetched(repository: Path, ref: str) -> None:
    with pytest.raises(UsageError, match="cannot fetch file:"):
        Collector(CollectSettings()).check([f"git+file://{repository}{ref}"])


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def test_a_url_names_a_file_or_a_folder(
    collect: Collect, memory: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    memory.pipe("/shards/b.jsonl", b'{"content": "b = 1"}\nnot json\n')
    memory.pipe("/shards/a.jsonl", b'{"content": "a = 1"}\n')
    memory.pipe("/code/pkg/m.py", b"m = 1\n")
    memory.pipe("/code/data.jsonl", b"no rows\n")
    outcomes = collect("memory://shards", "memory://code", "memory://shards/b.jsonl")
    assert reasons(outcomes) == ["ok", "ok", "bad_row", "ok", "duplicate", "bad_row"]
    assert [outcome.path for outcome in outcomes if isinstance(outcome, RawFile)] == [
        "a.jsonl, line 1",
        "b.jsonl, line 1",
        "pkg/m.py",
    ]
    last = outcomes[-1]
    assert isinstance(last, Rejection)
    assert last.origin.path == "line 2"


def test_what_was_fetched_from_a_url_stays(
    collect: Collect, memory: fsspec.AbstractFileSystem
) -> None:
    memory.pipe("/shards/a.jsonl", b'{"content": "a = 1"}\n')
    before = collect("memory://shards")
    memory.pipe("/shards/a.jsonl", b'{"content": "a = 2"}\n')
    memory.pipe("/shards/b.jsonl", b'{"content": "b = 1"}\n')
    assert collect("memory://shards") == before


def test_files_come_over_http_and_by_file_urls(collect: Collect, served: tuple[Path, str]) -> None:
    root, url = served
    row = json.dumps({"content": "x = 1", "license": "mit"})
    (root / "rows.jsonl").write_text(row + "\n")
    assert reasons(collect(f"{url}/rows.jsonl", f"file://{root}/rows.jsonl")) == [
        "ok",
        "duplicate",
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere.jsonl", "cannot read"),
        ("notes.txt", "holds no Python"),
        ("bad.jsonl", "no line of"),
    ],
)
def test_urls_that_cannot_be_read(served: tuple[Path, str], name: str, said: str) -> None:
    root, url = served
    (root / "notes.txt").write_text("nothing")
    (root / "bad.jsonl").write_text("nothing")
    with pytest.raises(UsageError, match=said):
        Collector(CollectSettings()).check([f"{url}/{name}"])


def test_a_data_set_of_the_hub_is_its_files(
    collect: Collect, monkeypatch: pytest.MonkeyPatch, memory: fsspec.AbstractFileSystem
) -> None:
    asked = []

    def here(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
        asked.append(url)
        return memory, "/datasets/team/set"

    monkeypatch.setattr(fsspec.core, "url_to_fs", here)
    memory.pipe("/datasets/team/set/data/train.jsonl", b'{"text": "x = 1"}\n')
    assert reasons(collect("hf:team/set")) == ["ok"]
    assert set(asked) == {"hf://datasets/team/set"}
