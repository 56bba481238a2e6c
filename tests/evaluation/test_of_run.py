"""A run's models before and after, from the spec to the pod's last message."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from codeio.dataset import export
from codeio.evaluation import evaluate_run, measurement, of_run
from codeio.runtime.listening import listen
from codeio.runtime.settings import DatasetSettings
from codeio.trainer.launch import Node
from codeio.trainer.local import run_step
from codeio.training_run.manifest import parse_manifest
from codeio.training_run.outcomes import MESSAGE_BYTES, ExitCode, Outcome, Reason, RunError
from codeio.training_run.places import Places
from codeio.training_run.scores import MEAN, pack_scores
from codeio.training_run.status import Estimate, Progress, Score
from tests.dataset.factory import INPUT, OUTPUT, program, sample
from tests.evaluation.conftest import Scripted, local_file, ten_questions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codeio.evaluation.rows import Question
    from codeio.evaluation.suites import Suite
    from codeio.training_run.data.reading import Values
    from codeio.training_run.manifest import TrainingRun


def run_of(folder: Path, evaluation: dict[str, Any], data: Path | None = None) -> TrainingRun:
    manifest = {
        "apiVersion": "codeio.dev/v1alpha1",
        "kind": "TrainingRun",
        "metadata": {"name": "made"},
        "spec": {
            "model": {"path": str(folder / "model")},
            "data": {"reasoning": [{"path": str(data or folder / "data")}]},
            "checkpoints": {"path": str(folder)},
            "evaluation": evaluation,
        },
    }
    return parse_manifest(manifest, source="test")


def answering(suite: str, right: int) -> Scripted:
    """Return a model that knows the first answers of GSM8K's ten rows."""
    _, questions = ten_questions(suite)
    return Scripted(
        {
            each.row["question"]: each.row["answer"].rpartition("#### ")[2]
            for each in questions[:right]
        }
    )


def never() -> Scripted:
    raise AssertionError("the model is not needed")


@pytest.fixture
def gsm8k(tmp_path: Path) -> TrainingRun:
    (tmp_path / "data").mkdir()
    shared = ten_questions("gsm8k")[1][8].row["question"]
    (tmp_path / "data" / "train.jsonl").write_text(json.dumps({"prompt": shared}) + "\n")
    files = {"gsm8k": str(local_file("gsm8k")), "korbench": str(local_file("korbench"))}
    return run_of(tmp_path, {"suites": ["gsm8k", "drop"], "files": files, "maxNewTokens": 9})


def test_before_and_after(gsm8k: TrainingRun, capsys: pytest.CaptureFixture[str]) -> None:
    places = Places(run=gsm8k)
    first = evaluate_run(gsm8k, places, when="before", load=lambda: answering("gsm8k", 2))
    second = evaluate_run(gsm8k, places, when="after", load=lambda: answering("gsm8k", 9))

    assert first.reason == second.reason == Reason.COMPLETED
    assert second.message == (
        "1 suite measured after training; not measured: drop (the hub cannot be reached:"
        " a change of evaluation, such as of batchSize, tries again)"
    )
    scores = [Score.model_validate(each) for each in second.details["scores"]]
    suite = next(score for score in scores if score.suite == "gsm8k")
    assert (suite.category, suite.questions) == ("mathematical", 10)
    assert suite.before
    assert suite.after
    assert suite.gain
    assert (suite.before.value, suite.after.value, suite.gain.value) == (0.2, 0.9, 0.7)
    assert suite.gain.low > 0
    assert Outcome.from_json(second.to_json()) == second

    told = json.loads((places.folder / "evaluation.json").read_text())
    assert told["not_measured"]["drop"]["after"] == "the hub cannot be reached"
    assert told["contamination"]["suites"]["gsm8k"]["shared"] == 1
    assert json.loads((places.evaluation / "contamination.json").read_text())["training_rows"] == 1
    picture = (places.folder / "evaluation.svg").read_text()
    assert picture.startswith("<?xml")
    for when in ("before", "after"):
        last = "/".join(told["settings"][when].split("/")[-3:])
        assert f">{when}: {last}<" in picture
    assert (places.folder / "evaluation.png").stat().st_size > 5000

    screen = capsys.readouterr()
    assert re.search(r"gsm8k +1 of +10 questions", screen.out)
    assert "+70.0 [" in screen.out
    assert "not measured: drop (before and after): the hub cannot be reached" in screen.out
    assert screen.err == ""

    # Asked for again when all is done, the run has one table, and it is the whole one.
    for when in ("before", "after"):
        evaluate_run(gsm8k, places, when=when, load=never)
    assert capsys.readouterr().out.count("before %") == 1


