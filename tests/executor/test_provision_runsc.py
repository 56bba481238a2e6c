"""Finding and getting runsc, on machines made of shell scripts."""

from __future__ import annotations

import hashlib
import os
import platform
from typing import TYPE_CHECKING

import pytest

from codeio.executor.sandbox import runsc
from codeio.runtime.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from codeio.executor.sandbox.runsc import Runsc


class Machine:
    """A PATH with nothing on it but what a test puts there, and a log of what was said."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "path"
        self.home = folder / "home"
        self.releases = folder / "releases"
        self.said: list[str] = []

    def script(self, path: Path, body: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    def runsc(self, path: Path, *, version: str = "new", platforms: str = "systrap|ptrace") -> Path:
        wanted = "|".join(f"*--platform={name}*" for name in platforms.split("|"))
        body = f"""case "$*" in
            --version) echo "runsc version {version}"; echo "spec: 1.2" ;;
            {wanted}) ;;
            *) echo "noise" >&2; echo "unknown platform" >&2; exit 128 ;;
        esac"""
        return self.script(path, body)

    def release(self, *, checksum: str | None = None) -> None:
        folder = self.releases / platform.machine()
        binary = self.runsc(folder / "runsc", version="release")
        stated = checksum or hashlib.sha512(binary.read_bytes()).hexdigest()
        (folder / "runsc.sha512").write_text(f"{stated}  runsc\n")

    def go(self, *, version: str = "1.24.2") -> None:
        built = self.runsc(self.path.parent / "built" / "runsc", version="go")
        self.script(
            self.path / "go",
            f"""case "$1" in
                version) echo "go version go{version} linux/amd64" ;;
                install) test "$CGO_ENABLED" = 0 && /bin/cp {built} "$GOBIN/runsc" ;;
            esac""",
        )

    def apt(self) -> None:
        packaged = self.runsc(
            self.path.parent / "packaged" / "runsc", version="old", platforms="ptrace"
        )
        body = f'case "$*" in *install*runsc) /bin/cp {packaged} {self.path}/runsc ;; esac'
        self.script(self.path / "apt-get", body)

    def install(self) -> Runsc:
        return runsc.install_runsc(self.home, say=self.said.append)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    machine.path.mkdir()
    monkeypatch.setenv("PATH", str(machine.path))
    monkeypatch.setattr(runsc, "RELEASES", machine.releases.as_uri())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return machine


def ordinary_user(machine: Machine, monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    """Make the user an ordinary one to whom the system refuses namespaces."""
    machine.script(machine.path / "unshare", "exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    system = machine.home.parent / "sys"
    for name, value in settings.items():
        file = system / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")
    monkeypatch.setattr(runsc, "_SYSCTL", system)


def test_the_one_on_path_comes_first(machine: Machine) -> None:
    on_path = machine.runsc(machine.path / "runsc", version="release-20990101.0")
    machine.runsc(machine.home / "bin" / "runsc")

    found = runsc.find_runsc(machine.home)

    assert (found.path, found.version, found.platform, found.source) == (
        on_path,
        "release-20990101.0",
        "systrap",
        "PATH",
    )
    assert "--systrap-disable-fast-path" in found.flags


def test_one_that_lacks_an_option_does_without(machine: Machine) -> None:
    on_path = machine.runsc(machine.path / "runsc")
    refusing = on_path.read_text().replace(
        "case", 'case "$*" in *fast-path*) exit 2 ;; esac\ncase', 1
    )
    on_path.write_text(refusing)

    found = runsc.find_runsc(machine.home)

    assert found.platform == "systrap"
    assert "--systrap-disable-fast-path" not in found.flags


def test_one_that_does_not_work_is_passed_over(machine: Machine) -> None:
    machine.script(machine.path / "runsc", "exit 1")
    own = machine.runsc(machine.home / "bin" / "runsc")

    assert runsc.find_runsc(machine.home).path == own


def test_an_old_one_is_used_with_ptrace(machine: Machine) -> None:
    machine.runsc(machine.path / "runsc", platforms="ptrace")

    assert runsc.find_runsc(machine.home).platform == "ptrace"


def test_without_runsc_the_user_is_told_what_to_do(machine: Machine) -> None:
    with pytest.raises(UsageError, match=r"missing: run `codeio setup`, or .*--sandbox process"):
        runsc.find_runsc(machine.home)


def test_why_runsc_does_not_work_is_told(machine: Machine) -> None:
    machine.script(machine.path / "runsc", "echo no such luck >&2; exit 1")

    with pytest.raises(UsageError, match="no such luck"):
        runsc.find_runsc(machine.home)


def test_what_is_installed_is_not_got_again(machine: Machine) -> None:
    machine.runsc(machine.path / "runsc", version="mine")
    machine.release()

    assert machine.install().version == "mine"
    assert not (machine.home / "bin").exists()


def test_the_release_comes_next(machine: Machine) -> None:
    machine.release()
    machine.go()

    got = machine.install()

    assert (got.version, got.path) == ("release", machine.home / "bin" / "runsc")
    assert runsc.find_runsc(machine.home).path == got.path
    assert "from gVisor's release" in machine.said[-1]


def test_a_release_with_another_checksum_is_not_taken(machine: Machine) -> None:
    machine.release(checksum="0" * 128)
    machine.go()

    assert machine.install().version == "go"
    assert any("checksum" in line for line in machine.said)


def test_a_machine_that_cannot_reach_the_release_builds_with_go(machine: Machine) -> None:
    machine.go()
    machine.apt()

    got = machine.install()

    assert (got.version, got.platform) == ("go", "systrap")
    assert runsc.GO_VERSION in got.source
    assert [path.name for path in got.path.parent.iterdir()] == ["runsc"]


@pytest.mark.parametrize("version", ["1.20.14", "1.9"])
def test_an_old_go_is_left_alone(machine: Machine, version: str) -> None:
    machine.go(version=version)
    machine.apt()

    assert machine.install().version == "old"


def test_the_package_is_the_last_resort_and_said_to_be_slow(machine: Machine) -> None:
    machine.apt()

    got = machine.install()

    assert (got.version, got.platform) == ("old", "ptrace")
    assert "slow" in machine.said[-1]


def test_a_build_that_fails_leads_on(machine: Machine) -> None:
    machine.script(
        machine.path / "go",
        '[ "$1" = version ] && echo "go version go1.24.2" || { echo "no network" >&2; exit 1; }',
    )
    machine.apt()

    assert machine.install().version == "old"
    assert any("no network" in line for line in machine.said)


def test_when_no_way_is_left_the_user_is_told_where_to_look(machine: Machine) -> None:
    with pytest.raises(UsageError, match=r"https://gvisor\.dev/.*--sandbox process"):
        machine.install()


@pytest.mark.parametrize(
    ("settings", "mend"),
    [
        (
            {"kernel__apparmor_restrict_unprivileged_userns": "1"},
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (
            {
                "kernel__apparmor_restrict_unprivileged_userns": "0",
                "kernel__unprivileged_userns_clone": "0",
            },
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        ({"user__max_user_namespaces": "0"}, "sudo sysctl -w user.max_user_namespaces=15000"),
        ({}, "run this as root"),
    ],
)
def test_a_user_without_namespaces_gets_the_one_command(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], mend: str
) -> None:
    machine.release()
    ordinary_user(machine, monkeypatch, **settings)

    with pytest.raises(UsageError, match=mend):
        machine.install()
    with pytest.raises(UsageError, match=mend):
        runsc.find_runsc(machine.home)
    assert not (machine.home / "bin").exists(), "nothing is fetched that could not be used"


def test_an_ordinary_user_with_namespaces_runs_it_rootless(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    machine.script(
        machine.path / "runsc", 'case "$*" in --version|*--rootless*) ;; *) exit 1;; esac'
    )

    assert runsc.find_runsc(machine.home).path == machine.path / "runsc"


def test_a_home_that_cannot_be_written_is_wrong_use(machine: Machine) -> None:
    machine.home.write_text("a file")

    with pytest.raises(UsageError, match="CODEIO_SANDBOX__HOME"):
        machine.install()
