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
        from transformers import AutoModelForCausalLM, DynamicCache  # noqa: PLC0415

        self._torch, self._cache = torch, DynamicCache
        self._tokenizer = tokenizer
        dtype = torch.bfloat16 if precision() == "BFloat16" else torch.float32
        self._model = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
        ends = self._model.generation_config.eos_token_id
        self._ends = torch.tensor([ends] if isinstance(ends, int) else ends)

    def answer(self, prompts: list[str], *, most_new: int) -> list[str]:
        """Answer greedily; answers that have ended take no more time, as they do by `generate`."""
        torch = self._torch
        given = self._tokenizer(
            prompts, return_tensors="pt", padding=True, add_special_tokens=False
        )
        tokens, seen = given["input_ids"], given["attention_mask"]
        positions = (seen.cumsum(-1) - 1).clamp(min=0)  # padding is on the left
        going = torch.arange(len(prompts))
        answers: list[list[int]] = [[] for _ in prompts]
        cache = self._cache(config=self._model.config)
        with torch.inference_mode():
            for _ in range(most_new):
                logits = self._model(
                    input_ids=tokens,
                    attention_mask=seen,
                    position_ids=positions,
                    cache=cache,
                    logits_to_keep=1,
                ).logits
                chosen = logits[:, -1].argmax(-1)
                goes_on = ~torch.isin(chosen, self._ends)
                for row, token in zip(going[goes_on].tolist(), chosen[goes_on], strict=True):
                    answers[row].append(int(token))
                if not goes_on.any():
                    break
                if not goes_on.all():
                    cache.batch_select_indices(goes_on.nonzero().flatten())
                    going, chosen = going[goes_on], chosen[goes_on]
                    seen, positions = seen[goes_on], positions[goes_on]
                tokens = chosen.unsqueeze(1)
                seen = torch.cat([seen, torch.ones_like(tokens)], dim=1)
                positions = positions[:, -1:] + 1
        texts: list[str] = self._tokenizer.batch_decode(answers, skip_special_tokens=True)
        return texts
