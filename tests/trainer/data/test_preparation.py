"""From files of rows to samples."""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from codeio.dataset import export
from codeio.runtime.settings import DatasetSettings
from codeio.trainer.data import contents, preparation
from codeio.trainer.data.chats import chat_of
from codeio.training_run.outcomes import Reason, RunError
from tests.dataset import factory
from tests.dataset.factory import CORRECT, WRONG
from tests.trainer.data.making import pair, pairs, prepared, texts, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codeio.trainer.data import Corpus

ALL_IN_TRAIN = DatasetSettings(splits=(1.0, 0.0, 0.0))
FORMATS = {
    "Messages": "messages",
    "PromptCompletion": "prompt-completion",
    "Joined": "joined",
    "ShareGpt": "sharegpt",
    "Codeio": "codeio",
}


@pytest.fixture
def make(tokenizer: Any, tmp_path: Path) -> Callable[..., Corpus]:
    """`prepared`, always into the same folder."""
    return lambda *sources, **more: prepared(
        *sources, tokenizer=tokenizer, folder=tmp_path / "run" / "data", **more
    )


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty programs' samples; a third right at once, a third once revised, a third wrong."""
    made = factory.samples(40)
    for number, sample in enumerate(made):
        sample.task.program.scores["novelty"] = number % 40 / 40
        sample.turns[-1].statements.supported = number % 2
    folder = tmp_path_factory.mktemp("snapshot") / "dataset"
    export(made, folder, settings=ALL_IN_TRAIN)
    return folder


def spoken(*said: str) -> str:
    return "".join(
        f"<|{('user', 'assistant')[number % 2]}|>\n{text}<|end|>\n"
        for number, text in enumerate(said)
    )


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("whole", [True, False])
def test_all_formats_of_a_snapshot_are_read(
    make: Any, snapshot: Path, form: str, whole: bool
) -> None:
    folder = snapshot if whole else snapshot / FORMATS[form]
    corpus = make({"path": str(folder), "format": form})
    rows = json.loads((snapshot / "manifest.json").read_text())["summary"]["rows"]
    assert corpus.summary.samples == rows[FORMATS[form]]["train"]
    assert (form == "Codeio") == (corpus.summary.samples == 160)


def test_formats_say_the_same_in_their_own_way(make: Any, tokenizer: Any, tmp_path: Path) -> None:
    sample = factory.sample(verdicts=(WRONG, CORRECT))
    export([sample], tmp_path / "dataset", settings=ALL_IN_TRAIN)
    first, second = sample.turns
    said = [first.prompt, first.response, second.prompt, second.response]
    chat = (spoken(*said), f"{first.response}<|end|>{second.response}<|end|>")
    before, rest = "\n\n".join(said[:3]), "\n\n".join(said[1:])
    expected = {
        "Messages": chat,
        "ShareGpt": chat,
        "Codeio": chat,
        "PromptCompletion": (spoken(before, second.response), f"{second.response}<|end|>"),
        "Joined": (spoken(first.prompt, rest), f"{rest}<|end|>"),
    }
    for form, told in expected.items():
        corpus = make({"path": str(tmp_path / "dataset"), "format": form})
        assert texts(corpus, tokenizer) == [told]
    corpus = make({"path": str(tmp_path / "dataset")}, loss="LastAnswer")
    assert texts(corpus, tokenizer) == [(chat[0], f"{second.response}<|end|>")]
    corpus = make({"path": str(tmp_path / "dataset")}, loss="Everything")
    [(text, learnt)] = texts(corpus, tokenizer)
    assert text == f"<|user|>{learnt}"  # the first token has nothing to be predicted from


def test_upstreams_own_columns_are_a_chat() -> None:
    row = {"prompt": "Q", "turn_1": "A", "feedback_1": "no", "turn_2": "B", "feedback_2": "yes"}
    chat = chat_of(row, "Codeio")
    assert chat is not None
    assert [message["content"] for message in chat] == ["Q", "A", "no", "B"]
    assert chat_of({"prompt": "Q", "turn_1": None}, "Codeio") is None


