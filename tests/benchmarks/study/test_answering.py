"""Answers are those that the library gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from benchmarks.study.tokens import Tokens

from benchmarks.study import answering
from tests.trainer.conftest import tiny_model  # noqa: F401  (a fixture)

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_answers_that_end_one_after_another_are_those_of_the_library(
    tiny_model: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answering, "precision", lambda: "Float32")
    tokenizer = Tokens(tiny_model).tokenizer
    generator = answering._Generator(tiny_model, tokenizer)
    # Weights are random, and so large that answers differ; one of many tokens ends one.
    torch.manual_seed(0)
    with torch.no_grad():
        for each in generator._model.parameters():
            each.normal_(std=0.5)
    ends = list(range(0, len(tokenizer), 9))
    monkeypatch.setattr(generator, "_ends", torch.tensor(ends))
    prompts = [f"def f(x): return x * {number}" + " + 1" * number for number in range(12)]
    given = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
    whole = generator._model.generate(
        **given, do_sample=False, max_new_tokens=20, eos_token_id=ends
    )
    new = whole[:, given["input_ids"].shape[1] :].tolist()
    cut = [row[: next((n for n, token in enumerate(row) if token in ends), 20)] for row in new]
    lengths = {len(row) for row in cut}
    assert len(lengths) > 3  # they do end one after another
    expected = tokenizer.batch_decode(cut, skip_special_tokens=True)
    assert generator.answer(prompts, most_new=20) == expected
