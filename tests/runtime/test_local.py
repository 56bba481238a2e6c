"""The local log passes the contract, and is one file that one process holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codeio.runtime.local import LocalLog
from tests.runtime.log_contract import LogContract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "log.sqlite"


@pytest.fixture
async def log(path: Path) -> AsyncIterator[LocalLog]:
    async with LocalLog(path) as log:
        yield log


class TestLocalLog(LogContract):
    @pytest.fixture
    async def reopen(self, path: Path) -> AsyncIterator[Callable[[LocalLog], Awaitable[LocalLog]]]:
        opened: list[LocalLog] = []

        async def reopen(log: LocalLog) -> LocalLog:
            await log.close()
            opened.append(await LocalLog(path).__aenter__())
            return opened[-1]

        yield reopen
        for log in opened:
            await log.close()