def changed(run: TrainingRun, **changes: Any) -> TrainingRun:
    """Return a run that is to be evaluated otherwise."""
    evaluation = run.spec.evaluation
    assert evaluation
    manifest = run.model_dump(by_alias=True, exclude_none=True)
    manifest["spec"]["evaluation"] |= changes
    return parse_manifest(manifest, source="test")


def test_an_interrupted_evaluation_goes_on_with_what_is_missing(gsm8k: TrainingRun) -> None:
    both = changed(gsm8k, suites=["gsm8k", "korbench"], batchSize=3)
    places = Places(run=both)
    asked = 0

    def interrupted(prompt: str) -> str:
        nonlocal asked
        asked += "Here is a rule" not in prompt
        if asked == 5:
            raise KeyboardInterrupt
        return "[[T]]"

    with pytest.raises(KeyboardInterrupt):
        evaluate_run(both, places, when="before", load=lambda: Scripted(interrupted))
    files = {file.name for file in (places.evaluation / "before").iterdir()}
    assert files == {"korbench.jsonl", "gsm8k.answers.jsonl"}

    lm = answering("gsm8k", 10)
    evaluate_run(both, places, when="before", load=lambda: lm)
    assert all("Let's think" in prompt for prompt in lm.prompts)
    # The second of its batches was interrupted.
    assert len(lm.prompts) == 7
    # And all that is there is not asked again.
    evaluate_run(both, places, when="before", load=never)
    files = {file.name for file in (places.evaluation / "before").iterdir()}
    assert files == {"korbench.jsonl", "gsm8k.jsonl", "summary.json"}


def test_what_leaves_no_room_for_an_answer_is_wrong_and_told(
    gsm8k: TrainingRun, capsys: pytest.CaptureFixture[str]
) -> None:
    places = Places(run=gsm8k)
    whole = answering("gsm8k", 10)
    evaluate_run(gsm8k, places, when="before", load=lambda: whole)
    lengths = sorted(len(prompt.split()) for prompt in whole.prompts)
    fitting = [length for length in lengths if length < lengths[-1]]
    assert len(fitting) == 8

    short = answering("gsm8k", 10)
    short.max_length = fitting[-1] + 9
    capsys.readouterr()
    evaluate_run(gsm8k, places, when="after", load=lambda: short)

    assert sorted(len(prompt.split()) for prompt in short.prompts) == fitting
    told = json.loads((places.folder / "evaluation.json").read_text())
    (score,) = (each for each in told["scores"] if each["suite"] == "gsm8k")
    assert (score["questions"], score["before"]["value"], score["after"]["value"]) == (10, 1.0, 0.8)
    assert told["no_room"] == {"gsm8k": {"after": 2}}
    screen = capsys.readouterr().out
    assert "80.0 %, 2 wrong: their prompts leave no room for an answer" in screen
    assert "no room for an answer in the model's context: gsm8k: 2 after" in screen
    # What is told is kept with the answers.
    evaluate_run(gsm8k, places, when="after", load=never)
    assert json.loads((places.folder / "evaluation.json").read_text())["no_room"] == told["no_room"]


def test_answers_as_long_as_the_context_are_the_users(gsm8k: TrainingRun) -> None:
    lm = answering("gsm8k", 10)
    lm.max_length = 9
    with pytest.raises(RunError, match="leave no room for a question") as error:
        evaluate_run(gsm8k, Places(run=gsm8k), when="before", load=lambda: lm)
    assert (error.value.reason, error.value.exit_code) == (
        Reason.INVALID_SPEC,
        ExitCode.USER_ERROR,
    )


def test_another_model_in_the_same_place_is_asked_again(gsm8k: TrainingRun) -> None:
    places = Places(run=gsm8k)
    folder = places.last_model
    folder.mkdir(parents=True)
    weights, note = folder / "model.safetensors", folder / "training.json"
    weights.write_bytes(b"w" * 100)
    note.write_text('{"asked": {"seed": 0}}')

    def is_asked() -> bool:
        lm = answering("gsm8k", 2)
        evaluate_run(gsm8k, places, when="after", load=lambda: lm)
        return len(lm.prompts) == 10

    assert is_asked()
    (folder / ".lock").touch()
    assert not is_asked()
    note.write_text('{"asked": {"seed": 1}}')
    assert is_asked()
    weights.write_bytes(b"w" * 101)
    assert is_asked()
    os.utime(weights, ns=(0, 1))
    assert is_asked()
    assert not is_asked()


