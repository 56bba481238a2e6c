"""Models that answer by a script, a verifier, and small models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from codeio.evaluation.harness import quiet
from codeio.evaluation.rows import Question, read_questions
from codeio.evaluation.suites import all_suites
from codeio.pipeline.local_verifier import local_verifier
from codeio.runtime.settings import load_settings
from tests.trainer.conftest import smollm2, tiny_model

__all__ = ["smollm2", "tiny_model"]  # fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from codeio.evaluation.suites import Suite

# `datasets` reads these when it is imported.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

with quiet():
    from lm_eval.api.model import LM

DATA = Path(__file__).parent / "data"


def local_file(suite: str) -> Path:
    return DATA / f"{'cruxeval' if suite.startswith('cruxeval') else suite}.jsonl"


def ten_questions(suite: str) -> tuple[Suite, list[Question]]:
    found = all_suites()[suite]
    return found, read_questions(found, file=local_file(suite))


class Scripted(LM):  # type: ignore[misc]
    """Answers what a script has for the words that a prompt contains."""

    def __init__(self, script: Mapping[str, str] | Callable[[str], str]) -> None:
        super().__init__()
        self._script = script
        self.prompts: list[str] = []
        self.limits: set[int] = set()

    def tok_encode(self, text: str) -> list[str]:
        return text.split()

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        answers = []
        for request in requests:
            prompt, options = request.args
            self.prompts.append(prompt)
            self.limits.add(options["max_gen_toks"])
            answers.append(self._answer(prompt))
        return answers

    def loglikelihood(
        self, requests: list[Any], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Find the contexts likely for which there is an answer."""
        return [(0.0 if self._answer(each.args[0]) else -1.0, False) for each in requests]

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        raise NotImplementedError

    def _answer(self, prompt: str) -> str:
        if callable(self._script):
            return self._script(prompt)
        return next((said for words, said in self._script.items() if words in prompt), "")


@pytest.fixture(scope="session")
def verifier() -> Iterator[str]:
    """The address of a verifier with real sandboxes."""
    settings = load_settings(flags={"sandbox": {"workers": 2}})
    with local_verifier(settings, say=lambda _: None) as address:
        yield address
