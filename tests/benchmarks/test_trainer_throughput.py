"""The benchmark of the trainer measures what the trainer is now."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from codeio.trainer import throughput
from codeio.trainer.throughput import Work, peak_of

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

_TINY = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}


def test_it_trains_and_tells_its_speed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # As a script has it, whose folder is where it looks for others.
    monkeypatch.syspath_prepend(BENCHMARKS)
    benchmark: Any = importlib.import_module("trainer_throughput")
    monkeypatch.setitem(benchmark.SHAPES, "tiny", _TINY)
    monkeypatch.setattr(benchmark, "VOCABULARY", 64)
    cpu = torch.device("cpu")
    limit = benchmark.LONGEST
    speed = benchmark.ours("tiny", cpu, 2, limit, precision="Float32")
    assert len(speed.tokens) == len(speed.seconds) == 2
    assert all(0 < tokens <= limit for tokens in speed.tokens)
    benchmark.report("tiny", speed, Work(benchmark.make_model("tiny", "sdpa")), cpu)
    assert f"{speed.rate:,.0f} tokens/s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA L40", None),
        ("NVIDIA RTX A1000", None),
    ],
)
def test_the_peak_is_that_of_this_device(
    name: str, peak: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throughput.torch.cuda, "get_device_name", lambda _: name)
    assert peak_of(SimpleNamespace(type="cuda")) == peak
