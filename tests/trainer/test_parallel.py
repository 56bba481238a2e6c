"""One process, DDP and FSDP train alike, and FSDP shards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codeio.training_run.spec import Execution
from tests.trainer.ranks import run_ranks
from tests.trainer.work import train_by_hand

if TYPE_CHECKING:
    from pathlib import Path


def trained(model: Path, folder: Path, world: int, **execution: Any) -> list[dict[str, Any]]:
    settings = Execution.model_validate({"precision": "Float32", **execution})
    return run_ranks(world, train_by_hand, model, settings, folder)


@pytest.fixture(scope="module")
def alone(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return trained(tiny_model, tmp_path_factory.mktemp("alone"), 1)[0]


def test_ddp_has_the_losses_of_one_process(
    tiny_model: Path, tmp_path: Path, alone: dict[str, Any]
) -> None:
    ours = trained(tiny_model, tmp_path, 2, parallelism="DDP")
    assert ours[0]["losses"] == pytest.approx(alone["losses"], rel=1e-4)
    assert ours[0]["norms"] == pytest.approx(alone["norms"], rel=1e-3)
    assert ours[0]["parameters"] == alone["parameters"]


def test_fsdp_shards_has_the_same_losses_and_goes_on_at_any_number_of_processes(
    tiny_model: Path, tmp_path: Path, alone: dict[str, Any]
) -> None:
    ours = trained(tiny_model, tmp_path, 2, parallelism="FSDP", activationCheckpointing=True)
    assert ours[0]["losses"] == pytest.approx(alone["losses"], rel=1e-4)
    assert ours[0]["norms"] == pytest.approx(alone["norms"], rel=1e-3)
    for name, (sharded, own, whole) in ours[0]["parameters"].items():
        other = ours[1]["parameters"][name][1]
        assert sharded, name
        assert (own, other) == (whole // 2, whole - whole // 2), name
    total = sum(whole for _, _, whole in alone["parameters"].values())
    assert ours[0]["moments"] + ours[1]["moments"] == total == alone["moments"]

    # The checkpoint of two shards, after the second step, is one process's too, and DDP's.
    on = trained(tiny_model, tmp_path, 1)
    assert on[0]["losses"] == pytest.approx(alone["losses"][2:], rel=1e-4)


def test_bfloat16_stays_near_and_keeps_weights_in_32_bits(
    tiny_model: Path, tmp_path: Path, alone: dict[str, Any]
) -> None:
    for parallelism, world in (("DDP", 1), ("FSDP", 2)):
        ours = trained(
            tiny_model, tmp_path / parallelism, world, parallelism=parallelism, precision="BFloat16"
        )
        assert ours[0]["losses"] == pytest.approx(alone["losses"], rel=2e-2)
        assert ours[0]["losses"] != alone["losses"]
