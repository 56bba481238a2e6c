"""Real models through the harness: the plumbing with a tiny one, and SmolLM2 once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import datasets
import httpx
import pytest
from huggingface_hub import constants

from codeio.evaluation import model
from codeio.evaluation.harness import ask
from codeio.evaluation.model import find_model, load_model, needs_several
from codeio.training_run import hub
from codeio.training_run.outcomes import ExitCode, Reason, RunError
from tests.evaluation.conftest import ten_questions

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["cruxeval-o", "winogrande"])
def test_a_tiny_model_answers_the_same_each_time(name: str, tiny_model: Path) -> None:
    suite, questions = ten_questions(name)
    lm = load_model(tiny_model, batch_size=4, precision="Float32")
    first = ask(lm, suite, questions, max_new_tokens=6, seed=0)
    assert first == ask(lm, suite, questions, max_new_tokens=6, seed=0)
    # Of one by one, too: what a batch is padded with changes nothing.
    lm = load_model(tiny_model, batch_size=1, precision="Float32")
    alone = ask(lm, suite, questions, max_new_tokens=6, seed=0)
    assert [each.response for each in alone] == [each.response for each in first]


def test_a_model_is_spread_over_gpus_only_if_one_is_too_small() -> None:
    assert not needs_several(14 << 30, [])
    assert not needs_several(90 << 30, [80 << 30])
    assert not needs_several(14 << 30, [80 << 30] * 8)
    assert needs_several(70 << 30, [80 << 30] * 8)
    assert needs_several(140 << 30, [80 << 30] * 2)


def test_a_model_that_gpus_do_not_hold_is_not_computed_elsewhere(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With two that hold less than its weights it is spread, and here over no GPU at all.
    monkeypatch.setattr(model, "_gpus", lambda: [1000, 1000])
    with pytest.raises(RunError, match="into the memory of 2 GPUs") as error:
        load_model(tiny_model, batch_size=1)
    assert error.value.exit_code is ExitCode.OUT_OF_MEMORY
    monkeypatch.setattr(model, "_gpus", lambda: [1 << 30, 1 << 30])
    load_model(tiny_model, batch_size=1)


def test_a_model_of_the_hub_is_its_commit(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "models--made--tiny"
    shutil.copytree(tiny_model, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    found = find_model("made/tiny", batch_size=2, precision="Float32")
    assert found.header == {"model": "made/tiny", "fingerprint": commit}
    # What is measured is that commit, wherever the hub goes meanwhile.
    (cached / "refs" / "main").write_text("f" * 40)
    assert found.load()
    with pytest.raises(RunError, match="the model made/none cannot be loaded") as error:
        find_model("made/none", batch_size=2, precision="Float32")
    assert error.value.reason is Reason.MODEL_NOT_FOUND


def test_a_hub_out_of_reach_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def head(url: str, **_: object) -> None:
        asked.append(url)
        raise httpx.ConnectError("nobody is there")

    monkeypatch.setattr(httpx, "head", head)
    monkeypatch.setattr(hub, "_WAITS", ())
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    for name in ("made/none", "made/another"):
        with pytest.raises(RunError, match=f"the model {name} cannot be loaded: .*connect"):
            find_model(name, batch_size=2, precision="Float32")
    assert asked == [constants.ENDPOINT]


def test_smollm2_knows_what_is_likelier_than_chance(smollm2: Path) -> None:
    lm = load_model(smollm2, batch_size=10)
    suite, questions = ten_questions("winogrande")
    assert sum(each.score for each in ask(lm, suite, questions, max_new_tokens=1, seed=0)) >= 5
    suite, questions = ten_questions("gsm8k")
    answers = ask(lm, suite, questions[:2], max_new_tokens=12, seed=0)
    assert all(each.response.strip() and "<|im_end|>" not in each.response for each in answers)
