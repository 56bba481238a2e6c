"""What lies in the folder of a data set."""

from __future__ import annotations

import json
import math
import random
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from codeio.dataset import Provenance, export
from codeio.runtime.errors import UsageError
from codeio.runtime.settings import DatasetSettings
from codeio.v1.records_pb2 import Direction, Sample
from tests.dataset import factory
from tests.dataset.factory import CORRECT, INPUT, WRONG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SETTINGS = DatasetSettings()
SPLITS = ("train", "validation", "test")
EVEN = DatasetSettings(splits=(0.4, 0.3, 0.3))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rows(folder: Path, form: str) -> Iterator[dict]:
    for split in SPLITS:
        for line in (folder / form / f"{split}.jsonl").read_bytes().splitlines():
            yield json.loads(line)


def one_row(tmp_path: Path, sample: Sample, form: str) -> dict:
    export([sample], tmp_path / "dataset", settings=SETTINGS, formats=[form])
    (row,) = rows(tmp_path / "dataset", form)
    return row


def test_the_same_samples_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    made = factory.samples(30)
    shuffled = made + made[:7]
    random.Random(1).shuffle(shuffled)
    export(made, tmp_path / "one", settings=EVEN, seed=3)
    export(shuffled, tmp_path / "two", settings=EVEN, seed=3)
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    # The number of samples read differs; everything else is the same.
    for listed in (one, two):
        for name in [name for name in listed if name.endswith(("README.md", "manifest.json"))]:
            del listed[name]
    assert one == two
    assert len(one) == len(SETTINGS.formats) * len(SPLITS) * 2

    export(made, tmp_path / "three", settings=EVEN, seed=3)
    export(made[::-1], tmp_path / "four", settings=EVEN, seed=3)
    assert contents(tmp_path / "three") == contents(tmp_path / "four")


def test_one_id_with_two_contents_does_not_depend_on_the_order(tmp_path: Path) -> None:
    one = factory.sample()
    two = Sample()
    two.CopyFrom(one)
    two.turns[0].response += " (said again)"
    two.task.program.scores["novelty"] = 0.5
    export([one, two], tmp_path / "a", settings=SETTINGS)
    summary = export([two, one], tmp_path / "b", settings=SETTINGS)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert (summary.samples_read, summary.samples_repeated, summary.samples) == (2, 1, 1)


def test_parquet_and_json_lines_hold_the_same_rows(tmp_path: Path) -> None:
    export(factory.samples(12), tmp_path / "dataset", settings=EVEN)
    for form in EVEN.formats:
        for split in SPLITS:
            place = tmp_path / "dataset" / form
            lines = (place / f"{split}.jsonl").read_text().splitlines()
            assert pq.read_table(place / f"{split}.parquet").to_pylist() == [
                json.loads(line) for line in lines
            ]


def test_a_program_is_in_one_split_only_and_the_same_in_every_format(tmp_path: Path) -> None:
    summary = export(factory.samples(40), tmp_path / "dataset", settings=EVEN)
    split_of: dict[str, str] = {}
    for form in EVEN.formats:
        for split in SPLITS:
            for line in (tmp_path / "dataset" / form / f"{split}.jsonl").read_text().splitlines():
                program = json.loads(line)["program_id"]
                assert split_of.setdefault(program, split) == split
    assert len(split_of) == 40
    assert min(summary.programs.values()) > 0
    assert sum(summary.programs.values()) == 40


def test_a_seed_gives_other_splits(tmp_path: Path) -> None:
    made = factory.samples(40)
    one = export(made, tmp_path / "one", settings=EVEN, seed=1)
    export(made, tmp_path / "two", settings=EVEN, seed=2)
    assert one.samples == len(made)
    assert (
        contents(tmp_path / "one")["messages/test.jsonl"]
        != (contents(tmp_path / "two")["messages/test.jsonl"])
    )


