"""Log lines: on standard error, for people or for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import pytest
import structlog

from codeio.runtime.telemetry import configure_logs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_json_lines_hold_what_was_bound(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(style="json", level="info")
    structlog.get_logger().bind(stage="executor").info("retry", seconds=1.5)
    out, err = capsys.readouterr()
    assert out == ""
    line = json.loads(err)
    assert line["timestamp"].endswith("Z")
    del line["timestamp"]
    assert line == {"event": "retry", "level": "info", "stage": "executor", "seconds": 1.5}


def test_json_lines_hold_tracebacks(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(style="json")
    try:
        int("broken")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "ValueError: invalid literal" in json.loads(capsys.readouterr().err)["exception"]


@pytest.mark.parametrize("style", ["console", "json"])
def test_tracebacks_do_not_show_local_variables(
    capsys: pytest.CaptureFixture[str], style: Literal["console", "json"]
) -> None:
    configure_logs(style=style)
    secret = "".join(["hun", "ter", "2"])
    try:
        int(f"{len(secret)}!")
    except ValueError:
        structlog.get_logger().exception("failed")
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert secret not in err


def test_lines_for_people_are_plain_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs(level="warning")
    structlog.get_logger().info("unheard")
    structlog.get_logger().warning("dead letter", offset=7)
    out, err = capsys.readouterr()
    assert out == ""
    assert "unheard" not in err
    assert "dead letter" in err
    assert "offset=7" in err
    assert "\x1b" not in err
