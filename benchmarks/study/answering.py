"""Has a model answer questions: greedily, many at a time, each batch kept at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.study.model import precision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from benchmarks.study.tokens import Tokens

# Tokens of prompts and answers that a batch holds: a GiB of keys and values. With few answers at
# a time the weights are read for little.
_TOKENS_AT_ONCE = 49_152


def answer_all(  # noqa: PLR0913
    model: Path,
    prompts: Mapping[str, str],
    kept: Path,
    *,
    tokens: Tokens,
    most_new: int,
    done: Callable[[int], None],
) -> dict[str, str]:
    """Return a response to each prompt, by its id; those that `kept` has are not asked again.

    Prompts are the text that the model is to go on from. `done` is told after
    each batch how many are answered.
    """
    answers = read_answers(kept)
    lengths = {key: tokens.of_text(prompts[key]) for key in prompts if key not in answers}
    if lengths:
        generator = _Generator(model, tokens.tokenizer)
        with kept.open("a", encoding="utf-8") as file:
            for batch in batches(lengths, most_new=most_new):
                responses = generator.answer([prompts[key] for key in batch], most_new=most_new)
                for key, text in zip(batch, responses, strict=True):
                    answers[key] = text
                    file.write(json.dumps([key, text], ensure_ascii=False) + "\n")
                file.flush()
                done(len(batch))
    return {key: answers[key] for key in prompts}


def read_answers(kept: Path) -> dict[str, str]:
    """Return the answers of a file; a last line that was cut off is not one."""
    answers: dict[str, str] = {}
    if not kept.is_file():
        return answers
    text = kept.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        kept.write_text(whole, encoding="utf-8")
    for line in whole.split("\n")[:-1]:  # a model may write other ends of lines
        key, answer = json.loads(line)
        answers[key] = answer
    return answers


def batches(lengths: Mapping[str, int], *, most_new: int) -> list[list[str]]:
    """Return ids of prompts in batches of like lengths, the longest first."""
    made: list[list[str]] = []
    batch: list[str] = []
    longest = 0
    for key in sorted(lengths, key=lambda key: (-lengths[key], key)):
        longest = longest or lengths[key]
        if batch and (len(batch) + 1) * (longest + most_new) > _TOKENS_AT_ONCE:
            made.append(batch)
            batch, longest = [], lengths[key]
        batch.append(key)
    return [*made, batch] if batch else made


class _Generator:
    """A model in memory."""

    def __init__(self, model: Path, tokenizer: Any) -> None:
        import torch  # noqa: PLC0415  (needs seconds)
        from transformers import AutoModelForCausalLM  # noqa: PLC0415

        self._torch = torch
        self._tokenizer = tokenizer
        dtype = torch.bfloat16 if precision() == "BFloat16" else torch.float32
        self._model = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)

    def answer(self, prompts: list[str], *, most_new: int) -> list[str]:
        given = self._tokenizer(
            prompts, return_tensors="pt", padding=True, add_special_tokens=False
        )
        with self._torch.inference_mode():
            whole = self._model.generate(**given, do_sample=False, max_new_tokens=most_new)
        new = whole[:, given["input_ids"].shape[1] :]
        texts: list[str] = self._tokenizer.batch_decode(new, skip_special_tokens=True)
        return texts
