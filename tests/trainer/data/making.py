"""Makes stages and their data, small."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeio.trainer.data import prepare
from codeio.training_run.manifest import parse_manifest
from codeio.training_run.places import Places
from codeio.training_run.recipes import Stage, stage_of
from tests.training_run.data.files import write

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from transformers import PreTrainedTokenizerBase

    from codeio.trainer.data import Corpus


def stage_and_places(
    *sources: dict[str, Any], root: Path = Path("/nowhere"), **hyperparameters: Any
) -> tuple[Stage, Places]:
    """Return the stage of a run over these sources, with a batch of four unless said."""
    document = {
        "apiVersion": "codeio.dev/v1alpha1",
        "kind": "TrainingRun",
        "metadata": {"name": "run"},
        "spec": {
            "model": {"path": "/nowhere"},
            "data": {"reasoning": list(sources)},
            "hyperparameters": {"batchSize": 4, **hyperparameters},
            "checkpoints": {"path": str(root)},
        },
    }
    run = parse_manifest(document, source="run")
    return stage_of(run.spec, "reasoning"), Places(run=run)


def prepared(
    *sources: dict[str, Any],
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    seed: int = 0,
    workers: int = 1,
    **hyperparameters: Any,
) -> Corpus:
    """Prepare a stage over these sources in `folder`."""
    stage, places = stage_and_places(*sources, **hyperparameters)
    return prepare(
        stage, tokenizer=tokenizer, folder=folder, places=places, seed=seed, workers=workers
    )


def texts(corpus: Corpus, tokenizer: Any) -> list[tuple[str, str]]:
    """Return of each sample the whole text and what is learnt, in the order of the source."""
    found = {}
    for step in range(corpus.steps):
        for micro in corpus.batch(step, rank=0, world=1, tokens_per_device=8).rows:
            learnt = micro.labels[micro.labels >= 0]
            found[micro.samples[0]] = (tokenizer.decode(micro.input_ids), tokenizer.decode(learnt))
    return [found[number] for number in sorted(found)]


def write_rows(path: Path, rows: Iterable[object]) -> str:
    """Write JSON Lines and return the path as a source has it."""
    return str(write(path, rows))


def pair(question: str, answer: str) -> dict[str, Any]:
    return {"prompt": question, "completion": answer}


def pairs(lengths: Sequence[int]) -> list[dict[str, Any]]:
    """Return rows whose answers have this many words."""
    return [pair(f"Question {n}", "word " * length) for n, length in enumerate(lengths)]
