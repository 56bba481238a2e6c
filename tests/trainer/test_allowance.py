"""How much of a machine a run takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from codeio.trainer import allowance
from codeio.trainer.allowance import cores, preparation_workers
from codeio.training_run.spec import Workers

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30


@pytest.fixture
def control_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node of 128 cores and 512 GiB, and the folder of this container's limits there."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(128)))
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1 << 27}.get)
    monkeypatch.setattr(allowance, "_CONTROL_GROUP", tmp_path)
    return tmp_path


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("files", "asked", "expected"),
    [
        ({}, {}, 128),  # on a machine of one's own
        ({}, {"cpu": "12"}, 12),
        ({}, {"cpu": "2500m"}, 2),
        ({}, {"cpu": "100m"}, 1),
        ({"cpu_dot_max": "max 100000"}, {"cpu": "6"}, 6),
        ({"cpu_dot_max": "400000 100000"}, {"cpu": "6"}, 4),
        ({"cpu__cpu_dot_cfs_quota_us": "-1", "cpu__cpu_dot_cfs_period_us": "100000"}, {}, 128),
        ({"cpu__cpu_dot_cfs_quota_us": "300000", "cpu__cpu_dot_cfs_period_us": "100000"}, {}, 3),
    ],
)
def test_cores_are_those_of_the_container_not_of_its_node(
    files: dict[str, str], asked: dict[str, Any], expected: int, control_group: Path
) -> None:
    write(control_group, **files)
    assert cores(Workers(**asked)) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 16),
        ({"memory_dot_max": "max"}, 16),
        ({"memory_dot_max": str(8 * GIB)}, 6),
        ({"memory_dot_max": str(GIB)}, 1),
        ({"memory__memory_dot_limit_in_bytes": str(8 * GIB)}, 6),
        ({"memory__memory_dot_limit_in_bytes": str((1 << 63) - 4096)}, 16),
    ],
)
def test_data_are_prepared_by_as_many_processes_as_memory_holds(
    files: dict[str, str], expected: int, control_group: Path
) -> None:
    write(control_group, **files)
    assert preparation_workers(Workers(processes_per_node=2)) == expected
    assert preparation_workers(Workers(cpu="1")) == 1
