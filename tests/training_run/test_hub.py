"""Whether the hub can be reached."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import datasets
import pytest
from huggingface_hub import constants

from codeio.training_run import hub

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Hub(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where a hub answers that can be reached while the test holds it."""
    with HTTPServer(("127.0.0.1", 0), _Hub) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        there = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", there)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
        yield there
        server.shutdown()
        serving.join()


def test_a_hub_that_answers_is_used(address: str) -> None:
    assert address
    assert hub.reach_hub()
    assert not constants.HF_HUB_OFFLINE
    assert not datasets.config.HF_HUB_OFFLINE


def test_a_hub_that_answers_late_is_used(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if seconds:  # the network of a pod begins meanwhile
            monkeypatch.setattr(constants, "ENDPOINT", address)

    monkeypatch.setattr(time, "sleep", wait)
    assert hub.reach_hub()
    assert waited == [0, 1]


def test_one_that_does_not_answer_is_asked_a_few_times_and_never_again(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    assert not hub.reach_hub()
    assert constants.HF_HUB_OFFLINE
    assert datasets.config.HF_HUB_OFFLINE
    monkeypatch.setattr(constants, "ENDPOINT", address)
    assert not hub.reach_hub()
