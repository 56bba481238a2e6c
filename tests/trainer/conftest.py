"""Models to train: a real small one, and one so tiny that it costs nothing.

Both are made once and shared by all processes of a test run.
"""

from __future__ import annotations

import getpass
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from benchmarks.study.model import prepare_model
from filelock import FileLock

from codeio.trainer import durable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenizers import Tokenizer

# Libraries read these when they are imported.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

CACHE = Path(os.environ.get("CODEIO_TEST_CACHE", tempfile.gettempdir())) / (
    f"codeio-tests-{getpass.getuser()}"
)
"""Folder of what is made once and used by later test runs too."""

TINY_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
_TINY_SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
_TINY_LINES = (
    "def main_solution(values): return sum(value * 2 for value in values)",
    "Given the input, predict the output. Think step by step.",
    "The list has three items; the sum is 12, so the answer is 24.",
    'Final answer: {"output": [1, 2, 3], "text": "abc"}',
    "Your answer was not right. The predicted output is wrong.",
)


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2-135M-Instruct as `save_pretrained` writes it, weights in bfloat16."""
    with _alone("smollm2-135m") as folder:
        return prepare_model(folder)


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """A Llama of two layers with random weights and a vocabulary of a few hundred."""
    with _alone("tiny-llama") as folder:
        if not folder.is_dir():
            partial = durable.begin(folder)
            _make_tiny(partial)
            durable.finish(partial, folder)
        return folder


@contextmanager
def _alone(name: str) -> Iterator[Path]:
    """Give the path of what is made once, to one process at a time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / f"{name}.lock"):
        yield CACHE / name


def _make_tiny(folder: Path) -> None:
    import torch  # noqa: PLC0415
    from transformers import (  # noqa: PLC0415
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
    )

    backend = _tiny_vocabulary()
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        chat_template=TINY_TEMPLATE,
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=backend.get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=backend.token_to_id("<|end|>"),
        pad_token_id=backend.token_to_id("<|pad|>"),
    )
    LlamaForCausalLM(config).save_pretrained(folder)


def _tiny_vocabulary() -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: PLC0415

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=384,
        special_tokens=_TINY_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(_TINY_LINES * 4, trainer)
    return backend
