"""An address names a store; what a store needs is loaded for that one alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from codeio.language_model.store.objects import ObjectStore
from codeio.language_model.store.opening import default_store, open_store
from codeio.language_model.store.postgres import PostgresStore
from codeio.language_model.store.remote import words_of
from codeio.language_model.store.sqlite import SqliteStore
from codeio.runtime.errors import UsageError
from codeio.runtime.settings import public_url


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("", default_store()),
        ("kept.sqlite", Path("kept.sqlite")),
        ("/srv/kept.sqlite", Path("/srv/kept.sqlite")),
        ("sqlite:///kept.sqlite", Path("kept.sqlite")),
        ("sqlite:////srv/kept.sqlite", Path("/srv/kept.sqlite")),
        ("~/kept.sqlite", Path.home() / "kept.sqlite"),
    ],
)
def test_a_path_names_an_sqlite_file(url: str, path: Path) -> None:
    store = open_store(url)
    assert isinstance(store, SqliteStore)
    assert store._path == path


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite://host/kept.sqlite"])
def test_an_sqlite_address_without_a_path_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match=f"{url} names no file; write sqlite:///PATH"):
        open_store(url)


@pytest.mark.parametrize("url", ["postgresql://host/db", "postgres://me:secret@host:1/db?a=b"])
def test_a_server_of_postgresql(url: str) -> None:
    assert isinstance(open_store(url), PostgresStore)


@pytest.mark.parametrize("url", ["s3://bucket/folder", "memory://x", "gs://b", "file:///srv/kept"])
def test_other_schemes_are_fsspec_s(url: str) -> None:
    assert isinstance(open_store(url), ObjectStore)


def test_the_default_is_in_the_user_s_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    assert default_store() == Path("/srv/data/codeio/responses.sqlite")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_store() == Path.home() / ".local/share/codeio/responses.sqlite"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_store() == Path.home() / ".local/share/codeio/responses.sqlite"


def test_a_file_is_opened_without_what_the_other_stores_need() -> None:
    script = (
        "import pathlib, sys\n"
        "from codeio.language_model.store.opening import open_store\n"
        "open_store('x')\n"
        "print({'psycopg', 'psycopg_pool', 'fsspec'} & sys.modules.keys())\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert told.stdout == "set()\n"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host:1/db?password=secret", "postgresql://host:1/db"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("s3://bucket/a/b", "s3://bucket/a/b"),
        ("s3://key:secret@bucket/a/b", "s3://bucket/a/b"),
        ("file:///srv/x@y", "file:///srv/x@y"),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, shown: str) -> None:
    assert public_url(url) == shown


def test_a_password_is_taken_out_of_what_a_server_says() -> None:
    error = RuntimeError("no login with p@ss, p%40ss.\n\tA hint.")
    assert words_of(error, url="x://me:p%40ss@host") == "no login with ***, ***"
    assert words_of(RuntimeError(), url="x://host") == "RuntimeError"
