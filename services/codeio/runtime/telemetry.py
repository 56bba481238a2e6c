"""Structured logs of what happens, on standard error: for people, or as JSON for machines."""

from __future__ import annotations

import logging
import math
import sys
from functools import partial
from typing import TYPE_CHECKING, Literal

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import Processor

_REPEAT_SECONDS = 10.0
_REMEMBERED = 1000


def configure_logs(
    *, style: Literal["console", "json"] = "console", level: str = "warning"
) -> None:
    """Set up the logs of the process, those of libraries too; `level` is a name such as `info`.

    Libraries tell warnings and errors alone: what they call information is for their authors.
    """
    common, rendering = _common(), _rendering(style)
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*common, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        # Looked up for each line, so that a live display may stand in for it.
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = _StandardError(max(least, logging.WARNING))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*common, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    others = [each for each in root.handlers if not isinstance(each, _StandardError)]
    root.handlers = [*others, handler]


def saying(style: Literal["console", "json"]) -> Callable[[str], None]:
    """Return what says a line on standard error whatever the level, in the form of the logs."""
    if style == "console":
        return partial(print, file=sys.stderr)
    logger: structlog.BoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr),
        processors=[*_common(), *_rendering(style)],
        wrapper_class=structlog.BoundLogger,
    )

    def say(line: str) -> None:
        logger.info(line)

    return say


def _common() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _rendering(style: Literal["console", "json"]) -> list[Processor]:
    if style == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Plain: the default prints local variables, and those may be secrets.
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]


class _StandardError(logging.Handler):
    """Writes to what standard error is at the time of each line."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._told: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Let a line pass unless the same was told just now.

        A broker that is away is told ten times a second and more by its library.
        """
        line = record.name, record.getMessage()
        if record.created - self._told.get(line, -math.inf) < _REPEAT_SECONDS:
            return False
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told[line] = record.created
        return True

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:  # noqa: BLE001  (a line that cannot be told ends no work)
            self.handleError(record)
