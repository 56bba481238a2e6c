"""What a stage was asked for and how it ended: kept with its model, so that none is trained twice.

Without torch, for who only looks whether there is anything left to do.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_camel

from codeio.training_run.outcomes import Outcome, Reason, RunError
from codeio.training_run.recipes import stage_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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
    """Return all that decides what a stage makes, as plain JSON with the names of the spec."""
    stage = stage_of(run.spec, name)
    kinds: set[str] = {"reasoning", "instruction"} if name == "mixed" else {name}
    asked = {
        "name": name,
        **{
            to_camel(each.name): getattr(stage, each.name)
            for each in fields(stage)
            if each.name not in {"name", "sources"}
        },
        "data": run.spec.data.model_dump(
            mode="json", by_alias=True, include=kinds, exclude_defaults=True
        ),
        "model": run.spec.model.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "seed": run.spec.seed,
    }
    if stage.schedule == "Constant":
        del asked["finalLearningRate"]  # it is learningRate
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

    Both are what `asked_of` returns, of a checkpoint with the `contents` of its corpus.

    Raises:
        RunError: it was; the message names the settings that differ, or else the file.
    """
    before, after = (
        dict(_settings({name: each for name, each in asked.items() if name not in _CONTENTS}))
        for asked in (was, now)
    )
    places = [each for each in before | after if before.get(each) != after.get(each)]
    if "schedule" in places and "finalLearningRate" in places:
        places.remove("finalLearningRate")  # Constant has none
    if places:
        raise _refused(
            f"{where} was made {_told(before, places)}, and would now be made"
            f" {_told(after, places)}"
        )
    files, others = was.get("files", {}), now.get("files", {})
    for name in sorted(files.keys() | others.keys()):
        if files.get(name) != others.get(name):
            raise _refused(f"the data have changed since {where} was made: {name} holds other rows")
    if was.get("tokenizer") != now.get("tokenizer"):
        raise _refused(f"the model's tokenizer or chat template has changed since {where} was made")


_CONTENTS = {"files", "tokenizer"}


def _settings(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what is set, by its place in a spec."""
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _settings(each, f"{place}.{name}" if place else name)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _settings(each, f"{place}[{number}]")
    elif value is not None:
        yield place, value


def _told(settings: Mapping[str, Any], places: list[str]) -> str:
    there = [f"{each} = {settings[each]}" for each in places if each in settings]
    return f"with {', '.join(there)}" if there else f"without {', '.join(places)}"


def _refused(what: str) -> RunError:
    return RunError(
        Reason.INVALID_SPEC,
        f"{what}: put back what it was, give the run another name, or delete what is there",
    )
