"""What is told of the steps, the learning rates, and what ended a process."""

from __future__ import annotations

import errno
import json
import signal
import socket
import urllib.request
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.distributed.checkpoint.api import CheckpointException
from transformers import AutoModelForCausalLM

from codeio.runtime.errors import UsageError
from codeio.trainer.failures import failure_of
from codeio.trainer.optimiser import adamw, clip, learning_rate
from codeio.trainer.progress import Reporter, Step
from codeio.trainer.stopping import Stop, ToldToStop
from codeio.trainer.throughput import Work
from codeio.trainer.trained import Position
from codeio.training_run.outcomes import ExitCode, Reason, RunError
from tests.trainer.work import STAGE

if TYPE_CHECKING:
    from collections.abc import Callable


def step_of(number: int) -> Step:
    return Step(
        step=number,
        loss=1 / number,
        learning_rate=1e-5,
        gradient_norm=0.1,
        tokens=number * 100,
        tokens_per_second=50.0,
        seconds=2.0,
        utilisation=None,
    )


@pytest.fixture
def reporter(tmp_path: Path) -> Reporter:
    said: list[str] = []
    made = Reporter("reasoning", say=said.append)
    made.said = said  # type: ignore[attr-defined]
    return made


def test_progress_is_served_while_a_stage_runs(reporter: Reporter, tmp_path: Path) -> None:
    with reporter.served(0) as port:

        def got(path: str) -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
                return str(answer.read().decode())

        assert json.loads(got("/progress")) == {"stage": "reasoning", "step": 0, "tokens": 0}
        reporter.begin(Position(), steps=10, folder=tmp_path)
        reporter.stepped(step_of(4))
        reporter.saved(4, 1.5)
        assert json.loads(got("/progress")) == {
            "stage": "reasoning",
            "step": 4,
            "steps": 10,
            "loss": 0.25,
            "learningRate": 1e-5,
            "tokens": 400,
            "tokensPerSecond": 50.0,
            "secondsLeft": 12.0,
            "checkpointStep": 4,
        }
        metrics = got("/metrics")
        assert 'codeio_training_loss{stage="reasoning"} 0.25' in metrics
        assert 'codeio_training_checkpoint_seconds{stage="reasoning"} 1.5' in metrics
        assert got("/livez") == "ok\n"
    reporter.end()
    with pytest.raises(OSError, match="refused"):
        got("/livez")


def test_a_stage_that_goes_on_cuts_off_what_was_told_too_early(
    reporter: Reporter, tmp_path: Path
) -> None:
    reporter.begin(Position(), steps=10, folder=tmp_path)
    for number in (1, 2, 3, 4):
        reporter.stepped(step_of(number))
    reporter.end()
    lines = tmp_path / "metrics/reasoning.jsonl"
    with lines.open("a", encoding="utf-8") as file:
        file.write('{"step": 5, "lo')  # killed in the middle of a line
    reporter.begin(Position(step=2, tokens=200), steps=10, folder=tmp_path)
    reporter.stepped(replace(step_of(3), loss=7.0))
    reporter.end()
    told = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert [(each["step"], each["loss"]) for each in told] == [(1, 1.0), (2, 0.5), (3, 7.0)]
    events = EventAccumulator(str(tmp_path / "tensorboard/reasoning")).Reload()
    assert [(each.step, each.value) for each in events.Scalars("loss")] == [
        (1, 1.0),
        (2, 0.5),
        (3, 7.0),
    ]


