"""What a stage goes on from: weights, optimiser and step, written so that a kill loses nothing.

CHECKPOINTS/RUN/checkpoints/STAGE/
    step-00000100/        the newest; `keep` of them are there
        manifest.json     step, tokens, what the stage was asked for, and size and hash of each file
        __0_0.distcp ...  torch's distributed checkpoint, which loads at any number of processes
    .step-*.partial       one that was being written

All that is random in a step is drawn from the run's seed, the step and the process, so no state
of a random generator need be kept.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from codeio.trainer import durable
from codeio.trainer.trained import Position, refuse_other
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import torch

    from codeio.trainer.group import Joined
    from codeio.trainer.model import Learner

MANIFEST = "manifest.json"
_STEP = re.compile(r"^step-(\d{8,})$")
# Names of the optimiser's state by parameter, not by number, fit any number of processes.
_OPTIONS = StateDictOptions(flatten_optimizer_state_dict=True)


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """The checkpoints of one stage; all processes call each method together."""

    folder: Path
    keep: int
    joined: Joined
    asked: Mapping[str, Any]
    """What the stage was asked for, in plain JSON: one cannot go on from another's checkpoints."""
    say: Callable[[str], None]

    def save(self, learner: Learner, optimiser: torch.optim.Optimizer, position: Position) -> float:
        """Write a checkpoint, then delete the oldest beyond `keep`.

        Returns:
            How many seconds it took.

        Raises:
            OSError: it cannot be written; those before are as they were.
        """
        begun = time.perf_counter()
        place = self.folder / f"step-{position.step:08}"
        first, patient = self.joined.group.first, self.joined.patient
        (partial, *_) = self.joined.gather(durable.begin(place) if first else None)
        assert isinstance(partial, Path)
        try:
            save(
                _state(learner, optimiser),
                storage_writer=FileSystemWriter(partial),
                process_group=patient,
            )
            own = {each.name: _fingerprint(each) for each in self._own(partial)}
            files: dict[str, Any] = {}
            for part in self.joined.gather(own):
                assert isinstance(part, dict)
                files |= part
            if first:
                manifest = {
                    "step": position.step,
                    "tokens": position.tokens,
                    "loss": position.loss,
                    "asked": dict(self.asked),
                    "files": files,
                }
                (partial / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
                durable.finish(partial, place)
                self._prune()
        except BaseException:
            if first:
                shutil.rmtree(partial, ignore_errors=True)
            raise
        self.joined.gather(None)  # none goes on before it is whole
        return time.perf_counter() - begun

    def load(self, learner: Learner, optimiser: torch.optim.Optimizer) -> Position:
        """Load the newest whole checkpoint; where there is none, begin with step 0.

        Raises:
            RunError: there are some and none is whole, or they are of another stage.
        """
        (places, *_) = self.joined.gather(self._places())
        assert isinstance(places, list)
        for number, place in enumerate(places):
            problem = self._problem(place)
            if problem is None:
                if self.joined.group.first:
                    for broken in places[:number]:  # or they would count among those to keep
                        durable.set_aside(broken)
                manifest = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
                refuse_other(manifest["asked"], self.asked, where=str(place))
                state = _state(learner, optimiser)
                load(
                    state,
                    storage_reader=FileSystemReader(place),
                    process_group=self.joined.patient,
                )
                set_state_dict(
                    learner,
                    optimiser,
                    model_state_dict=state["model"],
                    optim_state_dict=state["optimiser"],
                    options=_OPTIONS,
                )
                return Position(
                    step=manifest["step"], tokens=manifest["tokens"], loss=manifest["loss"]
                )
            if self.joined.group.first:
                self.say(f"warning: {problem}; falling back to the checkpoint before")
        if places:
            raise RunError(
                Reason.CHECKPOINT_CORRUPT,
                f"no checkpoint in {self.folder} is whole: restore one, or delete the folder to"
                " begin the stage anew",
            )
        return Position()

    def _places(self) -> list[Path]:
        """Return the checkpoints, newest first."""
        if not self.folder.is_dir():
            return []
        found = [each for each in self.folder.iterdir() if _STEP.match(each.name)]
        return sorted(found, key=lambda each: int(each.name.removeprefix("step-")), reverse=True)

    def _own(self, folder: Path) -> Iterator[Path]:
        group = self.joined.group
        yield from folder.glob(f"__{group.rank}_*.distcp")
        if group.first:
            yield folder / ".metadata"

    def _problem(self, place: Path) -> str | None:
        """Return what is wrong with a checkpoint; each process reads its share of the files."""
        group = self.joined.group
        found = None
        try:
            manifest = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
            if f"step-{manifest['step']:08}" != place.name:
                found = f"{place / MANIFEST} is of another step"
            for number, (name, expected) in enumerate(sorted(manifest["files"].items())):
                if number % group.world != group.rank:
                    continue
                if _fingerprint(place / name) != expected:
                    found = f"{place / name} is not as it was written"
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            found = f"{place} cannot be read ({type(error).__name__}: {error})"
        return next((str(each) for each in self.joined.gather(found) if each), None)

    def _prune(self) -> None:
        """Delete what is older than the newest, of which one at least was just seen whole."""
        durable.sweep(self.folder)
        for place in self._places()[self.keep :]:
            shutil.rmtree(place, ignore_errors=True)


def _state(learner: Learner, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    model, optimised = get_state_dict(learner, optimiser, options=_OPTIONS)
    return {"model": model, "optimiser": optimised}


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return {"bytes": file.tell(), "sha256": digest.hexdigest()}
