"""How far an evaluation is, for the launcher and for Prometheus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge

from codeio.training_run.serving import served
from codeio.training_run.status import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager


class Reporter:
    """Tells of one evaluation: its steps are questions, of all suites together.

    Which suite it is at is told by the figures for Prometheus.
    """

    def __init__(self, step: str) -> None:
        """`step` is the name that the run has for it."""
        self.progress = Progress(stage=step)
        self._questions: Mapping[str, int] = {}
        self._suite = ""
        self._since = 0.0
        self._seconds, self._new = 0.0, 0
        self._registry = CollectorRegistry()
        self._asked, self._answered = (
            Gauge(f"codeio_evaluation_{name}", text, ["stage", "suite"], registry=self._registry)
            for name, text in (
                ("questions", "Questions of a suite."),
                ("answered", "Questions of a suite that are answered."),
            )
        )

    def begin(self, questions: Mapping[str, int]) -> None:
        """Tell how many questions there are, by suite."""
        self._questions = questions
        for suite, number in questions.items():
            self._asked.labels(self.progress.stage, suite).set(number)
            self._answered.labels(self.progress.stage, suite).set(0)
        self._tell(steps=sum(questions.values()))

    def has(self, suite: str) -> None:
        """Tell that all of a suite was measured earlier."""
        self._suite = suite
        self.answered(self._questions[suite], 0)

    def asks(self, suite: str) -> None:
        """Tell that a suite is begun, by a model that is loaded."""
        self._suite = suite
        self._since = time.monotonic()

    def answered(self, questions: int, new: int) -> None:
        """Tell of answers to the suite's next questions, of which so many were asked for now."""
        if new:
            now = time.monotonic()
            self._seconds += now - self._since
            self._new += new
            self._since = now
        self._answered.labels(self.progress.stage, self._suite).inc(questions)
        self._tell(step=self.progress.step + questions)

    def served(self, port: int) -> AbstractContextManager[int]:
        """Answer HTTP for the time of the body; yield the port: 0 is a free one.

        Raises:
            UsageError: the port cannot be had.
        """
        return served(port, progress=lambda: self.progress, registry=self._registry)

    def _tell(self, **figures: int) -> None:
        told = self.progress.model_copy(update=figures)
        left = (told.steps or 0) - told.step
        seconds = left * self._seconds / self._new if self._new else None
        self.progress = told.model_copy(update={"seconds_left": seconds if left else 0.0})
