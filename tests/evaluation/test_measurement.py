"""What tells one measurement from another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from codeio.evaluation.measurement import Plan, header_of, measure
from codeio.evaluation.model import Model
from codeio.evaluation.progress import Reporter
from codeio.evaluation.suites import all_suites
from tests.evaluation.conftest import Scripted, local_file, ten_questions
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


@pytest.mark.parametrize(("suite", "shared"), [("drop", "passage"), ("korbench", "rule_content")])
def test_questions_about_the_same_are_resampled_together(
    suite: str, shared: str, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in local_file(suite).read_text().splitlines()]
    rows[1] |= {shared: rows[0][shared]}
    plan = Plan(suites=[SUITES[suite]], files={suite: write(tmp_path / "rows.jsonl", rows)})
    model = Model(name="m", fingerprint="f", batch_size=10, load=lambda: Scripted(lambda _: "?"))
    measured = measure(plan, tmp_path, model=model, reporter=Reporter("before"), say=print)
    items = measured.results[suite].items
    assert len("".join(item.cluster for item in items)) <= 16 * len(items)  # no copies of texts
    same = [[a.cluster == b.cluster for b in items] for a in items]
    assert same == [[a[shared] == b[shared] for b in rows] for a in rows]


def test_questions_of_a_program_name_it() -> None:
    suite, (question, *_) = ten_questions("leetcode-o")
    assert suite.cluster_of(question) == question.row["problem_id"]
