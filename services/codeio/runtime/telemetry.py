"""Structured logs of what happens, on standard error: for people, or as JSON for machines."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog


def configure_logs(
    *, style: Literal["console", "json"] = "console", level: str = "warning"
) -> None:
    """Set up `structlog` for the process; `level` is a name such as `info`."""
    rendering: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if style == "json"
        # Plain: the default prints local variables, and those may be secrets.
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *rendering,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        # Looked up for each line, so that a live display may stand in for it.
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
