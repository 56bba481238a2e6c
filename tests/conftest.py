"""Fixtures that every area shares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from codeio.executor.sandbox import make_pool
from codeio.runtime.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codeio.executor.sandbox.pool import Pool

# A machine that is slow for a moment is no defect.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")

DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
async def sandbox() -> AsyncIterator[Pool]:
    """Real gVisor sandboxes; `make test` has installed what they need."""
    pool = make_pool(load_settings(flags={"sandbox": {"workers": 2}}), say=lambda _: None)
    async with pool:
        yield pool


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real code to measure on, where there is one."""
    if not DATA.is_dir():
        pytest.skip(f"no measuring data: {DATA} is missing")
    return DATA
