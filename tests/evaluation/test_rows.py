"""Local files, folders and a hub that is not there."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from codeio.evaluation import rows as reading
from codeio.evaluation.rows import NotMeasurable, choose, read_questions
from codeio.evaluation.suites import all_suites
from codeio.training_run.outcomes import Reason, RunError
from tests.evaluation.conftest import local_file, ten_questions
from tests.training_run.data.files import write

if TYPE_CHECKING:
    from pathlib import Path

SUITES = all_suites()


def rows_of(suite: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in local_file(suite).read_text().splitlines()]


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_reads_its_ten_rows(suite: str) -> None:
    _, questions = ten_questions(suite)
    assert [question.row for question in questions] == rows_of(suite)


@pytest.mark.parametrize("ending", ["json", "parquet"])
def test_other_files_hold_the_same(ending: str, tmp_path: Path) -> None:
    rows = rows_of("math")
    file = write(tmp_path / f"math.{ending}", rows)
    assert read_questions(SUITES["math"], file=file) == ten_questions("math")[1]


def test_a_folder_has_a_file_for_each_part(tmp_path: Path) -> None:
    examples = [{"input": row["input"], "target": row["target"]} for row in rows_of("bbh")]
    # As BBH is published.
    (tmp_path / "web_of_lies.json").write_text(json.dumps({"canary": "", "examples": examples}))
    (tmp_path / "navigate.jsonl").write_text(json.dumps(examples[0]))
    questions = read_questions(SUITES["bbh"], file=tmp_path)
    assert [question.id for question in questions][-2:] == [
        "bbh_cot_zeroshot_web_of_lies/8",
        "bbh_cot_zeroshot_web_of_lies/9",
    ]
    assert len(questions) == 11


def test_a_folder_is_read_once_where_it_has_a_part_twice_and_in_shards(tmp_path: Path) -> None:
    rows = rows_of("gsm8k")
    write(tmp_path / "main-00000-of-00002.parquet", rows[:3])
    write(tmp_path / "main-00001-of-00002.parquet", rows[3:])
    write(tmp_path / "main.jsonl", rows)
    questions = read_questions(SUITES["gsm8k"], file=tmp_path)
    assert [each.row for each in questions] == rows
    assert len({each.id for each in questions}) == len(rows)


def test_korbench_may_have_its_rules_apart(tmp_path: Path) -> None:
    for kind in ("cipher", "logic"):
        (tmp_path / "data" / kind).mkdir(parents=True)
        rule = {"idx": "1", "title": "t", "tag": "", "rule_content": f"The rule of {kind}."}
        sample = {"idx": "7", "question": "Q?", "answer": "[[A]]", "category": "x", "rule_id": "1"}
        (tmp_path / "data" / kind / "rule.jsonl").write_text(json.dumps(rule))
        (tmp_path / "data" / kind / "sample.jsonl").write_text(json.dumps(sample))
    questions = read_questions(SUITES["korbench"], file=tmp_path)
    assert [each.row["category"] for each in questions] == ["cipher", "logic"]
    assert [each.row["rule_content"] for each in questions] == [
        "The rule of cipher.",
        "The rule of logic.",
    ]


@pytest.mark.parametrize(
    ("suite", "content", "reason", "said"),
    [
        ("gsm8k", None, Reason.EVALUATION_DATA_MISSING, "is missing; correct its path"),
        (
            "gsm8k",
            '{"question": "Q?"}',
            Reason.INVALID_DATA,
            "row 1 of .* lacks answer; the suite gsm8k needs question",
        ),
        ("gsm8k", "no json", Reason.INVALID_DATA, "row 1 of .* it is no JSON"),
        ("gsm8k", "[1]", Reason.INVALID_DATA, "it is no JSON object"),
        ("bbh", '{"input": "", "target": ""}', Reason.INVALID_DATA, "task must be one of boolean"),
        (
            "korbench",
            '{"category": "", "rule_id": "", "rule_content": "", "question": "", "answer": ""}',
            Reason.INVALID_DATA,
            "row 1 of .* lacks idx; the suite korbench needs idx",
        ),
    ],
)
def test_a_wrong_file_is_the_users(
    suite: str, content: str | None, reason: Reason, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    if content is not None:
        file.write_text(content)
    with pytest.raises(RunError, match=said) as error:
        read_questions(SUITES[suite], file=file)
    assert error.value.reason is reason
    assert str(file) in str(error.value)


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_refuses_the_file_of_another(suite: str) -> None:
    others = {local_file(other) for other in SUITES} - {local_file(suite)}
    assert len(others) == 11
    for file in others:
        with pytest.raises(RunError, match="is malformed") as error:
            read_questions(SUITES[suite], file=file)
        assert error.value.reason is Reason.INVALID_DATA


@pytest.mark.parametrize(
    ("suite", "said"),
    [("gsm8k", "openai/gsm8k"), ("korbench", "m-a-p/KOR-Bench"), ("leetcode-o", "a local file")],
)
def test_what_cannot_be_downloaded_is_said(
    suite: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as there:
        there.setattr(reading, "reach_hub", lambda: True)
        with pytest.raises(NotMeasurable, match=said):
            read_questions(SUITES[suite], file=None)
    if not SUITES[suite].file_only:
        with pytest.raises(NotMeasurable, match=r"^the hub cannot be reached$"):
            read_questions(SUITES[suite], file=None)


def test_the_limit_takes_the_same_questions_each_time() -> None:
    _, questions = ten_questions("gsm8k")
    few = choose(questions, limit=4, seed=3)
    random.seed(99)
    assert few == choose(questions, limit=4, seed=3)
    assert len(few) == 4
    # The first of a shuffle: more of them are these and others.
    assert {each.id for each in few} < {each.id for each in choose(questions, limit=6, seed=3)}
    assert few != questions[:4]
    assert {each.id for each in few} != {each.id for each in choose(questions, limit=4, seed=4)}
    assert choose(questions, limit=None, seed=0) == choose(questions, limit=99, seed=0) == questions
