"""A stage trains, and whatever stops it, it goes on with the very same losses."""

from __future__ import annotations

import json
import os
import shutil
import signal
from typing import TYPE_CHECKING, Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from codeio.trainer import local
from codeio.trainer.launch import Node
from codeio.training_run.manifest import parse_manifest
from codeio.training_run.outcomes import ExitCode, Outcome, Reason, RunError
from codeio.training_run.places import Places
from tests.trainer.conftest import TINY_TEMPLATE
from tests.trainer.ranks import run_ranks, started
from tests.trainer.work import losing_its_model, stage

if TYPE_CHECKING:
    from pathlib import Path

KILLED = -signal.SIGKILL


def manifest(model: Path, root: Path, **spec: Any) -> dict[str, Any]:
    """Return a run of ten steps of four samples, with a checkpoint after each third."""
    rows = root / "rows.jsonl"
    if not rows.exists():
        root.mkdir(parents=True, exist_ok=True)
        with rows.open("w", encoding="utf-8") as file:
            for number in range(40):
                chat = [
                    {"role": "user", "content": f"def f(x): return x * {number}; f({number % 7})?"},
                    {"role": "assistant", "content": f"It is {number * (number % 7)}."},
                ]
                file.write(json.dumps({"messages": chat}) + "\n")
    return {
        "apiVersion": "codeio.dev/v1alpha1",
        "kind": "TrainingRun",
        "metadata": {"name": "tiny"},
        "spec": {
            "model": {"path": str(model)},
            "data": {"reasoning": [{"path": str(rows)}]},
            "hyperparameters": {"learningRate": 0.01, "batchSize": 4, "maxLength": 128},
            "execution": {"precision": "Float32", "tokensPerDevice": 128},
            "checkpoints": {"path": str(root / "runs"), "everySteps": 3, "keep": 2},
            **spec,
        },
    }


def losses(root: Path) -> dict[int, float]:
    lines = (root / "runs/tiny/metrics/reasoning.jsonl").read_text(encoding="utf-8").splitlines()
    figures = [json.loads(line) for line in lines]
    assert [each["step"] for each in figures] == sorted({each["step"] for each in figures})
    return {each["step"]: each["loss"] for each in figures}


def checkpoints(root: Path) -> list[str]:
    return sorted(each.name for each in (root / "runs/tiny/checkpoints/reasoning").iterdir())


def killed_by(trap: str, world: int, described: dict[str, Any]) -> None:
    """Run until the first process is killed."""
    with started(world, stage, described, trap) as ranks:
        ranks.processes[0].join(200)
        assert ranks.processes[0].exitcode == KILLED


