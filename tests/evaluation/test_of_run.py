"""A run's models before and after, from the spec to the pod's last message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from codeio.dataset import export
from codeio.evaluation import evaluate_run, measurement
from codeio.runtime.settings import DatasetSettings
from codeio.training_run.manifest import parse_manifest
from codeio.training_run.outcomes import MESSAGE_BYTES, Outcome, Reason, RunError
from codeio.training_run.places import Places
from codeio.training_run.scores import MEAN, pack_scores
from codeio.training_run.status import Estimate, Score
from tests.dataset.factory import INPUT, OUTPUT, program, sample
from tests.evaluation.conftest import Scripted, local_file, ten_questions

if TYPE_CHECKING:
    from pathlib import Path

    from codeio.evaluation.rows import Question
    from codeio.evaluation.suites import Suite
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
    assert second.message == "1 suites measured after training; not measured: drop"
    scores = [Score.model_validate(each) for each in second.details["scores"]]
    suite = next(score for score in scores if score.suite == "gsm8k")
    assert (suite.category, suite.questions) == ("mathematical", 10)
    assert suite.before
    assert suite.after
    assert suite.gain
    assert (suite.before.value, suite.after.value, suite.gain.value) == (0.2, 0.9, 0.7)
    assert suite.gain.low > 0.3
    assert Outcome.from_json(second.to_json()) == second

    told = json.loads((places.folder / "evaluation.json").read_text())
    assert "could not be downloaded" in told["not_measured"]["drop"]["after"]
    assert told["contamination"]["suites"]["gsm8k"]["shared"] == 1
    assert json.loads((places.evaluation / "contamination.json").read_text())["training_rows"] == 1
    assert (places.folder / "evaluation.svg").read_text().startswith("<?xml")
    assert (places.folder / "evaluation.png").stat().st_size > 5000

    screen = capsys.readouterr()
    assert "+70.0 [" in screen.out
    assert "not measured: drop (before and after): EleutherAI/drop could not" in screen.out
    assert screen.err == ""


def test_an_interrupted_evaluation_goes_on_with_what_is_missing(gsm8k: TrainingRun) -> None:
    evaluation = gsm8k.spec.evaluation
    assert evaluation
    both = gsm8k.model_copy(
        update={
            "spec": gsm8k.spec.model_copy(
                update={
                    "evaluation": evaluation.model_copy(update={"suites": ("gsm8k", "korbench")})
                }
            )
        }
    )
    places = Places(run=both)

    def interrupted(prompt: str) -> str:
        if "Here is a rule" not in prompt:
            raise KeyboardInterrupt
        return "[[T]]"

    with pytest.raises(KeyboardInterrupt):
        evaluate_run(both, places, when="before", load=lambda: Scripted(interrupted))
    assert [file.name for file in (places.evaluation / "before").iterdir()] == ["korbench.jsonl"]

    lm = answering("gsm8k", 10)
    evaluate_run(both, places, when="before", load=lambda: lm)
    assert all("Let's think" in prompt for prompt in lm.prompts)
    assert len(lm.prompts) == 10
    # And all that is there is not asked again.
    evaluate_run(both, places, when="before", load=never)


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


def test_nothing_to_measure_is_the_users(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"suites": ["drop", "gpqa"]})
    with pytest.raises(RunError, match="no suite can be measured") as error:
        evaluate_run(run, Places(run=run), when="before", load=never)
    assert error.value.reason is Reason.EVALUATION_DATA_MISSING


def test_an_unknown_suite_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"suites": ["gsmk8", "gsm8k"]})
    with pytest.raises(RunError, match="did you mean gsm8k"):
        evaluate_run(run, Places(run=run), when="before", load=never)


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
    assert found["held-out-output"].before == Estimate(value=0, low=0, high=0)
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
