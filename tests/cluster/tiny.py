"""Writes a tiny model and chats to train it on below a folder, in a pod of the trainer's image.

python tiny.py FOLDER
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

ROWS = 400
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"]


def main(folder: Path) -> None:
    rng = random.Random(7)
    chats = [_chat(rng) for _ in range(ROWS)]
    (folder / "data").mkdir(parents=True, exist_ok=True)
    with (folder / "data" / "chats.jsonl").open("w") as file:
        file.writelines(json.dumps({"messages": chat}) + "\n" for chat in chats)

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.train_from_iterator(
        (message["content"] for chat in chats for message in chat),
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<|pad|>", eos_token="<|end|>"
    )
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(7)
    # Large enough that a run takes longer than it takes to disturb it.
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )
    model.save_pretrained(folder / "models" / "tiny")
    tokenizer.save_pretrained(folder / "models" / "tiny")


def _chat(rng: random.Random) -> list[dict[str, str]]:
    numbers = [rng.randrange(100) for _ in range(rng.randrange(2, 9))]
    return [
        {"role": "user", "content": f"What is the sum of {numbers}? Think step by step."},
        {"role": "assistant", "content": f"The numbers add up to {sum(numbers)}."},
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
