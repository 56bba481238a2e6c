from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from codeio.collect import Collector
from codeio.runtime.settings import CollectSettings
from codeio.v1.records_pb2 import RawFile, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Collect(Protocol):
    def __call__(
        self, *sources: str | Path, skip: int = 0, limit: int | None = None, **settings: Any
    ) -> list[RawFile | Rejection]: ...


@pytest.fixture
def collect(tmp_path: Path) -> Collect:
    """Collect sources with settings and return the outcomes in order."""

    def run(
        *sources: str | Path, skip: int = 0, limit: int | None = None, **settings: Any
    ) -> list[RawFile | Rejection]:
        collector = Collector(
            CollectSettings(**settings), limit=limit, cache=tmp_path / "cache of sources"
        )
        pairs = list(collector.collect([str(source) for source in sources], skip=skip))
        assert [position for position, _ in pairs] == list(range(skip + 1, skip + 1 + len(pairs)))
        return [outcome for _, outcome in pairs]

    return run


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Path]:
    """Write a JSON Lines file; bytes are lines as they stand."""

    def write(*rows: Any, name: str = "rows.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(
            b"".join(
                (row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n"
                for row in rows
            )
        )
        return path

    return write


def reasons(outcomes: list[RawFile | Rejection]) -> list[str]:
    """Return `ok` for what was taken in, the reason for what was refused."""
    return ["ok" if isinstance(outcome, RawFile) else outcome.reason for outcome in outcomes]


def only_file(outcomes: list[RawFile | Rejection]) -> RawFile:
    (outcome,) = outcomes
    assert isinstance(outcome, RawFile), outcome
    return outcome
