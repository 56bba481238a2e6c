"""The line before a service: how long it is, and when to come again."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from codeio.runtime import admission
from codeio.runtime.admission import Admission
from codeio.runtime.errors import Overloaded
from codeio.v1.execution_pb2 import Priority

BATCH, INTERACTIVE = Priority.PRIORITY_BATCH, Priority.PRIORITY_INTERACTIVE


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(admission, "monotonic", lambda: self.now)


def wait_of(line: Admission, priority: Priority = BATCH) -> float:
    with pytest.raises(Overloaded) as refused, line.admit(priority):
        pass
    assert refused.value.retry_after is not None
    return refused.value.retry_after


def test_the_wait_is_about_the_time_that_the_line_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    line = Admission(slots=2, waiting_batch=8, waiting_interactive=4)
    for _ in range(100):
        with line.admit(BATCH):
            clock.now += 3.0
    with ExitStack() as others, ExitStack() as last:
        for _ in range(9):
            others.enter_context(line.admit(BATCH))
        last.enter_context(line.admit(BATCH))
        assert wait_of(line) == pytest.approx(3.0 * 8 / 2, rel=0.01)
        # Interactive jobs go before batch jobs, so they wait for one another alone.
        for _ in range(6):
            others.enter_context(line.admit(INTERACTIVE))
        assert wait_of(line, INTERACTIVE) == pytest.approx(3.0 * 4 / 2, rel=0.01)
        # Not all the time that one waited for others is the time that it took.
        clock.now += 3.0 * 10 / 2
        last.close()
        with line.admit(BATCH):
            assert wait_of(line) == pytest.approx(3.0 * 14 / 2, rel=0.01)


@pytest.mark.parametrize("seconds", [0.0, 1e6])
def test_the_wait_is_neither_none_nor_for_ever(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    clock = Clock(monkeypatch)
    line = Admission(slots=1)
    for _ in range(200):
        with line.admit(BATCH):
            clock.now += seconds
    with line.admit(BATCH):
        assert 0.01 <= wait_of(line) <= 60
