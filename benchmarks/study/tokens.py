"""Counts tokens as the model reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.study.questions import Chat


class Tokens:
    """The tokenizer of a model's folder, with its chat template."""

    def __init__(self, model: Path) -> None:
        from transformers import AutoTokenizer  # noqa: PLC0415  (needs seconds)

        self.tokenizer: Any = AutoTokenizer.from_pretrained(model, padding_side="left")

    def of_text(self, text: str) -> int:
        return len(self.tokenizer.encode(text, add_special_tokens=False))

    def of_chat(self, chat: Chat) -> int:
        """Return the number of tokens of a whole sample, template included."""
        return len(
            self.tokenizer.encode(
                self.tokenizer.apply_chat_template(chat, tokenize=False), add_special_tokens=False
            )
        )

    def opened(self, chat: Chat) -> str:
        """Return the text of a chat up to where the model is to go on."""
        text: str = self.tokenizer.apply_chat_template(
            chat, tokenize=False, add_generation_prompt=True
        )
        return text
