"""What a stage was asked for and how it ended: kept with its model, so that none is trained twice.

Without torch, for who only looks whether there is anything left to do.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from codeio.training_run.outcomes import Outcome, Reason, RunError
from codeio.training_run.recipes import stage_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from codeio.training_run.manifest import TrainingRun
    from codeio.training_run.places import Places
    from codeio.training_run.spec import StageName

_FILE = "training.json"
"""In a trained model's folder."""


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far a stage is."""

    step: int = 0
    """Steps that are done."""
    tokens: int = 0
    """Tokens of their samples."""
    loss: float | None = None
    """Of the last of them."""


def asked_of(run: TrainingRun, name: StageName) -> dict[str, Any]:
    """Return all that decides what a stage makes, as plain JSON."""
    stage = stage_of(run.spec, name)
    asked = {
        **asdict(stage),
        "sources": [each.model_dump(mode="json") for each in stage.sources],
        "model": run.spec.model.model_dump(mode="json"),
        "seed": run.spec.seed,
    }
    plain: dict[str, Any] = json.loads(json.dumps(asked))
    return plain


def note_trained(folder: Path, asked: Mapping[str, Any], position: Position) -> None:
    """Write beside a model what `outcome_of_trained` reads."""
    told = {"asked": dict(asked), "position": asdict(position)}
    (folder / _FILE).write_text(json.dumps(told, indent=1), encoding="utf-8")


def outcome_of_trained(run: TrainingRun, name: StageName, places: Places) -> Outcome | None:
    """Return how a stage ended, or None if its model is still to be trained.

    Raises:
        RunError: the model that is there was made otherwise than the run would make it.
    """
    place = places.model(name)
    if not place.is_dir():
        return None
    trained = json.loads((place / _FILE).read_text(encoding="utf-8"))
    refuse_other(trained["asked"], asked_of(run, name), where=str(place))
    return outcome_at(name, Position(**trained["position"]))


def outcome_at(name: StageName, position: Position) -> Outcome:
    """Return the outcome of a stage that has come to its end."""
    details = {"stage": name, **asdict(position)}
    return Outcome(Reason.COMPLETED, f"{name} has done {position.step:,} steps", details)


def refuse_other(was: Mapping[str, Any], now: Mapping[str, Any], *, where: str) -> None:
    """Refuse to go on with what was made otherwise than it would be made now.

    Raises:
        RunError: it was; the message names the first difference.
    """
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            raise RunError(
                Reason.INVALID_SPEC,
                f"{where} was made with {name} = {was.get(name)!r}, and now it is"
                f" {now.get(name)!r}: give the run another name, or delete what is there",
            )