def test_a_program_stays_in_its_split_when_others_come(tmp_path: Path) -> None:
    export(factory.samples(10), tmp_path / "few", settings=EVEN)
    export(factory.samples(30), tmp_path / "many", settings=EVEN)
    for split in SPLITS:
        few = (tmp_path / "few" / "codeio" / f"{split}.jsonl").read_text().splitlines()
        many = (tmp_path / "many" / "codeio" / f"{split}.jsonl").read_text().splitlines()
        assert set(few) <= set(many)


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [("any", {0, 1, 2, 3}), ("uncontradicted", {0, 1, 2}), ("supported", {0, 1})],
)
def test_samples_are_chosen_by_what_a_trace_says_of_their_statements(
    tmp_path: Path, wanted: str, kept: set[int]
) -> None:
    made = [factory.sample(number) for number in range(4)]
    for sample, (supported, contradicted) in zip(
        made, [(3, 0), (1, 0), (0, 0), (5, 1)], strict=True
    ):
        sample.turns[-1].statements.supported = supported
        sample.turns[-1].statements.contradicted = contradicted
        sample.turns[-1].statements.unknown = 2
    settings = DatasetSettings.model_validate({"statements": wanted})
    export(made, tmp_path / "dataset", settings=settings)
    for form in ("messages", "codeio"):
        found = list(rows(tmp_path / "dataset", form))
        assert {row["sample_id"] for row in found} == {made[n].sample_id for n in kept}
        assert {row["unknown"] for row in found} == {2}


def test_tasks_are_chosen_by_the_share_of_answers_that_were_right_at_once(tmp_path: Path) -> None:
    made = [
        factory.sample(
            number, index=index, verdicts=(CORRECT,) if index < right else (WRONG, CORRECT)
        )
        for number, right in enumerate([0, 1, 2, 4])
        for index in range(4)
    ]
    settings = DatasetSettings.model_validate({"pass_rate": (0.25, 0.5)})
    export(made, tmp_path / "dataset", settings=settings)
    found = list(rows(tmp_path / "dataset", "messages"))
    assert {row["pass_rate"] for row in found} == {0.25, 0.5}
    assert len(found) == 8


@pytest.mark.parametrize("band", [(0.9, 0.1), (-0.1, 0.5), (0.5, 1.5)])
def test_a_band_that_is_none_is_refused(tmp_path: Path, band: tuple[float, float]) -> None:
    settings = DatasetSettings.model_validate({"pass_rate": band})
    with pytest.raises(UsageError, match="a band goes from"):
        export([], tmp_path / "dataset", settings=settings)


def test_all_turns_are_joined_into_one_answer(tmp_path: Path) -> None:
    sample = factory.sample(1, verdicts=(WRONG, CORRECT))
    row = one_row(tmp_path, sample, "joined")
    first, second = sample.turns
    assert row["prompt"] == first.prompt
    assert row["completion"] == f"{first.response}\n\n{second.prompt}\n\n{second.response}"


def test_chats_end_in_right_answers_and_codeio_holds_all(tmp_path: Path) -> None:
    made = [
        factory.sample(0),
        factory.sample(1, verdicts=(WRONG, CORRECT)),
        factory.sample(2, verdicts=(WRONG, WRONG)),
    ]
    summary = export(made, tmp_path / "dataset", settings=SETTINGS)
    kept = {form: sum(splits.values()) for form, splits in summary.rows.items()}
    assert kept == {
        "messages": 2,
        "prompt-completion": 2,
        "joined": 2,
        "sharegpt": 2,
        "codeio": 3,
        "verl": 3,
    }
    assert (summary.samples, summary.samples_correct) == (3, 2)
    assert {row["verdict"] for row in rows(tmp_path / "dataset", "codeio")} == {
        "VERDICT_CORRECT",
        "VERDICT_WRONG",
    }
    assert {row["verdict"] for row in rows(tmp_path / "dataset", "messages")} == {"VERDICT_CORRECT"}


@pytest.mark.parametrize("shown", ["Think again.", ""])
def test_messages_show_the_revision_as_it_was_asked_for(tmp_path: Path, shown: str) -> None:
    sample = factory.sample(verdicts=(WRONG, CORRECT))
    first, last = sample.turns
    last.prompt = shown
    row = one_row(tmp_path, sample, "messages")
    assert row["messages"] == [
        {"role": "user", "content": first.prompt},
        {"role": "assistant", "content": first.response},
        {"role": "user", "content": shown or first.feedback},
        {"role": "assistant", "content": last.response},
    ]


