"""The samples of a stage and the batches that its steps train on.

What a step trains on is a pure function of the corpus, the seed and the step. How it is
packed, and over how many processes, changes the order in which it is computed and nothing
else; so a run that goes on from a checkpoint sees the same samples, on other machines too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from codeio.trainer.data.order import Order
from codeio.trainer.data.packing import deal
from codeio.trainer.data.store import Store
from codeio.training_run.outcomes import ExitCode, Reason, RunError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from codeio.trainer.data.encoding import Marked
    from codeio.trainer.data.store import CorpusSummary
    from codeio.training_run.recipes import Stage

IGNORED = -100
"""Label of a position where nothing is learnt; what torch's cross entropy leaves out."""


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """Samples laid behind one another in one row, without padding. Arrays have one dimension."""

    samples: tuple[int, ...]
    """Indices in the corpus; none where a process has nothing to do but must take part."""
    input_ids: NDArray[np.int64]
    position_ids: NDArray[np.int64]
    """From 0 in each sample."""
    labels: NDArray[np.int64]
    """`labels[i]` is what is to be predicted at position i; `IGNORED` where nothing is learnt."""
    boundaries: NDArray[np.int32]
    """0, and where each sample ends: attention must not cross these."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one process computes in a step, and how large the step is for all of them."""

    rows: list[MicroBatch]
    """Of this process; each process has as many."""
    tokens: int
    """Of all processes."""
    learnt: int
    """Tokens of all processes that are learnt; at least one."""


class Corpus:
    """The samples of a stage, in the order in which they are trained on."""

    def __init__(self, store: Store, stage: Stage, *, seed: int) -> None:
        self._store = store
        self._batch = stage.batch_size
        self._order = Order(
            sizes=[source.samples for source in store.summary.sources],
            weights=_weights(stage),
            seed=seed,
        )
        self._drawn = self._length(stage)
        self.steps = -(-self._drawn // self._batch)
        """Steps of the stage. The last one is smaller where its length is no multiple."""

    @property
    def summary(self) -> CorpusSummary:
        return self._store.summary

    @property
    def contents(self) -> dict[str, Any]:
        """Digests of what it was made of: a checkpoint can tell whether it is of this corpus."""
        return self._store.made_of.digests

    def samples(self, step: int) -> NDArray[np.int64]:
        """Return the indices of the samples of a step, counted from 0, in order.

        Raises:
            IndexError: the stage has no such step.
        """
        if not 0 <= step < self.steps:
            raise IndexError(f"the stage has {self.steps} steps, and no step {step}")
        start = step * self._batch
        return self._order.samples(start, min(start + self._batch, self._drawn))

    def batch(self, step: int, *, rank: int, world: int, tokens_per_device: int) -> Batch:
        """Return what one of `world` processes computes in a step.

        Raises:
            IndexError: the stage has no such step.
        """
        samples = self.samples(step)
        lengths = self._store.lengths(samples)
        rows = deal(lengths.tolist(), world=world, limit=tokens_per_device)[rank]
        return Batch(
            rows=[self._micro_batch([int(samples[place]) for place in row]) for row in rows],
            tokens=int(lengths.sum()),
            learnt=int(self._store.learnt(samples).sum(dtype=np.int64)),
        )

    def _micro_batch(self, samples: list[int]) -> MicroBatch:
        parts = [self._store.marked(sample) for sample in samples]
        if not parts:
            parts = [np.zeros(1, dtype=np.int32)]  # a token to compute with, and nothing to learn
        ends = np.cumsum([len(part) for part in parts])
        marked = np.concatenate(parts).astype(np.int64)
        return MicroBatch(
            samples=tuple(samples),
            input_ids=np.where(marked < 0, ~marked, marked),
            position_ids=np.concatenate([np.arange(len(part), dtype=np.int64) for part in parts]),
            labels=np.concatenate([_labels(part) for part in parts]),
            boundaries=np.concatenate([[0], ends]).astype(np.int32),
        )

    def _length(self, stage: Stage) -> int:
        """Return how many samples are drawn in the stage."""
        if stage.epochs is not None:
            return max(1, round(stage.epochs * self.summary.samples))
        if stage.steps is not None:
            return stage.steps * stage.batch_size
        assert stage.tokens is not None
        drawn, left = 0, stage.tokens
        while left > 0:
            ends = np.cumsum(self._store.lengths(self._order.samples(drawn, drawn + _AT_ONCE)))
            # Up to the sample that holds the last token.
            drawn += min(int(np.searchsorted(ends, left)) + 1, _AT_ONCE)
            left -= int(ends[-1])
        return drawn


_AT_ONCE = 1 << 16


def _weights(stage: Stage) -> list[float] | None:
    """Return the sources' weights; of a stage either all have one or none."""
    weights = [source.weight for source in stage.sources if source.weight is not None]
    return weights or None


def _labels(marked: Marked) -> NDArray[np.int64]:
    labels = np.full(len(marked), IGNORED, dtype=np.int64)
    following = marked[1:].astype(np.int64)
    labels[:-1] = np.where(following < 0, ~following, IGNORED)
    return labels


def open_corpus(folder: Path, stage: Stage, *, seed: int) -> Corpus:
    """Return the corpus that `prepare` made, in a process that waited for it.

    Raises:
        RunError: it is not there, or not whole.
    """
    store = Store.open(folder)
    if store is None or len(store.summary.sources) != len(stage.sources):
        raise RunError(
            Reason.INTERNAL_ERROR,
            f"the prepared samples in {folder} are not there or damaged: remove the folder, and"
            " they are made again",
            exit_code=ExitCode.FAILED,
        )
    return Corpus(store, stage, seed=seed)