@pytest.mark.parametrize(
    ("select", "kept"),
    [
        ({}, lambda row: row["verdict"] == "VERDICT_CORRECT"),
        ({"verdicts": ["Wrong"]}, lambda row: row["verdict"] == "VERDICT_WRONG"),
        ({"verdicts": ["Correct", "Wrong"]}, lambda row: True),
        ({"direction": "Input"}, lambda row: "INPUT" in row["direction"]),
        ({"direction": "Output"}, lambda row: "OUTPUT" in row["direction"]),
        ({"statements": "NotContradicted"}, lambda row: row["contradicted"] == 0),
        (
            {"statements": "Supported"},
            lambda row: row["contradicted"] == 0 and row["supported"] > 0,
        ),
        ({"passRate": {"min": 0.5, "max": 1.0}}, lambda row: row["pass_rate"] >= 0.5),
        ({"passRate": {"max": 0.0}}, lambda row: row["pass_rate"] == 0),
        ({"minScores": {"novelty": 0.5}}, lambda row: json.loads(row["scores"])["novelty"] >= 0.5),
        ({"maxTurns": 1}, lambda row: row["turns"] <= 1),
    ],
)
def test_rows_of_a_snapshot_are_selected(
    make: Any, snapshot: Path, select: dict[str, Any], kept: Callable[[dict[str, Any]], bool]
) -> None:
    rows = pq.read_table(snapshot / "codeio" / "train.parquet").to_pylist()
    if "verdicts" not in select:
        rows = [row for row in rows if row["verdict"] == "VERDICT_CORRECT"]
    expected = [row for row in rows if kept(row)]
    assert expected
    [counted] = make({"path": str(snapshot), "format": "Codeio", "select": select}).summary.sources
    assert (counted.rows, counted.selected, counted.samples) == (160, len(expected), len(expected))


def test_wrong_answers_are_trained_on_where_they_are_asked_for(
    make: Any, tokenizer: Any, tmp_path: Path
) -> None:
    sample = factory.sample(verdicts=(WRONG, WRONG))
    export([sample], tmp_path / "dataset", settings=ALL_IN_TRAIN)
    source = {
        "path": str(tmp_path / "dataset"),
        "format": "Codeio",
        "select": {"verdicts": ["Wrong"]},
    }
    [(_, learnt)] = texts(make(source, loss="LastAnswer"), tokenizer)
    assert learnt == f"{sample.turns[1].response}<|end|>"


def refusal(make: Any, *sources: dict[str, Any], **more: Any) -> tuple[Reason, str]:
    with pytest.raises(RunError) as told:
        make(*sources, **more)
    return told.value.reason, str(told.value)


def test_a_selection_that_leaves_nothing_says_what_left_out_most(make: Any, snapshot: Path) -> None:
    select = {"minScores": {"beauty": 0.5}, "direction": "Output"}
    reason, said = refusal(make, {"path": str(snapshot), "format": "Codeio", "select": select})
    assert reason == Reason.NO_MATCHING_SAMPLES
    assert said == (
        f"{snapshot} has no matching samples: of its 160 rows minScores beauty 0.5 leaves out 160:"
        " relax the source's select"
    )