def test_sharegpt_says_who_speaks_in_its_own_words(tmp_path: Path) -> None:
    sample = factory.sample()
    row = one_row(tmp_path, sample, "sharegpt")
    assert row["conversations"] == [
        {"from": "human", "value": sample.turns[0].prompt},
        {"from": "gpt", "value": sample.turns[0].response},
    ]


def test_prompt_completion_completes_with_the_right_answer_alone(tmp_path: Path) -> None:
    sample = factory.sample(verdicts=(WRONG, CORRECT))
    row = one_row(tmp_path, sample, "prompt-completion")
    first, last = sample.turns
    assert row["completion"] == last.response
    assert row["prompt"] == "\n\n".join([first.prompt, first.response, last.prompt])


def test_codeio_has_the_columns_of_the_paper(tmp_path: Path) -> None:
    right = one_row(tmp_path / "right", factory.sample(), "codeio")
    assert list(right)[:5] == ["prompt", "turn_1", "feedback_1", "turn_2", "feedback_2"]
    assert right["turn_2"] is None
    revised = factory.sample(verdicts=(WRONG, WRONG, CORRECT))
    row = one_row(tmp_path / "revised", revised, "codeio")
    assert [row[f"turn_{n}"] for n in (1, 2, 3)] == [turn.response for turn in revised.turns]
    assert row["feedback_2"] == revised.turns[1].feedback


def test_codeio_holds_the_whole_chat_of_right_and_wrong_samples(tmp_path: Path) -> None:
    wrong = factory.sample(verdicts=(WRONG, WRONG, WRONG))
    wrong.turns[2].prompt = ""  # then the feedback is what was shown
    row = one_row(tmp_path, wrong, "codeio")
    first, second, _ = wrong.turns
    asked = [row["prompt"], row["prompt_2"], row["prompt_3"]]
    assert asked == [first.prompt, second.prompt, second.feedback]


def test_a_row_tells_the_scores_of_its_program(tmp_path: Path) -> None:
    scored = factory.program()
    scored.scores.update({"novelty": 0.5, "educational": 3, "broken": math.nan})
    row = one_row(tmp_path, factory.sample(scored), "messages")
    assert row["scores"] == '{"educational": 3.0, "novelty": 0.5}'
    assert one_row(tmp_path / "none", factory.sample(), "verl")["scores"] == "{}"
    assert "| `scores` | `string` |" in (tmp_path / "dataset" / "README.md").read_text()


def test_verl_asks_a_task_once_with_a_truth_to_score_against(tmp_path: Path) -> None:
    made = [factory.sample(0, direction=INPUT, index=n, verdicts=(WRONG,)) for n in range(3)]
    export(made, tmp_path / "dataset", settings=SETTINGS)
    (row,) = rows(tmp_path / "dataset", "verl")
    assert row["data_source"] == "codeio"
    assert row["prompt"] == [{"role": "user", "content": made[0].turns[0].prompt}]
    assert row["reward_model"] == {
        "style": "rule",
        "ground_truth": made[0].task.pair.input_json,
    }
    assert row["extra_info"]["verification_info"] == row["verification_info"]
    assert row["extra_info"]["index"] == 0


@pytest.mark.parametrize("direction", [factory.OUTPUT, factory.INPUT])
def test_verification_info_lets_an_answer_be_judged_by_running_the_program(
    tmp_path: Path, direction: Direction
) -> None:
    text = "def main_solution(values):\n    return sum(values) + 10**20 - 5\n"
    made = factory.sample(factory.program(text=text), direction=direction)
    info = json.loads(one_row(tmp_path, made, "messages")["verification_info"])
    assert info["direction"] == Direction.Name(direction)
    space: dict = {}
    exec(info["code"], space)
    given = space[info["entry_point"]](**json.loads(info["input_json"]))
    assert given == json.loads(info["output_json"])


