"""Where the parts of a run lie, and that nothing leads out of a volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codeio.training_run.manifest import parse_manifest
from codeio.training_run.outcomes import Reason, RunError
from codeio.training_run.places import VOLUMES, Places
from tests.training_run.specs import manifest


def places(volumes: dict[str, Path] | None = None, **spec: Any) -> Places:
    run = parse_manifest(manifest(**spec), source="run.yaml")
    return Places(run=run, volumes=volumes or {})


def test_paths_of_the_machine_are_as_they_are() -> None:
    here = places(checkpoints={"path": "/runs"})
    assert here.path(here.run.spec.model) == Path("/models/tiny")
    assert here.folder == Path("/runs/smoke")


def test_what_is_at_the_hub_has_no_path() -> None:
    here = places(model={"name": "org/model"})
    assert here.path(here.run.spec.model) is None
    assert here.model_before("reasoning") is None


def test_a_volume_is_a_folder_of_its_name(tmp_path: Path) -> None:
    spec = {"checkpoints": {"volume": "runs", "path": "team/a"}}
    assert places({"runs": tmp_path}, **spec).folder == tmp_path / "team" / "a" / "smoke"
    # A path that begins at the root begins at the volume's.
    spec = {"checkpoints": {"volume": "runs", "path": "/team"}}
    assert places({"runs": tmp_path}, **spec).folder == tmp_path / "team" / "smoke"


def test_a_volume_that_is_not_here_is_asked_for() -> None:
    assert not (VOLUMES / "runs").exists()
    with pytest.raises(RunError, match="--volume runs=FOLDER") as missing:
        _ = places(checkpoints={"volume": "runs", "path": "/"}).folder
    assert missing.value.reason is Reason.INVALID_SPEC


@pytest.mark.parametrize("path", ["..", "a/../../b", "link"])
def test_no_path_leads_out_of_its_volume(path: str, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "link").symlink_to(tmp_path)
    here = places({"v": volume}, model={"volume": "v", "path": path})
    with pytest.raises(RunError, match="leads out of the volume v"):
        here.path(here.run.spec.model)


def test_a_stage_begins_with_what_the_one_before_made() -> None:
    here = places(
        recipe="TwoStage",
        data={"reasoning": [{"path": "/d"}], "instruction": [{"path": "/i"}]},
        checkpoints={"path": "/runs"},
    )
    assert here.model_before("reasoning") == Path("/models/tiny")
    assert here.model_before("instruction") == here.model("reasoning")
    assert here.last_model == here.model("instruction") == Path("/runs/smoke/models/instruction")