def test_a_file_without_rows_is_told(make: Any, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("\n")
    reason, said = refusal(make, {"path": str(tmp_path)})
    assert reason == Reason.NO_MATCHING_SAMPLES
    assert "it has no rows" in said


@pytest.mark.parametrize(
    ("path", "more", "said"),
    [
        ("missing", {}, "there is no file or folder .*missing: correct the path"),
        ("snapshot", {"format": "Joined"}, r"has no folder joined .*or export it with --format jo"),
        ("snapshot", {"split": "dev"}, r"has no file dev.parquet or dev.jsonl \(it has README"),
        ("chats.jsonl", {}, "has no column messages.*set the source's format to PromptCompl"),
        (
            "chats.jsonl",
            {"format": "PromptCompletion", "select": {}},
            "has no column verdict, by which rows are to be selected",
        ),
        ("odd.jsonl", {}, "has no column messages.*it has text.*rename its columns"),
        ("broken.jsonl", {}, "row 3 of .*broken.jsonl is malformed: it is no JSON"),
        ("role.jsonl", {}, r"row 2 of .* malformed: messages\[0\].role is 'poet', which is none"),
        ("content.jsonl", {}, r"row 2 of .* malformed: messages\[1\].content is no text"),
        ("half.jsonl", {}, r"row 2 of .* malformed: messages\[0\].content has half of a surrog"),
    ],
)
def test_what_cannot_be_read_is_told(
    make: Any, tmp_path: Path, path: str, more: dict[str, Any], said: str
) -> None:
    export(
        [factory.sample()],
        tmp_path / "snapshot",
        settings=ALL_IN_TRAIN,
        formats=["messages"],
    )
    good = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    write_rows(tmp_path / "chats.jsonl", [pair("Q", "A")])
    write_rows(tmp_path / "odd.jsonl", [{"text": "a"}])
    write_rows(tmp_path / "role.jsonl", [good, {"messages": [{"role": "poet", "content": "a"}]}])
    write_rows(
        tmp_path / "content.jsonl",
        [good, {"messages": [good["messages"][0], {"role": "assistant", "content": None}]}],
    )
    write_rows(
        tmp_path / "half.jsonl", [good, {"messages": [{"role": "user", "content": "\ud800"}]}]
    )
    (tmp_path / "broken.jsonl").write_text(json.dumps(good) + "\n\n{'no'\n")
    reason, told = refusal(make, {"path": str(tmp_path / path), **more})
    assert reason == Reason.INVALID_DATA
    assert re.search(said, told), told


def test_chats_without_an_answer_are_left_out_and_counted(make: Any, tmp_path: Path) -> None:
    question = {"messages": [{"role": "user", "content": "a"}]}
    answered = {"messages": [*question["messages"], {"role": "assistant", "content": "b"}]}
    path = write_rows(tmp_path / "rows.jsonl", [question, answered])
    [counted] = make({"path": path}).summary.sources
    assert (counted.rows, counted.without_answer, counted.samples) == (2, 1, 1)
    path = write_rows(tmp_path / "none.jsonl", [question])
    reason, said = refusal(make, {"path": path})
    assert reason == Reason.NO_MATCHING_SAMPLES
    assert "none of the 1 rows selected holds an answer" in said


def test_long_samples_are_left_out_or_told(make: Any, tmp_path: Path) -> None:
    rows = pairs([5, 500, 6])
    rows[1]["id"] = "the-long-one"
    source = {"path": write_rows(tmp_path / "r.jsonl", rows), "format": "PromptCompletion"}
    summary = make(source, maxLength=100).summary
    assert (summary.samples, summary.too_long) == (2, 1)
    assert str(summary).endswith(
        f"2 of 3 rows of {source['path']} (left out: 1 with more tokens than maxLength)"
    )
    reason, said = refusal(make, source, maxLength=100, longSamples="Fail")
    assert reason == Reason.SAMPLE_TOO_LONG
    assert "the sample the-long-one in row 2 of" in said
    assert " tokens and maxLength is 100: raise it, or have longSamples Drop" in said
    reason, said = refusal(make, source, maxLength=8)
    assert reason == Reason.SAMPLE_TOO_LONG
    assert "all 3 samples of" in said


def test_a_sample_as_long_as_may_be_is_kept(make: Any, tmp_path: Path) -> None:
    source = {"path": write_rows(tmp_path / "r.jsonl", pairs([9])), "format": "PromptCompletion"}
    length = make(source).summary.tokens
    assert make(source, maxLength=length).summary.samples == 1
    assert refusal(make, source, maxLength=length - 1)[0] == Reason.SAMPLE_TOO_LONG


def test_workers_change_nothing(make: Any, tmp_path: Path) -> None:
    rows = pairs([number % 30 for number in range(300)])
    source = {"path": write_rows(tmp_path / "r.jsonl", rows), "format": "PromptCompletion"}
    folder = tmp_path / "run" / "data"
    make(source)
    alone = {path.name: path.read_bytes() for path in folder.iterdir()}
    shutil.rmtree(folder)
    make(source, workers=2)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == alone


def test_a_worker_tells_which_row_is_to_blame(make: Any, tmp_path: Path, tokenizer: Any) -> None:
    refusing = tokenizer.__class__.from_pretrained(tokenizer.name_or_path)
    refusing.chat_template = (
        "{% if '66' in messages[0].content %}{{ raise_exception('unlucky') }}{% endif %}"
        "{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    rows = tmp_path / "r.jsonl"
    source = {"path": write_rows(rows, pairs([1] * 100)), "format": "PromptCompletion"}
    with pytest.raises(
        RunError, match=r"row 67 of .*the tokenizer's chat template refuses it: unl"
    ):
        prepared(source, tokenizer=refusing, folder=tmp_path / "out", workers=2)
    assert [path.name for path in tmp_path.iterdir()] == ["r.jsonl"]


# What was prepared already.


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The titles of the sources that were read, as often as they were."""
    made: list[str] = []
    read = preparation.read

    def counted(rows: Any, wanted: Any) -> Any:
        made.append(rows.title)
        return read(rows, wanted)

    monkeypatch.setattr(preparation, "read", counted)
    return made


def test_what_is_ready_is_not_made_again(
    make: Any, tmp_path: Path, snapshot: Path, readings: list[str]
) -> None:
    rows = tmp_path / "r.jsonl"
    other = {"path": write_rows(rows, pairs([4, 5])), "format": "PromptCompletion"}
    sources = [{"path": str(snapshot), "select": {}}, other]
    first = make(*sources)
    # Weights, order, length and batches are not of the samples.
    sources[0]["weight"], sources[1]["weight"] = 3.0, 1.0
    again = make(*sources, seed=5, epochs=2.0, batchSize=2, learningRate=0.1)
    assert len(readings) == 2
    assert again.contents == first.contents
    assert again.summary == first.summary


@pytest.mark.parametrize(
    "change",
    ["content", "selection", "format", "loss", "maxLength", "longSamples", "template", "snapshot"],
)
def test_what_has_changed_is_made_again(  # noqa: PLR0917
    make: Any,
    tmp_path: Path,
    tokenizer: Any,
    readings: list[str],
    change: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = tmp_path / "dataset"
    export(factory.samples(9), dataset, settings=ALL_IN_TRAIN)
    rows = tmp_path / "r.jsonl"
    path = write_rows(rows, pairs([4, 5]))
    sources: list[dict[str, Any]] = [
        {"path": str(dataset), "format": "Messages"},
        {"path": path, "format": "PromptCompletion"},
    ]
    more: dict[str, Any] = {}
    make(*sources)
    if change == "content":
        write_rows(rows, pairs([5, 4]))  # as large
        os.utime(rows, ns=(1, 1))
    elif change == "snapshot":
        export(factory.samples(10), dataset, settings=ALL_IN_TRAIN)
    elif change == "selection":
        sources[0]["select"] = {"direction": "Input"}
    elif change == "format":
        sources[0]["format"] = "Joined"
    elif change == "template":
        monkeypatch.setattr(tokenizer, "chat_template", tokenizer.chat_template + "!")
    else:
        more[change] = {"loss": "LastAnswer", "maxLength": 2000, "longSamples": "Fail"}[change]
    make(*sources, **more)
    assert len(readings) == 4


def test_files_are_known_by_what_they_hold_not_by_their_time(
    make: Any, tmp_path: Path, readings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tmp_path / "r.jsonl"
    source = {"path": write_rows(rows, pairs([4, 5])), "format": "PromptCompletion"}
    first = make(source)
    os.utime(rows, ns=(1, 1))
    assert make(source).contents == first.contents
    assert len(readings) == 1
    # The new time is known from now on: to tell that nothing has changed asks for no reading.
    monkeypatch.setattr(contents.hashlib, "file_digest", None)
    make(source)


@pytest.mark.parametrize("name", ["tokens.bin", "ends.bin", "learnt.bin", "corpus.json"])
def test_a_damaged_folder_is_made_again(
    make: Any, tmp_path: Path, readings: list[str], name: str
) -> None:
    source = {"path": write_rows(tmp_path / "r.jsonl", pairs([4])), "format": "PromptCompletion"}
    make(source)
    file = tmp_path / "run" / "data" / name
    file.write_bytes(file.read_bytes()[:-1])
    make(source)
    assert len(readings) == 2


def test_a_crash_leaves_what_was_there(make: Any, tmp_path: Path) -> None:
    source = {"path": write_rows(tmp_path / "r.jsonl", pairs([4])), "format": "PromptCompletion"}
    before = make(source)
    write_rows(tmp_path / "r.jsonl", [*pairs([5] * 200), {"no": "row"}])
    assert refusal(make, source)[0] == Reason.INVALID_DATA
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["data"]
    write_rows(tmp_path / "r.jsonl", pairs([7, 8]))
    # As a killed process leaves it.
    (tmp_path / "run" / ".data.partial").mkdir()
    (tmp_path / "run" / ".data.partial" / "tokens.bin").write_bytes(b"half")
    after = make(source)
    assert (before.summary.samples, after.summary.samples) == (1, 2)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["data"]
    # What is mapped already stays readable.
    assert len(before.batch(0, rank=0, world=1, tokens_per_device=99).rows) == 1


def test_tokens_survive_being_stored(make: Any, tokenizer: Any, tmp_path: Path) -> None:
    # The complement of token 0 is -1: even the first of the vocabulary can be learnt.
    first = tokenizer.decode([0])
    row = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": first}]}
    corpus = make({"path": write_rows(tmp_path / "r.jsonl", [row])})
    [micro] = corpus.batch(0, rank=0, world=1, tokens_per_device=99).rows
    assert micro.labels[micro.labels >= 0].tolist() == [0, tokenizer.eos_token_id]
    assert np.array_equal(micro.input_ids[1:][micro.labels[:-1] >= 0], [0, tokenizer.eos_token_id])


# The hub.


def test_rows_stream_from_a_data_set_by_its_name(make: Any, snapshot: Path, tokenizer: Any) -> None:
    # To the library a folder is a data set like one at the hub.
    named = make({"name": str(snapshot), "format": "Joined", "select": {"direction": "Input"}})
    told = texts(named, tokenizer)
    from_files = make({"path": str(snapshot), "format": "Joined", "select": {"direction": "Input"}})
    assert told == texts(from_files, tokenizer)


def test_a_hub_that_cannot_be_reached_is_told(make: Any) -> None:
    reason, said = refusal(make, {"name": "some-organisation/some-chats"})
    assert reason == Reason.INVALID_DATA
    assert said == (
        "some-organisation/some-chats cannot be read from the hub (the hub cannot be reached):"
        " check the name, the revision, the split and the network, or download it and name its path"
    )
