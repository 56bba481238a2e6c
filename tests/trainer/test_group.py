"""What the processes of a stage hear of one another."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

import pytest
import torch
from torch.distributed import HashStore, TCPStore  # type: ignore[attr-defined]

from codeio.trainer.group import SAVE_DEADLINE, STEP_DEADLINE, Group
from codeio.training_run.outcomes import ExitCode, Reason, RunError
from tests.trainer.ranks import run_ranks
from tests.trainer.test_stage import manifest
from tests.trainer.work import deadlines

if TYPE_CHECKING:
    from pathlib import Path

MEMORY = RunError(Reason.OUT_OF_MEMORY, "too little", exit_code=ExitCode.OUT_OF_MEMORY)
BUG = RunError(Reason.INTERNAL_ERROR, "KeyError: x", exit_code=ExitCode.FAILED)


def groups(store: object | None = None) -> tuple[Group, Group]:
    """Return the places of two processes that have a store in common."""
    shared = store or HashStore()
    one, other = (
        Group(rank=rank, world=2, device=torch.device("cpu"), store=shared)  # type: ignore[arg-type]
        for rank in range(2)
    )
    return one, other


def test_who_waits_for_its_gpu_hears_of_another_that_failed() -> None:
    one, other = groups()
    heard: queue.Queue[RunError] = queue.Queue()
    with one.watched(heard.put):
        other.tell_error(MEMORY)
        told = heard.get(timeout=60)
    assert (told.reason, told.exit_code) == (Reason.OUT_OF_MEMORY, ExitCode.OUT_OF_MEMORY)


def test_who_waits_for_its_gpu_hears_that_the_first_node_is_gone() -> None:
    server = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    one, _ = groups(TCPStore("127.0.0.1", server.port, is_master=False))
    heard: queue.Queue[RunError] = queue.Queue()
    with one.watched(heard.put):
        del server
        assert heard.get(timeout=60).exit_code is ExitCode.DISRUPTED


def test_a_failure_counts_where_it_was_and_not_with_those_that_hear_of_it() -> None:
    one, other = groups()
    assert other.tell_error(BUG) is BUG
    heard = one.told_error()
    assert heard
    assert heard.exit_code is ExitCode.DISRUPTED
    assert "KeyError: x" in str(heard)
    led_to = one.tell_error(RunError(Reason.INTERNAL_ERROR, "?", exit_code=ExitCode.FAILED))
    assert (led_to.exit_code, str(led_to)) == (ExitCode.DISRUPTED, str(heard))
    # What is the user's to mend is told by whoever finds it.
    assert one.tell_error(MEMORY) is MEMORY


def test_a_network_that_is_not_there_is_no_disruption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "nowhere0")
    alone = Group(rank=0, world=1, device=torch.device("cpu"), store=HashStore())
    told = "NCCL_SOCKET_IFNAME and GLOO_SOCKET_IFNAME"
    with pytest.raises(RunError, match=told) as caught, alone.joined():
        pass
    assert caught.value.exit_code is ExitCode.FAILED


def test_whole_models_have_time_to_go_from_process_to_process(
    tiny_model: Path, tmp_path: Path
) -> None:
    execution = {"precision": "Float32", "parallelism": "FSDP"}
    described = manifest(tiny_model, tmp_path, execution=execution)
    for each in run_ranks(2, deadlines, described):
        assert each == {
            "scatter": SAVE_DEADLINE,
            "step": STEP_DEADLINE,
            "gather": SAVE_DEADLINE,
        }
