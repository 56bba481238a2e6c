"""`codeio evaluate` as a user calls it: what it writes, what it prints, and how it refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from codeio.dataset import export
from codeio.runtime.settings import DatasetSettings
from tests.command import exit_code
from tests.dataset.factory import INPUT, OUTPUT, program, sample
from tests.evaluation.conftest import local_file

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = Path(sys.executable).with_name("codeio")

GSM8K = f"gsm8k={local_file('gsm8k')}"


def run(*arguments: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Call the command as a process of its own, which serves a verifier to itself."""
    variables = {**os.environ, **variables}
    variables.pop("CODEIO_VERIFIER_ADDRESS", None)
    # Without bytecode every start takes seconds.
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(
        [COMMAND, "evaluate", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=variables,
        check=False,
        timeout=280,
    )


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Call the command in this process: return exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)
    # Nobody is there: what is wrong is to be said before anybody is asked to judge.
    monkeypatch.setenv("CODEIO_VERIFIER_ADDRESS", "127.0.0.1:1")

    def call(*arguments: object) -> tuple[int, str, str]:
        code = exit_code("evaluate", *arguments)
        screen = capsys.readouterr()
        return code, screen.out, screen.err

    return call


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of programs that do what their pairs say, but for the first of them."""
    samples = [
        sample(program(text=code), direction=direction)
        for number in range(12)
        for code in [
            f"def main_solution(values):\n    return sum(values) + 10**20 - {5 + (number == 0)}"
            f" + {number} - {number}\n"
        ]
        for direction in (OUTPUT, INPUT)
    ]
    out = tmp_path_factory.mktemp("held") / "dataset"
    settings = DatasetSettings(splits=(0.0, 0.0, 1.0), near_duplicate_threshold=1.0)
    export(samples, out, settings=settings, formats=["messages"])
    return out


def table_of(text: str) -> dict[str, str]:
    """Return the lines of the table by suite or category."""
    lines, _, _ = text.partition("\n\n")
    return {
        line.split()[0]: re.sub(r" +", " ", line.strip()) for line in lines.splitlines() if line
    }


def test_a_model_beside_another_by_files_and_held_out_rows(
    tiny_model: Path, data: Path, tmp_path: Path, here: Callable[..., tuple[int, str, str]]
) -> None:
    arguments = (
        *(tiny_model, "--before", tiny_model, "--held-out", data, "--out", "measured"),
        *("--suite", "gsm8k", "--suite", "drop", "--file", GSM8K, "--max-new-tokens", 3),
    )
    ended = run(*arguments, cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    table = table_of(ended.stdout)
    # None of ten right is no proof that none is.
    assert table["gsm8k"].startswith("gsm8k 10 0.0 [0.0, 30.8] 0.0 [0.0, 30.8] +0.0 [-30.8, +30.8]")
    # Their programs were run: the pair of one is wrong, and its questions are none.
    assert table["held-out-output"].startswith("held-out-output 11 ")
    assert table["held-out-input"].startswith("held-out-input 11 ")
    assert "left out: held-out-output: 1 questions: their own pair does not" in ended.stdout
    assert "not measured: drop (before and after): the hub cannot be reached" in ended.stdout
    last = ended.stderr.splitlines()[-1]
    assert last == "3 suites, 1 not measured in measured"

    out = tmp_path / "measured"
    told = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    questions = {score["suite"]: score["questions"] for score in told["scores"]}
    assert questions["gsm8k"] == 10
    assert questions["held-out-output"] == questions["held-out-input"] == 11
    assert set(told["not_measured"]) == {"drop"}
    assert (told["settings"]["after"], told["settings"]["max_new_tokens"]) == (str(tiny_model), 3)
    assert (out / "evaluation.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert (out / "evaluation.png").read_bytes().startswith(b"\x89PNG")

    # What is measured is not measured again, nor judged; and a program may read the figures.
    code, printed, err = here(*arguments, "--json")
    assert code == 0, err
    assert "questions" not in err
    figures = json.loads(printed)
    assert figures["scores"] == told["scores"]
    assert list(figures["not_measured"]) == ["drop"]


def test_what_a_folder_holds_is_added_to_and_never_overwritten(
    tiny_model: Path, tmp_path: Path, here: Callable[..., tuple[int, str, str]]
) -> None:
    model, other = tmp_path / "model", tmp_path / "other"
    for each in (model, other):
        shutil.copytree(tiny_model, each)
    mine = {"--max-new-tokens": 2, "--limit": 2, "--seed": 0}
    kor = ("--suite", "korbench", "--file", f"korbench={local_file('korbench')}")
    gsm = ("--suite", "gsm8k", "--file", GSM8K)

    def call(*arguments: object, **changes: object) -> tuple[int, str, str]:
        options = mine | {f"--{name.replace('_', '-')}": each for name, each in changes.items()}
        return here(*arguments, *(word for each in options.items() for word in each))

    searched = ("--decontaminate", local_file("gsm8k"))
    code, out, err = call(model, *gsm, *searched, "--before", other)
    assert (code, "gsm8k: 2 questions" in err) == (0, True), err
    assert err.splitlines()[-1] == "1 suite in evaluation"
    kept = {file: file.read_bytes() for file in (tmp_path / "evaluation").rglob("*.jsonl")}
    assert len(kept) == 2

    # A suite is added, and the other model is not named again: nothing goes from the table.
    code, out, err = call(model, *kor)
    assert (code, "gsm8k: 2 questions" in err) == (0, False), err
    table = table_of(out)
    assert table["gsm8k"].count("[") == 3
    assert table["korbench"].count("[") == 1
    assert err.splitlines()[-1] == "2 suites in evaluation"
    told = json.loads((tmp_path / "evaluation/evaluation.json").read_text("utf-8"))
    assert told["settings"]["before"] == str(other)
    assert told["contamination"]["suites"]["gsm8k"]["questions"] == 2
    code, out, err = call(model, *gsm)
    assert (code, "questions" in err) == (0, False), err
    assert table_of(out).keys() == table.keys()
    report = (tmp_path / "evaluation/evaluation.json").read_bytes()

    def refused(*arguments: object, **changes: object) -> str:
        code, out, err = call(*arguments, **changes)
        assert (code, out) == (2, "")
        assert_one_sentence(err, "evaluation/(before|after) holds another .* choose another --out")
        assert {file: file.read_bytes() for file in kept} == kept
        assert (tmp_path / "evaluation/evaluation.json").read_bytes() == report
        return err

    where = f"its model was {model}, and now it is {other}"
    assert where in refused(other, *gsm)
    assert f"its model was {other}, and now it is {model}" in refused(
        model, "--before", model, *gsm
    )
    assert "its max_new_tokens was 2, and now it is 3" in refused(model, *gsm, max_new_tokens=3)
    assert "its seed was 0, and now it is 1" in refused(model, *gsm, seed=1)
    assert "its limit was 2, and now it is 3" in refused(model, *gsm, limit=3)
    # Neither beside what is not asked for now.
    assert "its limit was 2, and now it is 3" in refused(model, *kor, limit=3)
    os.utime(model / "model.safetensors", ns=(0, 1))
    assert "the files of the model were others" in refused(model, *gsm)
    assert call(model, *gsm, out="elsewhere")[0] == 0


def test_a_change_of_the_chat_template_is_told_beside_the_gain(
    tiny_model: Path, tmp_path: Path, here: Callable[..., tuple[int, str, str]]
) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(tiny_model, plain)
    (plain / "chat_template.jinja").unlink()
    asked = ("--suite", "gsm8k", "--file", GSM8K, "--suite", "winogrande")
    asked = (*asked, "--file", f"winogrande={local_file('winogrande')}")
    asked = (*asked, "--limit", 2, "--max-new-tokens", 2)
    told = (
        r"asked without a chat template before and with the chat template [0-9a-f]{12} after,"
        r" which the gain includes: gsm8k$"
    )
    code, out, err = here(tiny_model, "--before", plain, *asked)
    assert code == 0, err
    assert re.search(told, out, re.MULTILINE)
    assert "which the gain includes" not in here(plain, "--before", plain, *asked, "--out", "x")[1]

    # What an older file does not say is not guessed, and it is used as it is.
    file = tmp_path / "evaluation/before/gsm8k.jsonl"
    first, *lines = file.read_text("utf-8").splitlines(keepends=True)
    header = json.loads(first)
    assert header.pop("template") == "none"
    items = [json.loads(line) for line in lines]
    assert all(item.pop("fits") for item in items)
    file.write_text("".join(json.dumps(each) + "\n" for each in (header, *items)), "utf-8")
    code, out, err = here(tiny_model, "--before", plain, *asked)
    assert (code, "questions" in err) == (0, False), err
    assert table_of(out)["gsm8k"].count("[") == 3
    assert "which the gain includes" not in out


def test_answers_in_part_are_not_overwritten_either(
    tiny_model: Path, tmp_path: Path, here: Callable[..., tuple[int, str, str]]
) -> None:
    part = tmp_path / "evaluation/after/gsm8k.answers.jsonl"
    part.parent.mkdir(parents=True)
    header = {"suite": "gsm8k", "model": str(tmp_path / "another")}
    part.write_text(json.dumps(header) + "\n", encoding="utf-8")
    code, _, err = here(tiny_model, "--suite", "gsm8k", "--file", GSM8K)
    assert code == 2
    assert_one_sentence(err, f"its model was {tmp_path / 'another'}, and now it is {tiny_model}")
    assert part.exists()


@pytest.mark.parametrize(
    ("capabilities", "precision"), [({"avx2": True}, "Float32"), ({"amx_bf16": True}, "BFloat16")]
)
def test_a_cpu_computes_in_what_it_has_instructions_for(
    capabilities: dict[str, bool],
    precision: str,
    tiny_model: Path,
    here: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    arguments = ("--suite", "gsm8k", "--file", GSM8K, "--max-new-tokens", 1, "--limit", 1)
    code, _, err = here(tiny_model, *arguments)
    assert code == 0, err
    assert f"computed in {precision}" in err
    header = Path("evaluation/after/gsm8k.jsonl").read_text("utf-8").splitlines()[0]
    assert json.loads(header)["precision"] == precision
    told = json.loads(Path("evaluation/evaluation.json").read_text("utf-8"))
    assert told["settings"]["precision"] == precision


def test_a_hub_that_is_not_reached_is_said(tiny_model: Path, tmp_path: Path) -> None:
    ended = run(
        *(tiny_model, "--suite", "drop", "--suite", "gsm8k"),
        cwd=tmp_path,
        # A port of this machine at which nobody listens.
        HF_ENDPOINT="http://127.0.0.1:1",
        HF_HUB_OFFLINE="0",
        HF_DATASETS_OFFLINE="0",
        HF_HOME=str(tmp_path / "cache"),
    )
    assert ended.returncode == 2, ended.stderr
    told = "no suite can be measured.*--file SUITE=PATH.*gsm8k, drop: the hub cannot be reached"
    assert_one_sentence(ended.stderr, told)
    assert ended.stderr.count("cannot be reached") == 1
    assert "offline" not in ended.stderr.lower()
    assert not (tmp_path / "evaluation").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["MODEL", "--suite", "gsmk8"], r"no suite or category 'gsmk8'; did you mean gsm8k\?"),
        (["MODEL", "--file", "gmath=rows.jsonl"], "there is no suite 'gmath'; did you mean"),
        (["MODEL", "--suite", "gsm8k", "--file", "gsm8k=none.jsonl"], "none.jsonl.* missing"),
        (["MODEL", "--suite", "gsm8k", "--file", "none.jsonl"], "--file takes SUITE=PATH"),
        (["MODEL", "--suite", "leetcode-o"], "leetcode-o: it needs a local file"),
        (["MODEL", "--held-out", "none"], "none"),
        (["./none", "--suite", "gsm8k", "--file", GSM8K], "there is no model in none"),
        (["a/none", "--suite", "gsm8k", "--file", GSM8K], "the model a/none cannot be loaded"),
        (["--suite", "gsm8k"], "name a model.*--list"),
        (
            ["MODEL", "--suite", "gsm8k", "--file", GSM8K, "--max-new-tokens", "4096"],
            "answers of 4,096 tokens leave no room for a question in the model's context of 4,096",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence_and_exit_code_2(
    here: Callable[..., Any], tiny_model: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    code, out, err = here(*(str(tiny_model) if each == "MODEL" else each for each in arguments))
    assert (code, out) == (2, "")
    assert_one_sentence(err, told)
    # A model that is not there, or is asked nothing, is not said to compute.
    assert ("computed in" in err) == ("4096" in arguments)
    assert not (tmp_path / "evaluation").exists()


def assert_one_sentence(err: str, told: str) -> None:
    """Check that the last line, and no other, is a sentence that says so."""
    assert "Traceback" not in err
    sentences = [line for line in err.splitlines() if line.startswith("codeio: ")]
    assert sentences == [err.splitlines()[-1]]
    assert re.search(told, sentences[0]), sentences[0]


def test_who_interrupts_hears_that_what_is_answered_stays(
    tiny_model: Path, here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("codeio.evaluation.measurement.ask", interrupted)
    code, out, err = here(tiny_model, "--suite", "gsm8k", "--file", GSM8K)
    assert (code, out) == (130, "")
    assert_one_sentence(
        err, "interrupted; the same command goes on with what is answered in evaluation/after$"
    )


def test_a_file_of_a_suite_that_is_not_asked_for_is_told(
    tiny_model: Path, here: Callable[..., Any]
) -> None:
    more = ("--file", f"korbench={local_file('korbench')}", "--limit", 1, "--max-new-tokens", 1)
    code, _, err = here(tiny_model, "--suite", "gsm8k", "--file", GSM8K, *more)
    assert code == 0, err
    assert "--file korbench is of no use: the suite is not asked for, by --suite korbench" in err
    assert "--file gsm8k" not in err


def test_suites_are_listed_by_category(here: Callable[..., Any]) -> None:
    code, out, _ = here("--list")
    assert code == 0
    lines = [line.strip() for line in out.splitlines()]
    assert lines.index("mathematical") < lines.index("scientific")
    assert "openai/gsm8k" in lines
    assert any(line.startswith("local file only: ") for line in lines)


def test_training_data_is_searched_without_a_model(
    here: Callable[..., Any], tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in local_file("gsm8k").read_text("utf-8").splitlines()]
    training = tmp_path / "train.jsonl"
    training.write_text(json.dumps({"prompt": rows[8]["question"]}) + "\n", encoding="utf-8")
    code, out, err = here("--decontaminate", training, "--suite", "gsm8k", "--file", GSM8K)
    assert code == 0, err
    assert re.search(r"gsm8k +1 of +10 questions", out)
    told = json.loads((tmp_path / "evaluation/contamination.json").read_text(encoding="utf-8"))
    assert told["suites"]["gsm8k"]["shared"] == 1
    assert told["not_searched"] == {}


def test_suites_that_cannot_be_searched_are_told(here: Callable[..., Any], tmp_path: Path) -> None:
    arguments = ("--decontaminate", local_file("gsm8k"), "--suite", "drop", "--suite", "leetcode-o")
    code, out, err = here(*arguments)
    assert (code, out) == (2, "")
    assert_one_sentence(err, "no suite can be measured")
    assert "drop: the hub cannot be reached" in err
    assert "leetcode-o: it needs a local file" in err
    assert not (tmp_path / "evaluation").exists()

    arguments = (*arguments, "--suite", "gsm8k", "--file", GSM8K)
    code, out, err = here(*arguments)
    assert code == 0, err
    assert re.search(r"gsm8k +4 of +10 questions", out)
    assert re.search(r"drop +not searched: the hub cannot be reached", out)
    assert "10 questions, 4 shared, 2 not searched in evaluation" in err
    told = json.loads((tmp_path / "evaluation/contamination.json").read_text(encoding="utf-8"))
    assert set(told["not_searched"]) == {"drop", "leetcode-o"}
    assert set(json.loads(here(*arguments, "--json")[1])["not_searched"]) == {"drop", "leetcode-o"}
