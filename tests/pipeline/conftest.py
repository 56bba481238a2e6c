"""A command line to call as a user does, and a folder of code to call it on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

Codeio: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]

COMMAND = Path(sys.executable).with_name("codeio")

CODE = {
    "bisection.py": '''"""Searching in sorted lists."""


def lower_bound(values: list[int], wanted: int) -> int:
    """Return the first index at which `wanted` could be inserted into the sorted `values`."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low
''',
    "letters.py": '''def count_vowels(text: str) -> int:
    """Count the vowels of a text.

    >>> count_vowels("education")
    5
    """
    return sum(letter in "aeiou" for letter in text.lower())


def caesar(text: str, shift: int) -> str:
    """Shift each letter of a lower-case text by so many places, round the alphabet."""
    result = ""
    for letter in text:
        if "a" <= letter <= "z":
            result += chr((ord(letter) - ord("a") + shift) % 26 + ord("a"))
        else:
            result += letter
    return result
''',
    "account.py": '''class Account:
    """A bank account with interest."""

    def __init__(self, balance: int):
        self.balance = balance

    def after(self, years: int, percent: int) -> int:
        """Return the balance after some years, rounded down each year."""
        balance = self.balance
        for _ in range(years):
            balance += balance * percent // 100
        return balance
''',
    "reader.py": "def size(path):\n    with open(path) as file:\n        return len(file.read())\n",
    "broken.py": "def broken(:\n",
}


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    for name, text in CODE.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def codeio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Codeio:
    # Without bytecode every start takes seconds.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    # Fewer tasks make the same point in less time.
    monkeypatch.setenv("CODEIO_EXECUTOR__TASKS_PER_PROGRAM", "4")

    def call(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
            timeout=280,
        )

    return call
