"""Log lines: on standard error, for people or for machines."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Literal

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from codeio.runtime.telemetry import configure_logs, saying

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    handlers = logging.getLogger().handlers
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers = handlers


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


def test_lines_of_libraries_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # and are not told twice
        configure_logs(style="json", level="info")
    logging.getLogger("kafka.conn").info("of no interest")
    with bound_contextvars(stage="executor"):
        logging.getLogger("kafka.conn").warning("%s went away", "node 1")
    line = json.loads(capsys.readouterr().err)
    del line["timestamp"]
    assert line == {
        "event": "node 1 went away",
        "level": "warning",
        "logger": "kafka.conn",
        "stage": "executor",
    }


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


def test_what_a_library_repeats_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    for _ in range(5):
        for node in (1, 2):
            logging.getLogger("kafka.client").warning("no way to node %s", node)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("no way to ")[2][:6] for line in lines] == ["node 1", "node 2"]


def test_what_is_said_has_the_form_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    saying("console")("serving executor on [::1]:1")
    saying("json")("serving executor on [::1]:1")
    plain, line = capsys.readouterr().err.splitlines()
    assert plain == "serving executor on [::1]:1"
    assert json.loads(line).items() >= {"event": plain, "level": "info"}.items()
