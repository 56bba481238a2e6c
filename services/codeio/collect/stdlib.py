"""The standard library of the running interpreter."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from codeio.collect.tree import Folder

LICENCE = "PSF-2.0"

# Tests, tools with a window, build machinery and tables that hold no algorithms.
_LEFT_OUT = frozenset(
    {
        "test",
        "tests",
        "idlelib",
        "idle_test",
        "tkinter",
        "turtledemo",
        "lib2to3",
        "ensurepip",
        "distutils",
        "pydoc_data",
        "lib-dynload",
        "encodings",
        "__phello__",
        "venv",
    }
)


def folder() -> Folder:
    return Folder(Path(sysconfig.get_path("stdlib")), leave_out=_LEFT_OUT)
