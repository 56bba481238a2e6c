"""A sandbox that is stopped leaves nothing on the host."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from codeio.executor.sandbox import make_pool
from codeio.runtime.settings import load_settings
from codeio.v1.execution_pb2 import Call, ExecuteRequest

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_neither_folders_nor_mounts_remain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pool = make_pool(load_settings(flags={"sandbox": {"workers": 1}}), say=lambda _: None)

    async with pool:
        request = ExecuteRequest(
            code="def main_solution(n):\n    return n", entry_point="main_solution"
        )
        request.calls.append(Call(input_json='{"n": 1}'))
        await pool.execute(request)
        assert names(tmp_path)

    assert names(tmp_path) == []
