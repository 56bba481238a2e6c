"""The samples of a stage as files: written once, then mapped into memory by every process.

    tokens.bin      int32, the samples behind one another; learnt ones as their complement
    ends.bin        int64 a sample: where it ends in tokens.bin
    learnt.bin      int32 a sample: how many of its tokens are learnt
    corpus.json     what was counted, and of what it was made: the files' digests, the tokenizer's

The folder is written beside its place and renamed when it is whole.
"""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np

from codeio.runtime.atomic import write_atomically
from codeio.trainer import durable
from codeio.trainer.data.contents import Content
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from codeio.trainer.data.encoding import Marked

VERSION = 2
"""Of the files; others are made again."""
_CORPUS = "corpus.json"


@dataclass(frozen=True, kw_only=True)
class SourceSummary:
    """What became of the rows of one source."""

    title: str
    rows: int
    selected: int
    without_answer: int
    """Selected, but with nothing that could be learnt."""
    too_long: int
    samples: int
    tokens: int
    trained_tokens: int
    """Tokens that are learnt, in one pass over all samples."""

    def __str__(self) -> str:
        counts = {
            "not selected": self.rows - self.selected,
            "without an answer to learn": self.without_answer,
            "with more tokens than maxLength": self.too_long,
        }
        left_out = ", ".join(f"{count:,} {why}" for why, count in counts.items() if count)
        return f"{self.samples:,} of {self.rows:,} rows of {self.title}" + (
            f" (left out: {left_out})" if left_out else ""
        )


@dataclass(frozen=True, kw_only=True)
class CorpusSummary:
    """What a stage is trained on: counts of samples and tokens, each sample counted once."""

    sources: tuple[SourceSummary, ...]
    samples: int = field(init=False)
    too_long: int = field(init=False)
    tokens: int = field(init=False)
    trained_tokens: int = field(init=False)

    def __post_init__(self) -> None:
        for name in ("samples", "too_long", "tokens", "trained_tokens"):
            total = sum(getattr(source, name) for source in self.sources)
            object.__setattr__(self, name, total)

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"{self.samples:,} samples, {self.tokens:,} tokens, {self.trained_tokens:,} of them"
            f" learnt: {', '.join(map(str, self.sources))}"
        )


@dataclass(frozen=True, kw_only=True)
class MadeOf:
    """What the samples of a stage were made of."""

    asked: str
    """Digest of how: equal ones make the same samples of the same files."""
    tokenizer: str
    """Digest of the tokenizer with its chat template."""
    files: dict[str, Content]
    """By name; none of the hub's."""

    @property
    def digests(self) -> dict[str, Any]:
        """Digests alone, as plain JSON."""
        return {
            "tokenizer": self.tokenizer,
            "files": {name: each.sha256 for name, each in self.files.items()},
        }

    def makes_the_same_as(self, other: MadeOf) -> bool:
        """Tell whether other samples would be the same."""
        return (self.asked, self.digests) == (other.asked, other.digests)


class Writer:
    """Appends samples to the files of a folder; see `writing`."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        def opened(name: str) -> IO[bytes]:
            return stack.enter_context((folder / name).open("wb", buffering=1 << 20))

        self._folder = folder
        self._tokens = opened("tokens.bin")
        self._ends = opened("ends.bin")
        self._learnt = opened("learnt.bin")
        self._end = 0

    def add(self, marked: Marked) -> int:
        """Write one sample and return how many of its tokens are learnt."""
        learnt = int(np.count_nonzero(marked < 0))
        self._end += len(marked)
        self._tokens.write(marked.tobytes())
        self._ends.write(np.int64(self._end).tobytes())
        self._learnt.write(np.int32(learnt).tobytes())
        return learnt

    def finish(self, made_of: MadeOf, sources: tuple[SourceSummary, ...]) -> None:
        """Write what was counted."""
        about = {
            "version": VERSION,
            "made_of": asdict(made_of),
            "sources": [asdict(source) for source in sources],
        }
        (self._folder / _CORPUS).write_text(json.dumps(about, indent=2))


@contextmanager
def writing(folder: Path) -> Iterator[Writer]:
    """Give a writer whose files become `folder` at the end, and nothing after an error.

    Raises:
        RunError: the disk is full, or the folder cannot be written.
    """
    partial = None
    try:
        partial = durable.begin(folder)
        with ExitStack() as stack:
            yield Writer(partial, stack)
        durable.finish(partial, folder)
    except OSError as error:
        if durable.is_full(error):
            raise RunError(
                Reason.STORAGE_FULL,
                f"the disk is full: the samples as tokens do not fit into {folder.parent}; make"
                " room there, or give the run a larger volume",
            ) from error
        raise RunError(
            Reason.INVALID_SPEC, f"cannot write {folder}: {error.strerror or error}"
        ) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def note_files(folder: Path, made_of: MadeOf) -> None:
    """Write down that files were written anew with what they held before."""
    about = json.loads((folder / _CORPUS).read_text())
    about["made_of"] = asdict(made_of)
    write_atomically(folder / _CORPUS, json.dumps(about, indent=2).encode())


@dataclass(frozen=True)
class Store:
    """The files of a folder, mapped into memory."""

    made_of: MadeOf
    summary: CorpusSummary
    _tokens: NDArray[np.int32]
    _ends: NDArray[np.int64]
    _learnt: NDArray[np.int32]

    @classmethod
    def open(cls, folder: Path) -> Self | None:
        """Return what a folder holds, or None if it is not there or not whole."""
        try:
            about: dict[str, Any] = json.loads((folder / _CORPUS).read_text())
            if about["version"] != VERSION:
                return None
            made_of = about["made_of"]
            files = {name: Content(**each) for name, each in made_of["files"].items()}
            summary = CorpusSummary(
                sources=tuple(SourceSummary(**source) for source in about["sources"])
            )
            mapped = (
                _mapped(folder / "tokens.bin", np.int32, summary.tokens),
                _mapped(folder / "ends.bin", np.int64, summary.samples),
                _mapped(folder / "learnt.bin", np.int32, summary.samples),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return cls(MadeOf(**{**made_of, "files": files}), summary, *mapped)

    def marked(self, sample: int) -> Marked:
        """Return the tokens of a sample."""
        end = int(self._ends[sample])
        return self._tokens[int(self._ends[sample - 1]) if sample else 0 : end]

    def lengths(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many tokens samples have."""
        starts = np.where(samples > 0, self._ends[samples - 1], 0)
        lengths: NDArray[np.int64] = self._ends[samples] - starts
        return lengths

    def learnt(self, samples: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return how many tokens of samples are learnt."""
        return self._learnt[samples]


def _mapped(path: Path, kind: type[np.generic], number: int) -> NDArray[Any]:
    mapped = np.memmap(path, dtype=kind, mode="r")
    if len(mapped) != number:
        raise ValueError(f"{path} holds {len(mapped)} numbers and should hold {number}")
    return mapped