def test_reasoning_that_the_endpoint_keeps_apart_comes_before_the_response(tmp_path: Path) -> None:
    sample = factory.sample()
    sample.turns[0].reasoning = "Three items."
    row = one_row(tmp_path, sample, "prompt-completion")
    assert row["completion"] == f"<think>\nThree items.\n</think>\n\n{sample.turns[0].response}"


def test_text_of_any_kind_survives(tmp_path: Path) -> None:
    sample = factory.sample()
    sample.turns[0].response = 'a\r\nb\u2028c\x00"\\ \U0001f600 </script>\t'
    export([sample], tmp_path / "dataset", settings=SETTINGS)
    (line,) = rows(tmp_path / "dataset", "messages")
    assert line["messages"][1]["content"] == sample.turns[0].response


def test_a_format_is_written_alone(tmp_path: Path) -> None:
    export(factory.samples(3), tmp_path / "dataset", settings=SETTINGS, formats=["verl"])
    assert sorted(path.name for path in (tmp_path / "dataset").iterdir()) == [
        "README.md",
        "manifest.json",
        "verl",
    ]


def test_an_unknown_format_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    def never() -> Iterable[Sample]:
        raise AssertionError
        yield

    with pytest.raises(
        UsageError, match="no format 'alpaca'; choose among codeio, joined, messages"
    ):
        export(never(), tmp_path / "dataset", settings=SETTINGS, formats=["alpaca"])
    with pytest.raises(UsageError, match="shares of the splits"):
        export(never(), tmp_path / "dataset", settings=DatasetSettings(splits=(1.0, -0.5, 0.5)))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_export_leaves_what_was_there(tmp_path: Path) -> None:
    export(factory.samples(3), tmp_path / "dataset", settings=SETTINGS)
    before = contents(tmp_path / "dataset")

    def broken() -> Iterator[Sample]:
        yield factory.sample()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(broken(), tmp_path / "dataset", settings=SETTINGS)
    assert contents(tmp_path / "dataset") == before
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_a_killed_export_does_not_stand_in_the_way(tmp_path: Path) -> None:
    for left in (".dataset.partial", ".dataset.previous"):
        (tmp_path / left / "messages").mkdir(parents=True)
        (tmp_path / left / "snapshot.sqlite").write_text("half of it")
    export(factory.samples(3), tmp_path / "dataset", settings=SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_a_place_that_cannot_be_written_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write .*file/dataset: "):
        export(factory.samples(1), tmp_path / "file" / "dataset", settings=SETTINGS)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="is no data set of codeio"):
        export(factory.samples(1), tmp_path / "dataset", settings=SETTINGS)
    assert contents(tmp_path / "dataset") == {"thesis.tex": b"years of work"}


def test_the_manifest_names_every_file_with_its_digest(tmp_path: Path) -> None:
    summary = export(factory.samples(3), tmp_path / "dataset", settings=SETTINGS)
    manifest = json.loads((tmp_path / "dataset" / "manifest.json").read_text())
    assert manifest["summary"] == summary.to_json()
    assert set(manifest["sha256"]) == set(contents(tmp_path / "dataset")) - {"manifest.json"}


def test_provenance_stands_in_the_card(tmp_path: Path) -> None:
    made = [
        factory.sample(factory.program(0, source="a|b <script>", licence="Apache-2.0")),
        factory.sample(factory.program(1, licence="")),
    ]
    export(
        made,
        tmp_path / "dataset",
        settings=SETTINGS,
        seed=41,
        provenance=Provenance(
            command="codeio run stdlib --out DIR",
            settings={"seed": 41},
            python_version="3.11.7",
            lock_hash="f00d",
        ),
    )
    card = (tmp_path / "dataset" / "README.md").read_text()
    for said in (
        "codeio run stdlib --out DIR",
        "seed: 41",
        "3.11.7",
        "f00d",
        "| Apache-2.0 | 1 | 1 |",
        "| unknown | 1 | 1 |",
        r"a\|b &lt;script&gt;",
        "- n<1K",
    ):
        assert said in card


def test_no_samples_give_an_empty_data_set(tmp_path: Path) -> None:
    summary = export([], tmp_path / "dataset", settings=SETTINGS)
    assert summary.samples == 0
    assert list(rows(tmp_path / "dataset", "codeio")) == []