def test_people_read_a_line_now_and_then(reporter: Reporter, tmp_path: Path) -> None:
    reporter.begin(Position(), steps=4, folder=tmp_path)
    for number in (1, 2, 3, 4):
        reporter.stepped(step_of(number))
    reporter.end()
    assert reporter.said == [  # type: ignore[attr-defined]
        "reasoning: step 1 of 4, loss 1.0000, 50 tokens/s, 6 s left",
        "reasoning: step 4 of 4, loss 0.2500, 50 tokens/s, 0 s left",
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_pods_are_asked_by_addresses_of_either_kind(reporter: Reporter, host: str) -> None:
    if host == "[::1]" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with (
        reporter.served(0) as port,
        urllib.request.urlopen(f"http://{host}:{port}/progress", timeout=20) as answer,
    ):
        assert json.load(answer)["stage"] == "reasoning"


def test_a_machine_without_ipv6_is_asked_by_ipv4(
    reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with reporter.served(0) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=20) as answer:
            assert answer.read() == b"ok\n"
        # It has not asked for what would have failed there.
        with pytest.raises(OSError, match=r"refused|unavailable|unreachable"):
            socket.create_connection(("::1", port), timeout=20)


def test_a_port_that_is_taken_is_the_users_to_change(reporter: Reporter) -> None:
    with (
        reporter.served(0) as port,
        pytest.raises(UsageError, match="CODEIO_TRAINING_METRICS_PORT"),
        Reporter("other", say=print).served(port),
    ):
        pass


@given(
    steps=st.integers(1, 500),
    warmup=st.integers(0, 100),
    schedule=st.sampled_from(["Constant", "Linear", "Cosine"]),
)
def test_learning_rates_rise_to_the_highest_and_fall_to_the_final(
    steps: int, warmup: int, schedule: str
) -> None:
    final = 1.0 if schedule == "Constant" else 0.1
    stage = replace(
        STAGE,
        learning_rate=1.0,
        final_learning_rate=final,
        schedule=schedule,  # type: ignore[arg-type]
        warmup_steps=warmup,
    )
    rates = [learning_rate(stage, step, steps) for step in range(steps)]
    rising, falling = rates[:warmup], rates[warmup:]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert all(0 < each <= 1 + 1e-12 for each in rates)
    if falling:
        assert falling[0] == pytest.approx(1.0)
    if len(falling) > 1:
        assert falling[-1] == pytest.approx(final)


def test_the_papers_second_stage_ends_with_its_final_rate() -> None:
    stage = replace(STAGE, learning_rate=3e-5, final_learning_rate=1e-6, schedule="Cosine")
    assert learning_rate(stage, 0, 700) == 3e-5
    assert learning_rate(stage, 699, 700) == pytest.approx(1e-6)


def test_matrices_alone_decay_and_a_large_gradient_is_cut() -> None:
    layer = nn.Linear(3, 2)
    decays, stays = adamw(layer, STAGE, device=torch.device("cpu")).param_groups
    assert (decays["params"], decays["weight_decay"]) == ([layer.weight], 0.1)
    assert (stays["params"], stays["weight_decay"]) == ([layer.bias], 0.0)
    for each in layer.parameters():
        each.grad = torch.full_like(each, 3.0)
    assert clip(layer, largest=1.0) == pytest.approx(3 * 8**0.5)
    norms = [each.grad.norm() for each in layer.parameters() if each.grad is not None]
    assert float(torch.stack(norms).norm()) == pytest.approx(1.0, rel=1e-4)


def test_a_tokens_work_is_counted_by_the_formula(tiny_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    parameters = sum(each.numel() for each in model.parameters())
    assert Work(model).flops(100) == 6 * parameters + 12 * 2 * 32 * 100


@pytest.mark.parametrize(
    ("error", "reason", "code"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), Reason.OUT_OF_MEMORY, 3),
        (MemoryError(), Reason.OUT_OF_MEMORY, 3),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), Reason.OUT_OF_MEMORY, 3),
        (OSError(errno.ENOSPC, "No space left on device"), Reason.STORAGE_FULL, 2),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), Reason.STORAGE_FULL, 2),
        (dist.DistNetworkError("reset"), Reason.DISRUPTED, 75),
        (RuntimeError("[gloo/pair.cc] Connection closed by peer"), Reason.DISRUPTED, 75),
        (UsageError("wrong"), Reason.INVALID_SPEC, 2),
        (KeyError("x"), Reason.INTERNAL_ERROR, 1),
        (
            CheckpointException("", {1: (OSError(errno.ENOSPC, "full"), [])}),
            Reason.STORAGE_FULL,
            2,
        ),
    ],
)
def test_an_error_is_told_as_what_it_means(error: BaseException, reason: str, code: int) -> None:
    told = failure_of(error)
    assert (told.reason, told.exit_code) == (reason, code)


def test_a_full_disk_asks_for_nothing_that_a_run_cannot_change() -> None:
    told = str(failure_of(OSError(errno.ENOSPC, "No space left on device"), folder=Path("/runs/a")))
    assert told.startswith("the disk of /runs/a is full: make room on it or make it larger")
    assert "checkpoints." not in told


def test_what_led_to_an_error_counts() -> None:
    error = RuntimeError("gloo")
    error.__cause__ = RunError(Reason.INVALID_DATA, "row 3 is no chat")
    assert str(failure_of(error)) == "row 3 is no chat"


def _heedless(work: Callable[[], None]) -> None:
    """Do some work and bear with its errors, as libraries do."""
    with suppress(Exception):
        work()


def test_a_signal_is_heeded_at_once_or_where_it_can_be() -> None:
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    stop = Stop()
    with stop.listening(), stop.deferred():
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked
    with Stop().listening():
        with pytest.raises(ToldToStop) as caught:
            _heedless(lambda: signal.raise_signal(signal.SIGTERM))
        failure = failure_of(caught.value)
        assert failure.exit_code is ExitCode.DISRUPTED
        # It may as well be writing the trained model.
        assert str(failure) == "told to stop: start it again to go on"
        signal.raise_signal(signal.SIGTERM)  # the first is being heeded
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before
