"""A folder holds the results of one plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from benchmarks.study.plan import DEMO, STUDY

if TYPE_CHECKING:
    from pathlib import Path


def test_the_demonstration_is_a_part_of_the_study(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    replace(DEMO, folder=folder).claim(precision="Float32")
    replace(STUDY, folder=folder).claim(precision="Float32")


@pytest.mark.parametrize(
    ("other", "precision"),
    [({"learning_rate": 1e-5}, "Float32"), ({"token_budget": 9}, "Float32"), ({}, "BFloat16")],
)
def test_results_of_another_plan_are_not_taken_for_its_own(
    other: dict[str, float], precision: str, tmp_path: Path
) -> None:
    replace(STUDY, folder=tmp_path).claim(precision="Float32")
    with pytest.raises(FileExistsError, match=r"was begun by another plan: remove it$"):
        replace(STUDY, folder=tmp_path, **other).claim(precision=precision)
