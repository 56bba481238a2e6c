"""Prepares the samples of a stage: reads, selects and renders rows, and writes their tokens.

Memory does not grow with the number of rows.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codeio.trainer.data.chats import IDS, chat_of, columns_of
from codeio.trainer.data.contents import contents_of
from codeio.trainer.data.corpus import Corpus, open_corpus
from codeio.trainer.data.encoding import Encoder, encode_all
from codeio.trainer.data.selection import Selector
from codeio.trainer.data.store import MadeOf, SourceSummary, Store, note_files, writing
from codeio.training_run.data.reading import read
from codeio.training_run.data.sources import locate
from codeio.training_run.outcomes import Reason, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from codeio.trainer.data.chats import Chat
    from codeio.trainer.data.store import Writer
    from codeio.training_run.data.reading import Row
    from codeio.training_run.data.sources import Rows
    from codeio.training_run.places import Places
    from codeio.training_run.recipes import Stage

_CHUNK = 64


def prepare(  # noqa: PLR0913
    stage: Stage,
    *,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    places: Places,
    seed: int,
    workers: int = 1,
) -> Corpus:
    """Write the samples of a stage as tokens into `folder`, and return them as a corpus.

    Where the folder holds them already, made of the same rows in the same way, it is taken as
    it is. `workers` are processes that render and tokenise; 1 is this one.

    Raises:
        RunError: a source is not there or has no samples to train on, a row is malformed,
            a sample is too long and the stage says to fail, or the disk is full.
    """
    encoder = Encoder(tokenizer, loss=stage.loss)
    sources = [locate(source, places) for source in stage.sources]
    ready = Store.open(folder)
    made_of = MadeOf(
        asked=_asked(stage, sources),
        tokenizer=encoder.fingerprint,
        files=contents_of(sources, ready.made_of.files if ready else {}),
    )
    if ready is None or not made_of.makes_the_same_as(ready.made_of):
        with writing(folder) as writer:
            summaries = tuple(
                _write(rows, stage, encoder, writer, workers=workers) for rows in sources
            )
            writer.finish(made_of, summaries)
    elif made_of != ready.made_of:
        note_files(folder, made_of)
    return open_corpus(folder, stage, seed=seed)


def _asked(stage: Stage, sources: list[Rows]) -> str:
    """Return what changes with what is made of rows; not with order or weights."""
    about: list[Any] = [stage.max_length, stage.long_samples]
    for rows in sources:
        about += [rows.title, rows.source.model_dump(mode="json", exclude={"weight"})]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


@dataclass
class _Tally:
    without_answer: int = 0
    too_long: int = 0
    longest: int = 0
    samples: int = 0
    tokens: int = 0
    trained_tokens: int = 0


def _write(
    rows: Rows, stage: Stage, encoder: Encoder, writer: Writer, *, workers: int
) -> SourceSummary:
    selector = Selector(rows.source.select)
    tally = _Tally()
    chunks = _chunks(rows, selector, tally)
    for origins, encoded in encode_all(chunks, encoder, workers=workers):
        for origin, marked in zip(origins, encoded, strict=True):
            if isinstance(marked, str):
                raise origin.refused(marked)
            tally.longest = max(tally.longest, len(marked))
            if len(marked) > stage.max_length:
                if stage.long_samples == "Fail":
                    raise _too_long(origin, len(marked), stage)
                tally.too_long += 1
            elif (marked < 0).any():
                tally.trained_tokens += writer.add(marked)
                tally.tokens += len(marked)
                tally.samples += 1
            else:
                tally.without_answer += 1
    if not tally.samples:
        raise _nothing_left(rows, stage, selector, tally)
    return SourceSummary(
        title=rows.title,
        rows=selector.rows,
        selected=selector.selected,
        without_answer=tally.without_answer,
        too_long=tally.too_long,
        samples=tally.samples,
        tokens=tally.tokens,
        trained_tokens=tally.trained_tokens,
    )


def _chunks(
    rows: Rows, selector: Selector, tally: _Tally
) -> Iterator[tuple[list[Row], list[Chat]]]:
    """Yield selected rows with their chats, some at a time."""
    form = rows.source.format

    def wanted(title: str, there: list[str]) -> list[str]:
        return columns_of(form, there, title=title, more=selector.columns)

    origins: list[Row] = []
    chats: list[Chat] = []
    for row in read(rows, wanted):
        try:
            if not selector.takes(row.values):
                continue
            chat = chat_of(row.values, form)
        except ValueError as error:
            raise row.refused(error) from error
        if chat is None:
            tally.without_answer += 1
            continue
        origins.append(row)
        chats.append(chat)
        if len(chats) == _CHUNK:
            yield origins, chats
            origins, chats = [], []
    if chats:
        yield origins, chats


def _too_long(origin: Row, length: int, stage: Stage) -> RunError:
    name = next((str(origin.values[key]) for key in IDS if origin.values.get(key)), "")
    return RunError(
        Reason.SAMPLE_TOO_LONG,
        f"the sample {f'{name} ' if name else ''}in row {origin.number} of {origin.title} has"
        f" {length:,} tokens and maxLength is {stage.max_length:,}: raise it, or have longSamples"
        " Drop such samples",
    )


def _nothing_left(rows: Rows, stage: Stage, selector: Selector, tally: _Tally) -> RunError:
    if tally.too_long:
        return RunError(
            Reason.SAMPLE_TOO_LONG,
            f"all {tally.too_long:,} samples of {rows.title} have more tokens than maxLength,"
            f" {stage.max_length:,} (the longest {tally.longest:,}): raise it",
        )
    if not selector.rows:
        why = "it has no rows: correct the source's path or split"
    elif not selector.selected:
        why = f"of its {selector.rows:,} rows {selector.strictest}: relax the source's select"
    else:
        why = f"none of the {selector.selected:,} rows selected holds an answer to learn"
    return RunError(Reason.NO_MATCHING_SAMPLES, f"{rows.title} has no matching samples: {why}")
