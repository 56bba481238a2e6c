"""Trainer and evaluation find the same rows, however they lie."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub.utils import filter_repo_objects
from transformers import AutoTokenizer

from codeio.evaluation.held_out import held_out_from_hub, held_out_questions
from codeio.evaluation.measurement import Plan
from codeio.evaluation.of_run import search
from codeio.evaluation.suites import chosen_suites, held_out_suites
from codeio.evaluation.training_rows import rows_in, training_rows
from codeio.training_run.outcomes import RunError
from codeio.training_run.places import Places
from tests.evaluation.conftest import local_file
from tests.evaluation.test_of_run import run_of
from tests.trainer.data.making import prepared, texts
from tests.training_run.data.files import KINDS, write

if TYPE_CHECKING:
    from pathlib import Path

    from codeio.training_run.manifest import TrainingRun

ROWS = [
    {
        "sample_id": f"s{number}",
        "task_id": f"t{number}",
        "program_id": "p",
        "messages": [
            {"role": "user", "content": f"Question {number}"},
            {"role": "assistant", "content": f"Answer {number}"},
        ],
        "verification_info": json.dumps(
            {"direction": "DIRECTION_OUTPUT_PREDICTION", "code": f"def f{number}(): pass"}
        ),
    }
    for number in range(5)
]
LAYOUTS = {
    **{f"train{kind}": [f"train{kind}"] for kind in KINDS},
    "shards": ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"],
    "packed shards": ["train-00000-of-00002.jsonl.zst", "train-00001-of-00002.jsonl.zst"],
    "data": ["data/train.jsonl"],
    "shards in data": ["data/train-0.parquet", "data/train-1.parquet"],
    "snapshot": ["messages/train.parquet"],
    "sharded snapshot": ["messages/train-0-of-2.jsonl.gz", "messages/train-1-of-2.jsonl.gz"],
}


@pytest.fixture(params=LAYOUTS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Five rows in the split `train`, and others beside it."""
    names = LAYOUTS[request.param]
    half = len(ROWS) // len(names)
    for number, name in enumerate(names):
        last = number == len(names) - 1
        write(tmp_path / "rows" / name, ROWS[number * half : None if last else half])
    write((tmp_path / "rows" / names[0]).with_name("test.jsonl"), [ROWS[0]])
    if "snapshot" in request.param:
        (tmp_path / "rows" / "manifest.json").write_text("{}")
    return tmp_path / "rows"


def test_all_users_find_the_same_rows(folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    corpus = prepared({"path": str(folder)}, tokenizer=tokenizer, folder=tmp_path / "corpus")
    learnt = [text for _, text in texts(corpus, tokenizer)]
    assert learnt == [f"Answer {number}<|end|>" for number in range(5)]

    run = run_of(tmp_path, {"suites": ["gsm8k"]}, data=folder)
    assert list(training_rows(run, Places(run=run))) == [(f"s{n}", ROWS[n]) for n in range(5)]
    assert list(rows_in(folder, split="train")) == [(f"s{n}", ROWS[n]) for n in range(5)]

    asked = held_out_questions(folder, split="train", suites=held_out_suites())
    assert [each.id for each in asked["held-out-output"]] == [f"t{n}" for n in range(5)]


@pytest.mark.parametrize("name", ["test.parquet", "test-00000-of-00001.parquet"])
def test_held_out_rows_are_downloaded_from_the_hub(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, cache = tmp_path / "hub", tmp_path / "cache"
    write(hub / "messages" / name, ROWS)
    write(hub / "messages" / "train.parquet", ROWS)

    def download(_: str, *, allow_patterns: list[str], **__: object) -> str:
        there = [file.relative_to(hub).as_posix() for file in hub.rglob("*.*")]
        for file in filter_repo_objects(there, allow_patterns=allow_patterns):
            write(cache / file, ROWS)
        return str(cache)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    place = held_out_from_hub("some/data", revision=None, split="test")
    assert [file.name for file in cache.rglob("*.*")] == [name]
    asked = held_out_questions(place, split="test", suites=held_out_suites())
    assert len(asked["held-out-output"]) == 5


def test_a_row_that_is_no_question_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "test.jsonl", [ROWS[0], {**ROWS[1], "verification_info": "{}"}])
    with pytest.raises(RunError, match=rf"row 2 of {file} is malformed: it lacks 'direction'"):
        held_out_questions(tmp_path, split="test", suites=held_out_suites())


def test_a_split_without_rows_is_told_beside_those_that_have_some(tmp_path: Path) -> None:
    write(tmp_path / "messages" / "train.jsonl", ROWS)
    write(tmp_path / "messages" / "validation-00000-of-00001.jsonl", ROWS[:1])
    empty = write(tmp_path / "messages" / "test.jsonl", [])
    for place, advice in (
        (tmp_path, "choose another: train or validation"),
        (empty, "name other data"),
    ):
        with pytest.raises(RunError) as error:
            held_out_questions(place, split="test", suites=held_out_suites())
        said = f"the held-out split test of {place} has no rows; {advice}"
        assert str(error.value) == said


def test_rows_without_a_name_are_named_by_their_place(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", [{"prompt": "a"}, {"prompt": "b"}])
    assert [name for name, _ in rows_in(file, split="train")] == [f"{file}:1", f"{file}:2"]


def named(tmp_path: Path, source: dict[str, Any]) -> tuple[TrainingRun, Places]:
    run = run_of(tmp_path, {"suites": ["gsm8k"]})
    document = run.spec.model_dump(by_alias=True, exclude_none=True)
    document["data"]["reasoning"] = [source]
    run = run.model_copy(update={"spec": type(run.spec).model_validate(document)})
    return run, Places(run=run)


def test_the_hub_gives_the_format_that_is_trained_on(tmp_path: Path) -> None:
    # To the library a folder is a data set like one at the hub.
    write(tmp_path / "hub" / "codeio" / "train.jsonl", [{"prompt": "another"}])
    write(tmp_path / "hub" / "messages" / "train.jsonl", ROWS)
    configs = [
        {"config_name": name, "data_files": f"{name}/train.jsonl"}
        for name in ("codeio", "messages")
    ]
    (tmp_path / "hub" / "README.md").write_text(f"---\n{json.dumps({'configs': configs})}\n---\n")
    run, places = named(tmp_path, {"name": str(tmp_path / "hub")})
    assert [name for name, _ in training_rows(run, places)] == [f"s{n}" for n in range(5)]


def test_a_hub_out_of_reach_leaves_the_search_out(tmp_path: Path) -> None:
    run, places = named(tmp_path, {"name": "some-organisation/some-chats"})
    plan = Plan(suites=chosen_suites(["gsm8k"]), files={"gsm8k": local_file("gsm8k")})
    found = search(plan, training_rows(run, places))
    assert found["suites"] == {}
    assert found["not_measured"].startswith("some-organisation/some-chats cannot be read from the")
