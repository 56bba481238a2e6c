"""Calls the command line in this process."""

from __future__ import annotations

import signal
import sys
from unittest.mock import patch

import pytest

from codeio.cli import main
from codeio.runtime.signals import answered


def exit_code(*arguments: object) -> int:
    """Call `codeio` with arguments; return its exit code. Signals are heeded as before then."""
    with (
        patch.object(sys, "argv", ["codeio", *map(str, arguments)]),
        answered([signal.SIGINT], signal.default_int_handler),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return int(ended.value.code or 0)