@pytest.fixture(scope="module")
def whole(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing stopped."""
    root = tmp_path_factory.mktemp("whole")
    [ended] = run_ranks(1, stage, manifest(tiny_model, root))
    assert ended["reason"] == Reason.COMPLETED
    assert ended["details"]["step"] == 10
    return root


def test_a_stage_learns_and_leaves_a_model(whole: Path, tiny_model: Path) -> None:
    by_step = losses(whole)
    assert list(by_step) == list(range(1, 11))
    assert by_step[10] < by_step[1] - 0.5
    assert checkpoints(whole) == ["step-00000009", "step-00000010"]
    trained = whole / "runs/tiny/models/reasoning"
    model, before = (AutoModelForCausalLM.from_pretrained(each) for each in (trained, tiny_model))
    assert model.dtype == before.dtype
    assert type(model) is type(before)
    assert not model.lm_head.weight.equal(before.lm_head.weight)
    assert AutoTokenizer.from_pretrained(trained).chat_template
    assert model.generation_config.eos_token_id == before.generation_config.eos_token_id
    assert any((whole / "runs/tiny/tensorboard/reasoning").iterdir())


def test_a_finished_stage_is_not_trained_again_nor_taken_for_another(
    whole: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launch(*_: object, **__: object) -> None:
        raise AssertionError("its processes would wait for peers that are done")

    monkeypatch.setattr(local, "launch", launch)
    described = manifest(tiny_model, whole)
    replaced = Node(number=1, count=2, coordinator="run-0.run")

    def ended() -> Outcome:
        run = parse_manifest(described, source="test")
        return local.run_step(run, "reasoning", Places(run=run), node=replaced, say=print)

    assert (ended().reason, ended().details["step"]) == (Reason.COMPLETED, 10)
    described["spec"]["hyperparameters"]["learningRate"] = 0.02
    model = whole / "runs/tiny/models/reasoning"
    with pytest.raises(RunError) as caught:
        ended()
    assert caught.value.exit_code is ExitCode.USER_ERROR
    assert str(caught.value) == (
        f"{model} was made with learningRate = 0.01, and would now be made with learningRate ="
        " 0.02: put back what it was, give the run another name, or delete what is there"
    )


def test_a_stage_does_not_go_on_with_other_rows(tiny_model: Path, tmp_path: Path) -> None:
    described = manifest(tiny_model, tmp_path)
    killed_by("kill@5/0", 1, described)
    rows = tmp_path / "rows.jsonl"
    rows.write_text(rows.read_text().replace("It is 0.", "It is 1."))
    [ended] = run_ranks(1, stage, described)
    place = tmp_path / "runs/tiny/checkpoints/reasoning/step-00000003"
    assert ended["code"] == ExitCode.USER_ERROR
    assert ended["message"] == (
        f"the data have changed since {place} was made: {rows} holds other rows: put back what it"
        " was, give the run another name, or delete what is there"
    )


def test_the_model_that_a_stage_begins_with_is_read_once(tiny_model: Path, tmp_path: Path) -> None:
    described = manifest(shutil.copytree(tiny_model, tmp_path / "model"), tmp_path)
    [(ended, counted)] = run_ranks(1, losing_its_model, described)
    assert (ended["reason"], counted) == (Reason.COMPLETED, 1)
    told = (tmp_path / "runs/tiny/metrics/reasoning.jsonl").read_text(encoding="utf-8").splitlines()
    assert all(json.loads(line)["utilisation"] > 0 for line in told)


@pytest.mark.parametrize("template", [None, TINY_TEMPLATE])
def test_a_base_model_is_prompted_as_it_was_trained_and_stops_after_its_answer(
    template: str | None, tiny_model: Path, tmp_path: Path
) -> None:
    base = shutil.copytree(tiny_model, tmp_path / "base")
    (base / "chat_template.jinja").unlink()
    tokenizer = AutoTokenizer.from_pretrained(base, eos_token="<|system|>")
    tokenizer.chat_template = template  # which ends an answer with <|end|>, not as texts end
    tokenizer.save_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(base)
    question = [{"role": "user", "content": "f(2)?"}]
    chat = [*question, {"role": "assistant", "content": "It is 4."}]
    (tmp_path / "rows.jsonl").write_text(
        (json.dumps({"messages": chat}) + "\n") * 4, encoding="utf-8"
    )
    described = manifest(base, tmp_path)
    described["spec"]["hyperparameters"]["steps"] = 40
    described["spec"]["checkpoints"]["everySteps"] = 100
    [ended] = run_ranks(1, stage, described)
    assert ended["reason"] == Reason.COMPLETED
    told = "reasoning: the model has no chat template: it is trained with the one built in here"
    assert any(line.startswith(told) for line in ended["said"]) is (template is None)

    trained = tmp_path / "runs/tiny/models/reasoning"
    tokenizer = AutoTokenizer.from_pretrained(trained)
    prompt = tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    model = AutoModelForCausalLM.from_pretrained(trained)
    said = model.generate(**prompt, max_new_tokens=60, do_sample=False)[0]
    answer = tokenizer.decode(said[prompt["input_ids"].shape[1] :])
    assert answer == f"It is 4.{tokenizer.eos_token}"
    assert tokenizer.eos_token == ("<|end|>" if template else "<|system|>")


@pytest.mark.parametrize("trap", ["kill@5/0", "kill-in-save@6/0"])
def test_a_killed_stage_goes_on_with_the_same_losses(
    trap: str, whole: Path, tiny_model: Path, tmp_path: Path
) -> None:
    described = manifest(tiny_model, tmp_path)
    killed_by(trap, 1, described)
    assert "step-00000003" in checkpoints(tmp_path)
    assert "step-00000006" not in checkpoints(tmp_path)
    os.utime(tmp_path / "rows.jsonl", ns=(1, 1))  # the same rows, if written at another time
    [ended] = run_ranks(1, stage, described)
    assert ended["reason"] == Reason.COMPLETED
    assert losses(tmp_path) == losses(whole)
    assert checkpoints(tmp_path) == ["step-00000009", "step-00000010"]  # no remnants


def test_two_processes_with_shards_stop_together_when_one_is_told_to_and_go_on(
    tiny_model: Path, tmp_path: Path, whole: Path
) -> None:
    execution = {"precision": "Float32", "tokensPerDevice": 128, "parallelism": "FSDP"}
    straight = manifest(tiny_model, tmp_path / "straight", execution=execution)
    assert run_ranks(2, stage, straight)[0]["reason"] == Reason.COMPLETED
    described = manifest(tiny_model, tmp_path / "stopped", execution=execution)
    ended = run_ranks(2, stage, described, "stop@4/1")
    for each in ended:
        assert each["code"] == ExitCode.DISRUPTED
        assert "after step 5, which is saved" in each["message"]
    assert checkpoints(tmp_path / "stopped") == ["step-00000003", "step-00000005"]
    assert run_ranks(2, stage, described)[0]["reason"] == Reason.COMPLETED
    assert losses(tmp_path / "stopped") == losses(tmp_path / "straight")
    by_step = losses(whole)
    for step, loss in losses(tmp_path / "straight").items():
        assert loss == pytest.approx(by_step[step], rel=1e-3)


def test_a_lost_process_is_noticed_by_the_other(tiny_model: Path, tmp_path: Path) -> None:
    execution = {"parallelism": "DDP"}
    described = manifest(tiny_model, tmp_path, execution=execution)
    with started(2, stage, described, "kill@4/1") as ranks:
        told = ranks.result(0)
    assert (told["reason"], told["code"]) == (Reason.DISRUPTED, ExitCode.DISRUPTED)


def test_what_one_process_finds_wrong_all_tell(tiny_model: Path, tmp_path: Path) -> None:
    described = manifest(tiny_model, tmp_path)
    ended = run_ranks(2, stage, described, "memory@4/1")
    assert [each["reason"] for each in ended] == [Reason.OUT_OF_MEMORY] * 2
    assert [each["code"] for each in ended] == [ExitCode.OUT_OF_MEMORY] * 2
    ended = run_ranks(2, stage, described, "bug@4/1")
    assert [each["code"] for each in ended] == [ExitCode.DISRUPTED, ExitCode.FAILED]
    assert "KeyError" in ended[0]["message"]
    # One alone knows of the model that is missing, and the other waits for it.
    described["spec"]["model"] = {"path": str(tmp_path / "none")}
    ended = run_ranks(2, stage, described)
    assert [each["reason"] for each in ended] == [Reason.MODEL_NOT_FOUND] * 2


def test_samples_that_are_left_out_are_told_in_the_log(tiny_model: Path, tmp_path: Path) -> None:
    described = manifest(tiny_model, tmp_path)
    described["spec"]["hyperparameters"]["steps"] = 1
    chat = [
        {"role": "user", "content": "How often?"},
        {"role": "assistant", "content": "again " * 200},
    ]
    with (tmp_path / "rows.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"messages": chat}) + "\n")
    [ended] = run_ranks(1, stage, described)
    assert ended["reason"] == Reason.COMPLETED
    left_out = "(left out: 1 with more tokens than maxLength)"
    [told] = (line for line in ended["said"] if line.startswith("reasoning: 40 samples, "))
    assert told.endswith(f"40 of 41 rows of {tmp_path}/rows.jsonl {left_out}")


def test_a_loss_that_is_not_finite_ends_the_run_before_anything_is_made_of_it(
    tiny_model: Path, tmp_path: Path
) -> None:
    [ended] = run_ranks(1, stage, manifest(tiny_model, tmp_path), "nan@4/0")
    assert (ended["reason"], ended["code"]) == (Reason.NON_FINITE_LOSS, ExitCode.USER_ERROR)
    assert ended["message"] == (
        "the loss of step 5 of reasoning is not finite: lower learningRate or add warmupSteps in a"
        " run of another name"
    )
    assert checkpoints(tmp_path) == ["step-00000003"]
    assert list(losses(tmp_path)) == [1, 2, 3, 4]


def test_a_warm_up_that_outlasts_an_epoch_is_refused_before_a_step(
    tiny_model: Path, tmp_path: Path
) -> None:
    described = manifest(tiny_model, tmp_path)
    described["spec"]["hyperparameters"] |= {"epochs": 0.5, "warmupSteps": 5}
    [ended] = run_ranks(1, stage, described)
    assert (ended["reason"], ended["code"]) == (Reason.INVALID_SPEC, ExitCode.USER_ERROR)
    assert ended["message"] == (
        "a warm-up of 5 steps must be shorter than the stage reasoning, which has 5 with these"
        " data: lower warmupSteps"
    )
    described["spec"]["hyperparameters"]["warmupSteps"] = 4
    described["metadata"]["name"] = "shorter"
    assert run_ranks(1, stage, described)[0]["reason"] == Reason.COMPLETED


def test_a_full_disk_keeps_the_checkpoint_before(
    tiny_model: Path, tmp_path: Path, whole: Path
) -> None:
    described = manifest(tiny_model, tmp_path)
    [ended] = run_ranks(1, stage, described, "full-in-save@6/0")
    assert (ended["reason"], ended["code"]) == (Reason.STORAGE_FULL, ExitCode.USER_ERROR)
    assert f"the disk of {tmp_path / 'runs/tiny'} is full: make room" in ended["message"]
    assert checkpoints(tmp_path) == ["step-00000003"]
    assert run_ranks(1, stage, described)[0]["reason"] == Reason.COMPLETED
    assert losses(tmp_path) == losses(whole)
