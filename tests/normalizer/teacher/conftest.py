"""Normalizers that ask a scripted model and execute for real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from codeio.executor.stage import Executor
from codeio.normalizer.teacher import TeacherNormalizer
from codeio.runtime.settings import ExecutorSettings, LimitsSettings

if TYPE_CHECKING:
    from codeio.executor.sandbox.pool import Pool
    from codeio.runtime.stage import Stage
    from tests.normalizer.teacher.scripted import Scripted


class MakeTeacher(Protocol):
    def __call__(self, model: Scripted) -> TeacherNormalizer: ...


@pytest.fixture
def executor(sandbox: Pool) -> Stage:
    return Executor(
        sandbox,
        guest=sandbox.version,
        settings=ExecutorSettings(),
        limits=LimitsSettings(),
        seed=0,
    )


@pytest.fixture
def teacher(executor: Stage) -> MakeTeacher:
    def make(model: Scripted) -> TeacherNormalizer:
        return TeacherNormalizer(model, executor=executor, limits=LimitsSettings())

    return make
