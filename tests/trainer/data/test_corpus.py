"""What the steps of a stage train on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeio.trainer.data import IGNORED, open_corpus
from codeio.training_run.outcomes import Reason, RunError
from tests.trainer.data.making import pairs, prepared, stage_and_places, write_rows

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from codeio.trainer.data import Corpus, MicroBatch

WORDS = [3 + 17 * number % 40 for number in range(50)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpus")


@pytest.fixture(scope="module")
def source(folder: Path) -> dict[str, str]:
    return {"path": write_rows(folder / "rows.jsonl", pairs(WORDS)), "format": "PromptCompletion"}


@pytest.fixture(scope="module")
def corpus(source: dict, folder: Path, tokenizer: PreTrainedTokenizerBase) -> Corpus:
    """Fifty samples in batches of eight."""
    return prepared(source, tokenizer=tokenizer, folder=folder / "data", batchSize=8)


def all_of(corpus: Corpus, step: int, *, world: int, limit: int) -> list[MicroBatch]:
    return [
        micro
        for rank in range(world)
        for micro in corpus.batch(step, rank=rank, world=world, tokens_per_device=limit).rows
    ]


def test_one_pass_has_each_sample_once_and_a_smaller_step_at_the_end(corpus: Corpus) -> None:
    assert corpus.steps == 7
    steps = [corpus.samples(step).tolist() for step in range(corpus.steps)]
    assert [len(step) for step in steps] == [8] * 6 + [2]
    assert sorted(sample for step in steps for sample in step) == list(range(50))
    for beyond in (-1, 7):
        with pytest.raises(IndexError, match="has 7 steps"):
            corpus.samples(beyond)


@given(st.integers(0, 6), st.integers(1, 12), st.integers(8, 400))
def test_processes_share_the_samples_of_a_step(
    corpus: Corpus, step: int, world: int, limit: int
) -> None:
    made = all_of(corpus, step, world=world, limit=limit)
    drawn = Counter(corpus.samples(step).tolist())
    assert Counter(sample for micro in made for sample in micro.samples) == drawn
    learnt = sum(int((micro.labels != IGNORED).sum()) for micro in made)
    tokens = sum(len(micro.input_ids) for micro in made if micro.samples)
    batch = corpus.batch(step, rank=world - 1, world=world, tokens_per_device=limit)
    assert (learnt, tokens) == (batch.learnt, batch.tokens)
    for micro in made:
        assert len(micro.input_ids) <= limit or len(micro.samples) == 1


def test_a_row_is_its_samples_one_behind_the_other(
    corpus: Corpus, tokenizer: PreTrainedTokenizerBase
) -> None:
    for micro in all_of(corpus, 2, world=2, limit=150):
        assert micro.boundaries.dtype == np.int32
        assert micro.boundaries[0] == 0
        assert micro.boundaries[-1] == len(micro.input_ids) == len(micro.labels)
        assert len(micro.boundaries) == len(micro.samples) + 1
        for sample, start, end in zip(
            micro.samples, micro.boundaries, micro.boundaries[1:], strict=False
        ):
            ids, labels = micro.input_ids[start:end], micro.labels[start:end]
            answer = "word " * WORDS[sample]
            text = f"<|user|>\nQuestion {sample}<|end|>\n<|assistant|>\n{answer}<|end|>\n"
            assert ids.tolist() == tokenizer(text)["input_ids"]
            assert micro.position_ids[start:end].tolist() == list(range(len(ids)))
            # What is learnt at a position is the token behind it, and the answer in all.
            learnt = labels != IGNORED
            assert labels[:-1][learnt[:-1]].tolist() == ids[1:][learnt[:-1]].tolist()
            assert not learnt[-1]
            assert tokenizer.decode(labels[learnt]) == f"{answer}<|end|>"


def test_a_process_with_nothing_to_do_has_a_row_to_take_part_with(corpus: Corpus) -> None:
    made = all_of(corpus, 6, world=3, limit=4096)
    assert len(made) == 3
    [idle] = [micro for micro in made if not micro.samples]
    assert len(idle.input_ids) == len(idle.position_ids) == idle.boundaries[-1] > 0
    assert (idle.labels == IGNORED).all()


def test_a_step_is_the_same_however_it_is_come_to(
    corpus: Corpus, folder: Path, source: dict
) -> None:
    stage, _ = stage_and_places(source, batchSize=8)
    again = open_corpus(folder / "data", stage, seed=0)
    for step in (5, 0, 6, 3):
        one = all_of(corpus, step, world=2, limit=200)
        two = all_of(again, step, world=2, limit=200)
        for left, right in zip(one, two, strict=True):
            assert left.samples == right.samples
            for name in ("input_ids", "position_ids", "labels", "boundaries"):
                assert getattr(left, name).tolist() == getattr(right, name).tolist()
    other = open_corpus(folder / "data", stage, seed=1)
    assert other.samples(0).tolist() != corpus.samples(0).tolist()


@pytest.mark.parametrize(
    ("length", "drawn"),
    [
        ({"epochs": 2.0}, 100),
        ({"epochs": 0.5}, 25),
        ({"steps": 20}, 160),
        ({"epochs": 0.001}, 1),
    ],
)
def test_a_stage_is_as_long_as_it_was_said_to_be(
    folder: Path, corpus: Corpus, source: dict, length: dict, drawn: int
) -> None:
    stage, _ = stage_and_places(source, batchSize=8, **length)
    made = open_corpus(folder / "data", stage, seed=0)
    counts = drawn_of(made)
    assert counts.total() == drawn
    assert max(counts.values()) - min(counts[sample] for sample in range(50)) <= 1


@pytest.mark.parametrize("tokens", [1, 500, 10_000])
def test_a_stage_ends_with_the_sample_that_holds_its_last_token(
    folder: Path, corpus: Corpus, source: dict, tokens: int
) -> None:
    stage, _ = stage_and_places(source, batchSize=8, tokens=tokens)
    made = open_corpus(folder / "data", stage, seed=0)
    batches = [made.batch(step, rank=0, world=1, tokens_per_device=8) for step in range(made.steps)]
    total = sum(batch.tokens for batch in batches)
    ending = [
        len(each.input_ids)
        for each in batches[-1].rows
        if each.samples[0] == made.samples(made.steps - 1)[-1]
    ]
    assert tokens <= total < tokens + ending[0]


def two_sources(folder: Path) -> tuple[dict, dict]:
    one = {"path": write_rows(folder / "one.jsonl", pairs([2] * 90)), "format": "PromptCompletion"}
    two = {"path": write_rows(folder / "two.jsonl", pairs([3] * 20)), "format": "PromptCompletion"}
    return one, two


def drawn_of(corpus: Corpus) -> Counter[int]:
    return Counter(
        sample for step in range(corpus.steps) for sample in corpus.samples(step).tolist()
    )


def test_an_epoch_is_one_pass_over_all_sources_that_have_no_weights(
    folder: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    corpus = prepared(
        *two_sources(folder), tokenizer=tokenizer, folder=folder / "all", batchSize=30
    )
    assert drawn_of(corpus) == Counter(range(110))
    # They are mixed with one another, and do not come one after the other.
    of_second = [int((corpus.samples(step) >= 90).sum()) for step in range(corpus.steps)]
    assert min(of_second[:-1]) > 0


def test_sources_are_mixed_by_their_weights(
    folder: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    one, two = two_sources(folder)
    one["weight"], two["weight"] = 1, 0.5
    corpus = prepared(one, two, tokenizer=tokenizer, folder=folder / "mixed", batchSize=30)
    of_second = [int((corpus.samples(step) >= 90).sum()) for step in range(corpus.steps)]
    assert of_second[:-1] == [10] * (corpus.steps - 1)
    drawn = drawn_of(corpus)
    # As many as there are in all: the second has begun again by then, and some are left out.
    assert drawn.total() == 110
    assert {drawn[sample] for sample in range(90)} == {0, 1}
    assert {drawn[sample] for sample in range(90, 110)} == {1, 2}
    assert [source.samples for source in corpus.summary.sources] == [90, 20]


def test_an_unfinished_folder_is_told(tmp_path: Path) -> None:
    stage, _ = stage_and_places({"path": "/nowhere"})
    with pytest.raises(RunError, match="not there or damaged: remove the folder") as told:
        open_corpus(tmp_path / "data", stage, seed=0)
    assert told.value.reason == Reason.INTERNAL_ERROR
