"""What a fresh machine relies on: the locks are complete, and make does what the README says."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
GUEST = ROOT / "services" / "codeio" / "executor" / "sandbox" / "guest"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def locked(lock: Path, *, python: str) -> dict[str, Version]:
    """Return what the lock pins on Linux with this Python."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
    }
    pins = (
        Requirement(line.partition(" \\")[0])
        for line in lock.read_text().splitlines()
        if line[:1].isalnum()
    )
    return {
        canonicalize_name(pin.name): Version(str(pin.specifier).removeprefix("=="))
        for pin in pins
        if pin.marker is None or pin.marker.evaluate(environment)
    }


def asked_for() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    return [wish for wish in map(Requirement, lines) if wish.name != project["name"]]


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_pins_all_that_the_project_asks_for(python: str) -> None:
    pins = locked(ROOT / "requirements.lock", python=python)

    unmet = [
        str(wish)
        for wish in asked_for()
        if (pin := pins.get(canonicalize_name(wish.name))) is None
        or not wish.specifier.contains(pin)
    ]

    assert unmet == [], "run `make lock`"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_guests_lock_pins_all_that_is_promised_to_programs(python: str) -> None:
    pins = locked(GUEST / "requirements.lock", python=python)

    promised = (GUEST / "requirements.in").read_text().split()
    assert set(promised) <= pins.keys(), "run `make lock`"


def test_every_pin_of_the_guest_is_hashed() -> None:
    text = (GUEST / "requirements.lock").read_text()

    pins = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
    assert pins
    assert all("--hash=sha256:" in pin for pin in pins)


@pytest.mark.parametrize("target", ["run", "test", "check"])
def test_make_says_what_there_is_to_make(target: str) -> None:
    told = subprocess.run(["make", "-C", ROOT], capture_output=True, text=True, check=True).stdout

    assert re.search(rf"^{target} +\w", told, flags=re.MULTILINE)