def test_another_precision_asks_again(gsm8k: TrainingRun) -> None:
    manifest = gsm8k.model_dump(by_alias=True, exclude_none=True)
    manifest["spec"]["execution"]["precision"] = "Float32"
    for run in (gsm8k, parse_manifest(manifest, source="test")):
        lm = answering("gsm8k", 2)
        evaluate_run(run, Places(run=run), when="before", load=lambda lm=lm: lm)
        assert len(lm.prompts) == 10


def test_what_was_measured_otherwise_before_is_not_compared(
    gsm8k: TrainingRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The same number of rows, so that the same numbers are others' now.
    lines = local_file("gsm8k").read_text("utf-8").splitlines(keepends=True)
    other = tmp_path / "other.jsonl"
    other.write_text("".join([*lines[1:], lines[0]]), "utf-8")
    files = {"gsm8k": str(other), "korbench": str(local_file("korbench"))}
    both = changed(gsm8k, suites=["gsm8k", "korbench"])
    evaluate_run(both, Places(run=both), when="before", load=lambda: answering("gsm8k", 2))

    def compared(changes: dict[str, Any]) -> tuple[dict[str, Score], dict[str, Any]]:
        run = changed(both, **changes)
        places = Places(run=run)
        evaluate_run(run, places, when="after", load=lambda: answering("gsm8k", 9))
        told = json.loads((places.folder / "evaluation.json").read_text())
        scores = map(Score.model_validate, told["scores"])
        return {score.suite: score for score in scores}, told["not_measured"]

    scores, reasons = compared({})
    assert scores["gsm8k"].gain
    assert reasons == {}

    scores, reasons = compared({"files": files})
    assert scores["korbench"].gain
    assert (scores["gsm8k"].before, scores["gsm8k"].gain) == (None, None)
    assert scores["gsm8k"].after
    assert reasons["gsm8k"]["before"].startswith("it cannot be compared, since its questions were")
    assert "not measured: gsm8k (before): it cannot be compared" in capsys.readouterr().out

    scores, reasons = compared({"maxNewTokens": 12})
    assert not any(score.before or score.gain for score in scores.values())
    why = "it cannot be compared, since its max_new_tokens was 9, and now it is 12"
    assert reasons == {"gsm8k": {"before": why}, "korbench": {"before": why}}

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other weights")
    _, reasons = compared({})
    assert reasons["gsm8k"]["before"].endswith("the files of the model were others")

    # What is not asked about any more is not in the table.
    scores, reasons = compared({"suites": ["gsm8k"]})
    assert "korbench" not in scores.keys() | reasons.keys()


def test_progress_is_served_while_questions_are_answered(
    gsm8k: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("CODEIO_TRAINING_METRICS_PORT", str(port))
    both = changed(gsm8k, suites=["gsm8k", "korbench"], batchSize=4)
    told: list[Progress] = []
    figures: list[str] = []

    def get(path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return bytes(answer.read())

    def answer(_: str) -> str:
        told.append(Progress.model_validate_json(get("/progress")))
        figures.append(get("/metrics").decode())
        return "?"

    evaluate_run(both, Places(run=both), when="after", load=lambda: Scripted(answer))

    assert {each.stage for each in told} == {"evaluate-after"}
    assert {each.steps for each in told} == {20}
    assert list(dict.fromkeys(each.step for each in told)) == [0, 4, 8, 10, 14, 18]
    assert told[0].seconds_left is None
    assert told[-1].seconds_left
    assert told[-1].seconds_left > 0
    labels = 'stage="evaluate-after",suite='
    assert f'codeio_evaluation_questions{{{labels}"korbench"}} 10.0' in figures[0]
    assert f'codeio_evaluation_answered{{{labels}"korbench"}} 10.0' in figures[-1]
    assert f'codeio_evaluation_answered{{{labels}"gsm8k"}} 8.0' in figures[-1]


def test_the_table_is_there_before_training_data_is_searched(
    gsm8k: TrainingRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Places(run=gsm8k).folder / "evaluation.json"

    def read(*_: object) -> Iterator[tuple[str, Values]]:
        told = json.loads(file.read_text())
        assert told["scores"]
        assert told["contamination"] is None
        assert file.with_suffix(".svg").exists()
        assert re.search(r"gsm8k +10 ", capsys.readouterr().out)
        raise RunError(Reason.INVALID_DATA, "the rows are gone")
        yield

    monkeypatch.setattr(of_run, "training_rows", read)
    outcome = evaluate_run(
        gsm8k, Places(run=gsm8k), when="after", load=lambda: answering("gsm8k", 2)
    )
    # The scores stand without it.
    assert outcome.details["scores"]
    told = json.loads(file.read_text())
    assert told["contamination"] == {"not_measured": "the rows are gone", "suites": {}}
    assert "was not searched for text of suites: the rows are gone" in capsys.readouterr().out


def test_a_signal_during_the_search_ends_the_step_and_is_no_finding(
    gsm8k: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> Iterator[tuple[str, Values]]:
        signal.raise_signal(signal.SIGTERM)
        yield "", {}

    places = Places(run=gsm8k)
    load = partial(answering, "gsm8k", 2)
    monkeypatch.setattr("codeio.evaluation.evaluate_run", partial(evaluate_run, load=load))
    with monkeypatch.context() as there:
        there.setattr(of_run, "training_rows", read)
        with pytest.raises(RunError, match="told to stop") as ended:
            run_step(gsm8k, "evaluate-after", places, node=Node(), say=print)
    assert ended.value.exit_code is ExitCode.DISRUPTED
    assert not (places.evaluation / "contamination.json").exists()
    monkeypatch.setattr(of_run, "training_rows", lambda *_: [("rows", {"text": "none"})])
    outcome = run_step(gsm8k, "evaluate-after", places, node=Node(), say=print)
    assert outcome.reason == Reason.COMPLETED
    assert (places.evaluation / "contamination.json").exists()


def test_a_suite_that_is_judged_otherwise_now_is_asked_again(gsm8k: TrainingRun) -> None:
    run = changed(gsm8k, suites=["gsm8k", "korbench"])
    places = Places(run=run)
    evaluate_run(run, places, when="before", load=lambda: Scripted(lambda _: "?"))
    for file in (places.evaluation / "before").glob("*.jsonl"):
        first, *lines = file.read_text().splitlines(keepends=True)
        header = json.loads(first)
        header.pop("revision", None)
        file.write_text("".join([json.dumps(header) + "\n", *lines]))
    evaluate_run(run, places, when="after", load=lambda: Scripted(lambda _: "?"))
    told = json.loads((places.folder / "evaluation.json").read_text())
    why = "it cannot be compared, since the suite was asked or judged by other rules"
    assert told["not_measured"] == {"korbench": {"before": why}}
    lm = Scripted(lambda _: "?")
    evaluate_run(run, places, when="before", load=lambda: lm)
    assert len(lm.prompts) == 10
    assert all("Here is a rule" in prompt for prompt in lm.prompts)


def test_other_settings_ask_again(gsm8k: TrainingRun) -> None:
    places = Places(run=gsm8k)
    evaluate_run(gsm8k, places, when="before", load=lambda: answering("gsm8k", 1))
    evaluation = gsm8k.spec.evaluation
    assert evaluation
    fewer = run_of(
        places.folder.parent, evaluation.model_dump(by_alias=True, exclude_none=True) | {"limit": 3}
    )
    lm = answering("gsm8k", 1)
    evaluate_run(fewer, places, when="before", load=lambda: lm)
    assert len(lm.prompts) == 3


def test_questions_that_cannot_be_judged_are_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in local_file("livebench").read_text("utf-8").splitlines()]
    rows[0]["livebench_removal_date"] = "2024-11-25"
    rows[1] |= {"livebench_removal_date": "2025-04-02", "task": "coding", "subtask": ""}
    rows[2] |= {"task": "coding", "subtask": ""}
    file = tmp_path / "livebench.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = run_of(tmp_path, {"suites": ["livebench"], "files": {"livebench": str(file)}})
    lm = Scripted(lambda _: "?")
    evaluate_run(run, Places(run=run), when="before", load=lambda: lm)
    assert len(lm.prompts) == 7
    why = "2 questions: withdrawn by LiveBench; 1 questions: tasks without a rule here: coding"
    assert f"left out: livebench: {why}" in capsys.readouterr().out


def test_nothing_to_measure_is_the_users(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"suites": ["drop", "gpqa"]})
    with pytest.raises(RunError, match="no suite can be measured") as error:
        evaluate_run(run, Places(run=run), when="before", load=never)
    assert error.value.reason is Reason.EVALUATION_DATA_MISSING


def test_a_missing_model_is_said(gsm8k: TrainingRun) -> None:
    with pytest.raises(RunError, match=r"there is no model in .*model: it must be") as error:
        evaluate_run(gsm8k, Places(run=gsm8k), when="before")
    assert error.value.reason is Reason.MODEL_NOT_FOUND


CODE = "def main_solution(values):\n    return sum(values) + 10**20 - 5 - {number} + {number}\n"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs that do what their pairs say, and one question that two samples answer."""
    out = tmp_path_factory.mktemp("held") / "dataset"
    samples = [
        sample(
            program(text=CODE.format(number=number)), pair=pair, direction=direction, index=index
        )
        for number in range(30)
        for pair in range(2)
        for direction in (OUTPUT, INPUT)
        for index in range(2)
    ]
    settings = DatasetSettings(splits=(0.5, 0.0, 0.5), near_duplicate_threshold=1.0)
    export(samples, out, settings=settings, formats=["codeio", "messages"])
    return out


def test_held_out_by_direction(snapshot: Path, tmp_path: Path, verifier: str) -> None:
    rows = [
        json.loads(line) for line in (snapshot / "codeio" / "test.jsonl").read_text().splitlines()
    ]
    tasks = {row["task_id"]: row for row in rows}
    run = run_of(tmp_path, {"heldOut": {"path": str(snapshot)}}, data=snapshot)
    places = Places(run=run)

    def answer(prompt: str) -> str:
        assert prompt in {row["prompt"] for row in rows}
        return 'So.\n```json\n{"input": {"values": [3, 2]}}\n```'

    outcome = evaluate_run(
        run, places, when="before", verifier=verifier, load=lambda: Scripted(answer)
    )
    found = {
        score.suite: score
        for score in map(Score.model_validate, outcome.details["scores"])
        if score.suite != MEAN
    }
    questions = {name: score.questions for name, score in found.items()}
    directions = [row["direction"] for row in tasks.values()]
    assert questions == {
        "held-out-output": directions.count("DIRECTION_OUTPUT_PREDICTION"),
        "held-out-input": directions.count("DIRECTION_INPUT_PREDICTION"),
    }
    inputs = found["held-out-input"].before
    assert inputs
    # Another input than the recorded one gives the output of the pairs with 0, and of those alone.
    assert inputs.value == pytest.approx(0.5, abs=0.1)
    outputs = found["held-out-output"].before
    assert outputs
    assert (outputs.value, outputs.low) == (0, 0)
    assert 0 < outputs.high < inputs.high
    items = (places.evaluation / "before" / "held-out-input.jsonl").read_text().splitlines()[1:]
    programs = {json.loads(line)["cluster"] for line in items}
    assert programs == {row["program_id"] for row in rows}


def test_held_out_without_a_verifier(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CODEIO_VERIFIER_ADDRESS", raising=False)
    run = run_of(tmp_path, {"heldOut": {"path": str(snapshot)}})
    with pytest.raises(RunError, match="set CODEIO_VERIFIER_ADDRESS"):
        evaluate_run(run, Places(run=run), when="before", load=never)


def test_a_split_that_is_not_there(snapshot: Path, tmp_path: Path) -> None:
    run = run_of(tmp_path, {"heldOut": {"path": str(snapshot), "split": "tset"}})
    with pytest.raises(
        RunError, match=r"no held-out questions: .*has no file tset.parquet"
    ) as error:
        evaluate_run(run, Places(run=run), when="before", verifier="x", load=never)
    assert error.value.reason is Reason.EVALUATION_DATA_MISSING


def test_questions_are_read_once(gsm8k: TrainingRun, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = []
    read = measurement.read_questions

    def counted(suite: Suite, *, file: Path | None) -> list[Question]:
        readings.append(suite.name)
        return read(suite, file=file)

    monkeypatch.setattr(measurement, "read_questions", counted)
    places = Places(run=gsm8k)
    evaluate_run(gsm8k, places, when="after", load=lambda: answering("gsm8k", 2))
    assert (places.evaluation / "contamination.json").exists()
    assert readings == ["gsm8k", "drop"]


def test_sixty_suites_fit_into_the_last_message() -> None:
    share = Estimate(value=0.123456, low=0.012345, high=0.998765)
    scores = [
        Score(
            category=f"category-{number // 8}",
            suite=MEAN if number % 8 == 0 else f"suite-number-{number}",
            questions=14_000,
            before=share,
            after=share,
            gain=Estimate(value=-0.25, low=-0.5, high=0.125),
        )
        for number in range(70)
    ]
    details = pack_scores(scores)
    text = Outcome(Reason.COMPLETED, "x" * 900, details).to_json()
    assert len(text.encode()) <= MESSAGE_BYTES
    kept = [Score.model_validate(each) for each in details["scores"]]
    assert len(kept) + details["scores_left_out"] == 70
    means = [score.category for score in kept if score.suite == MEAN]
    assert means == [f"category-{number}" for number in range(9)]
    assert kept[0].before == Estimate(value=0.123, low=0.012, high=0.999)
    assert kept[0].gain == scores[0].gain
    few = pack_scores(scores[:16])
    assert "scores_left_out" not in few
    assert len(few["scores"]) == 16
