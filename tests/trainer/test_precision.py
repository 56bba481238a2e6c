"""Who trains in BFloat16 where that is slow is told so, once, and what to do."""

from __future__ import annotations

import os
from contextlib import redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch

from codeio.trainer.stage import run_stage
from codeio.trainer.stopping import Stop
from codeio.trainer.word import Word
from codeio.training_run.manifest import parse_manifest, read_manifest
from codeio.training_run.outcomes import RunError
from codeio.training_run.places import Places
from codeio.training_run.precision import is_slow_in_bfloat16
from tests.trainer.ranks import run_ranks

PLAIN = {"architecture": "x86_64", "avx2": True, "avx512_f": True, "avx512_bf16": False}
SMOKE = Path(__file__).parents[2] / "deploy" / "examples" / "smoke-cpu.yaml"


def said_at_start(manifest: dict[str, Any], capabilities: dict[str, Any]) -> list[str]:
    """Begin a stage whose model is missing, on a CPU of these capabilities."""
    torch.cpu.get_capabilities = lambda: capabilities
    run = parse_manifest(manifest, source="test")
    with redirect_stderr(StringIO()) as said, TemporaryDirectory() as folder, suppress(RunError):
        word = Word(Path(folder), int(os.environ["RANK"]), "reasoning")
        run_stage(run, "reasoning", Places(run=run), stop=Stop(), word=word)
    return said.getvalue().splitlines()


def manifest(root: Path, **execution: str) -> dict[str, Any]:
    return {
        "apiVersion": "codeio.dev/v1alpha1",
        "kind": "TrainingRun",
        "metadata": {"name": "tiny"},
        "spec": {
            "model": {"path": str(root / "none")},
            "data": {"reasoning": [{"path": str(root / "none.jsonl")}]},
            "execution": execution,
            "checkpoints": {"path": str(root / "runs")},
        },
    }


def test_a_cpu_without_bfloat16_is_told_of_by_one_process(tmp_path: Path) -> None:
    first, second = run_ranks(2, said_at_start, manifest(tmp_path), PLAIN)
    [warning] = [line for line in first if line.startswith("warning: ")]
    assert "up to sixty times slower; set execution.precision to Float32" in warning
    assert second == []


@pytest.mark.parametrize(
    ("execution", "capabilities"),
    [({"precision": "Float32"}, PLAIN), ({}, PLAIN | {"avx512_bf16": True})],
)
def test_where_nothing_is_slow_nothing_is_said(
    execution: dict[str, str], capabilities: dict[str, Any], tmp_path: Path
) -> None:
    [said] = run_ranks(1, said_at_start, manifest(tmp_path, **execution), capabilities)
    assert said
    assert not [line for line in said if "BFloat16" in line]


@pytest.mark.parametrize(
    ("capabilities", "slow"),
    [
        (PLAIN, True),
        (PLAIN | {"amx_bf16": True}, False),
        ({"architecture": "arm64", "neon": True, "bf16": True}, False),
        ({"architecture": "arm64", "neon": True, "bf16": False}, True),
    ],
)
def test_which_cpus_are_slow(
    capabilities: dict[str, Any], slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert is_slow_in_bfloat16(torch.device("cpu")) is slow
    assert not is_slow_in_bfloat16(torch.device("cuda", 0))


def test_the_example_for_a_cpu_does_not_ask_for_it() -> None:
    run = read_manifest(SMOKE.read_text(encoding="utf-8"), source=SMOKE.name)
    assert run.spec.execution.precision == "Float32"
