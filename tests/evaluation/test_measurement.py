"""What tells one measurement from another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from codeio.evaluation.measurement import Plan, header_of
from codeio.evaluation.suites import all_suites
from tests.evaluation.conftest import local_file
from tests.training_run.data.files import write

if TYPE_CHECKING:
    from pathlib import Path

SUITES = all_suites()


@pytest.mark.parametrize(("suite", "column"), [("korbench", "idx"), ("livebench", "subtask")])
def test_a_column_that_decides_what_is_right_makes_other_questions(
    suite: str, column: str, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in local_file(suite).read_text().splitlines()]
    others = [rows[0] | {column: rows[1][column]}, *rows[1:]]
    headers = [
        header_of(Plan(suites=[SUITES[suite]], files={suite: write(file, kept)}), SUITES[suite])
        for file, kept in ((tmp_path / "rows.jsonl", rows), (tmp_path / "others.jsonl", others))
    ]
    assert headers[0] != headers[1]
