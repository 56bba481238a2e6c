"""Where the parts of a run lie: in volumes of a cluster, or in folders of this machine.

CHECKPOINTS/RUN/
    data/STAGE/            the stage's samples as tokens
    checkpoints/STAGE/     what a stage goes on from
    models/STAGE/          the model that a stage ended with, as `save_pretrained` writes it
    metrics/STAGE.jsonl    figures of a stage
    tensorboard/           the same of all stages, as events
    evaluation/            answers and scores, before and after
    evaluation.json        the table, and evaluation.svg, its picture
    .run.lock, .step.lock  held by whoever is at work here
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from codeio.training_run.outcomes import Reason, RunError
from codeio.training_run.spec import STAGES, StageName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codeio.training_run.manifest import TrainingRun
    from codeio.training_run.spec import Located

VOLUMES = Path("/volumes")
"""Where a pod finds its PersistentVolumeClaims, each under its name."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Resolves the paths of one run."""

    run: TrainingRun
    volumes: Mapping[str, Path] = field(default_factory=dict)
    """Folders that stand for volumes; one that is not named is looked for in `VOLUMES`."""

    def path(self, located: Located) -> Path | None:
        """Return where something lies, or None if it is at the hub.

        Raises:
            RunError: its volume is not here, or its path leads out of it.
        """
        if located.path is None:
            return None
        return self._inside(located.volume, located.path)

    @property
    def folder(self) -> Path:
        """The run's own folder, which need not be there yet."""
        checkpoints = self.run.spec.checkpoints
        return self._inside(checkpoints.volume, checkpoints.path) / self.run.metadata.name

    def data(self, stage: str) -> Path:
        return self.folder / "data" / stage

    def checkpoints(self, stage: str) -> Path:
        return self.folder / "checkpoints" / stage

    def model(self, stage: str) -> Path:
        return self.folder / "models" / stage

    @property
    def evaluation(self) -> Path:
        return self.folder / "evaluation"

    def model_before(self, stage: StageName) -> Path | None:
        """Return the model that a stage begins with, or None if it is at the hub."""
        stages = STAGES[self.run.spec.recipe]
        number = stages.index(stage)
        return self.model(stages[number - 1]) if number else self.path(self.run.spec.model)

    @property
    def last_model(self) -> Path:
        """The model that the run ends with."""
        return self.model(STAGES[self.run.spec.recipe][-1])

    def _inside(self, volume: str | None, path: str) -> Path:
        if volume is None:
            return Path(path)
        root = self.volumes.get(volume, VOLUMES / volume)
        if not root.is_dir():
            raise RunError(
                Reason.INVALID_SPEC,
                f"the volume {volume} is not here: name a folder for it with"
                f" --volume {volume}=FOLDER",
            )
        place = root / path.lstrip("/")
        if not place.resolve().is_relative_to(root.resolve()):
            raise RunError(Reason.INVALID_SPEC, f"{path} leads out of the volume {volume}")
        return place
