"""Real models through the harness: the plumbing with a tiny one, and SmolLM2 once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codeio.evaluation.harness import ask
from codeio.evaluation.model import load_model
from tests.evaluation.conftest import ten_questions

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["cruxeval-o", "winogrande"])
def test_a_tiny_model_answers_the_same_each_time(name: str, tiny_model: Path) -> None:
    suite, questions = ten_questions(name)
    lm = load_model(tiny_model, batch_size=4, precision="Float32")
    first = ask(lm, suite, questions, max_new_tokens=6, seed=0)
    assert first == ask(lm, suite, questions, max_new_tokens=6, seed=0)
    # Of one by one, too: what a batch is padded with changes nothing.
    lm = load_model(tiny_model, batch_size=1, precision="Float32")
    alone = ask(lm, suite, questions, max_new_tokens=6, seed=0)
    assert [each.response for each in alone] == [each.response for each in first]


def test_smollm2_knows_what_is_likelier_than_chance(smollm2: Path) -> None:
    lm = load_model(smollm2, batch_size=10)
    suite, questions = ten_questions("winogrande")
    assert sum(each.score for each in ask(lm, suite, questions, max_new_tokens=1, seed=0)) >= 5
    suite, questions = ten_questions("gsm8k")
    answers = ask(lm, suite, questions[:2], max_new_tokens=12, seed=0)
    assert all(each.response.strip() and "<|im_end|>" not in each.response for each in answers)
