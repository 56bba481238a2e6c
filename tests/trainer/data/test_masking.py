"""What of a chat is learnt: exactly the answers, each with what ends it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from codeio.trainer.data.encoding import Encoder
from codeio.trainer.data.masking import Renderer, template_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from codeio.trainer.data.chats import Chat
    from codeio.trainer.data.masking import Loss


def chat(*texts: str, system: str | None = None) -> Chat:
    """Return question, answer, question and so on."""
    said = [
        {"role": ("user", "assistant")[number % 2], "content": text}
        for number, text in enumerate(texts)
    ]
    return said if system is None else [{"role": "system", "content": system}, *said]


def learnt(renderer: Renderer, messages: Chat) -> list[str]:
    rendered = renderer.render(messages)
    return [rendered.text[start:end] for start, end in rendered.learnt]


# A real tokenizer and its own template.

WORDS = st.text(
    st.one_of(
        st.sampled_from("ab \n\t.<|>{}\u00e9\u4e2d\U0001f600\u200d\u0301\ue000"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=30,
)
TEXTS = st.one_of(WORDS, st.sampled_from(["assistant\n", "<|im_start|>assistant\n", "<|im_end|>"]))
CHATS = st.tuples(
    st.none() | WORDS, st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4), TEXTS | st.none()
)
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


@pytest.fixture(scope="session")
def real(smollm2: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer  # noqa: PLC0415

    return AutoTokenizer.from_pretrained(smollm2)


@pytest.fixture(scope="session")
def added(real: PreTrainedTokenizerBase) -> set[str]:
    return set(real.get_added_vocab())


@pytest.fixture(scope="session")
def encoder(real: PreTrainedTokenizerBase) -> Callable[[Loss], Encoder]:
    """To make one takes as long as many chats."""
    return cache(lambda loss: Encoder(real, loss=loss))


def spelt(messages: Chat, loss: Loss) -> tuple[str, list[tuple[int, int]]]:
    """Spell out by hand SmolLM2's text of a chat, and what is learnt of its bytes."""
    text, spans = "", []
    if messages[0]["role"] != "system":
        messages = [{"role": "system", "content": SYSTEM}, *messages]
    for message in messages:
        text += f"<|im_start|>{message['role']}\n"
        start = len(text.encode())
        text += f"{message['content']}<|im_end|>"
        if message["role"] == "assistant":
            spans.append((start, len(text.encode())))
        text += "\n"
    if loss == "LastAnswer":
        spans = spans[-1:]
    if loss == "Everything":
        spans = [(0, len(text.encode()))]
    return text, spans


@pytest.mark.parametrize("loss", ["Answers", "LastAnswer", "Everything"])
@settings(max_examples=60)
@given(made=CHATS)
def test_a_real_tokenizers_tokens_are_those_of_the_whole_text_and_the_answers_are_learnt(
    real: PreTrainedTokenizerBase,
    encoder: Callable[[Loss], Encoder],
    added: set[str],
    loss: Loss,
    made: Any,
) -> None:
    system, turns, unanswered = made
    said = [text for turn in turns for text in turn]
    messages = chat(*said, *([] if unanswered is None else [unanswered]), system=system)
    text, spans = spelt(messages, loss)
    [marked] = encoder(loss).encode([messages])
    assert not isinstance(marked, str)
    ids = np.where(marked < 0, ~marked, marked).tolist()
    assert ids == real(text, add_special_tokens=False)["input_ids"]
    assert ids == real.apply_chat_template(messages, return_dict=False)

    # Tokens tell how many bytes they stand for, which is another way to say where they are.
    names = real.convert_ids_to_tokens(ids)
    # The vocabulary lacks tokens for a few bytes, which then are lost.
    assume(sum(len(_bytes_of(name, added)) for name in names) == len(text.encode()))
    end = 0
    for number, (token, name) in enumerate(zip(marked.tolist(), names, strict=True)):
        start, end = end, end + len(_bytes_of(name, added))
        inside = any(start < behind and end > first for first, behind in spans)
        assert (token < 0) == (inside and number > 0), (name, start, end, spans)


def _bytes_of(name: str, added: set[str]) -> bytes:
    # In byte-level vocabularies each character stands for a byte; added tokens are as they are.
    return name.encode() if name in added else b"." * len(name)


def test_a_model_learns_to_stop_but_not_what_comes_after(real: PreTrainedTokenizerBase) -> None:
    [marked] = Encoder(real, loss="Answers").encode([chat("Why?", "So.", "Sure?", "Yes.")])
    assert not isinstance(marked, str)
    told = real.decode([~token for token in marked.tolist() if token < 0])
    assert told == "So.<|im_end|>Yes.<|im_end|>"
    assert marked[-1] >= 0
    assert real.decode([int(marked[-1])]) == "\n"


# Templates of other families, in short.

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Leaves out the reasoning of all but the last answer, and shows an empty one where there is none.
THINKING = (
    "{% for m in messages %}{% if m.role == 'assistant' %}"
    "{% set said = m.content.split('</think>')[-1].lstrip('\n') %}<|im_start|>assistant\n"
    "{% if loop.last %}<think>\n"
    "{{ m.content.split('</think>')[0].split('<think>')[-1].strip('\n')"
    " if '</think>' in m.content else '' }}\n</think>\n\n{% endif %}{{ said }}<|im_end|>\n"
    "{% else %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA2 = (
    "{% for m in messages %}{% if m.role == 'user' %}{{ bos_token }}[INST] {{ m.content | trim }}"
    " [/INST]{% elif m.role == 'assistant' %} {{ m.content | trim }} {{ eos_token }}{% endif %}"
    "{% endfor %}"
)
# Puts the system's message before the last question.
MISTRAL = (
    "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}"
    "{% set messages = messages[1:] %}{% endif %}{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'user' %}[INST] {% if loop.index >= messages | length - 1 and system %}"
    "{{ system }}\n\n{% endif %}{{ m.content }}[/INST]{% else %} {{ m.content | trim }}"
    "{{ eos_token }}{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
# Ends an answer with nothing.
BARE = (
    "{% for m in messages %}{{ 'Q' if m.role == 'user' else 'A' }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}A: {% endif %}"
)
FAMILIES: dict[str, tuple[str, list[str], list[str]]] = {
    "chatml": (CHATML, ["<|im_start|>", "<|im_end|>"], [" One.\n<|im_end|>", "Two<|im_end|>"]),
    "thinking": (
        THINKING,
        ["<|im_start|>", "<|im_end|>"],
        [" One.\n<|im_end|>", "<think>\n\n</think>\n\nTwo<|im_end|>"],
    ),
    "llama2": (LLAMA2, ["<s>", "</s>"], ["One. </s>", "Two </s>"]),
    "mistral": (MISTRAL, ["<s>", "</s>"], ["One.</s>", "Two</s>"]),
    "gemma": (
        GEMMA,
        ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"],
        ["One.<end_of_turn>", "Two<end_of_turn>"],
    ),
    "bare": (BARE, ["<s>", "</s>"], [" One.\n", "Two</s>"]),
    "none": ("", ["<s>", "</s>"], [" One.\n</s>", "Two</s>"]),
}


def of_family(tiny_model: Path, template: str, special: list[str]) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer  # noqa: PLC0415

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = template or None
    tokenizer.add_special_tokens(
        {
            "bos_token": special[0],
            "eos_token": special[1],
            "pad_token": special[1],
            "additional_special_tokens": special[2:],
        }
    )
    return tokenizer


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_found_in_templates_of_all_kinds(tiny_model: Path, family: str) -> None:
    template, special, expected = FAMILIES[family]
    tokenizer = of_family(tiny_model, template, special)
    messages = chat("One?", " One.\n", "Two?", "Two")
    assert learnt(Renderer(tokenizer, loss="Answers"), messages) == expected
    assert learnt(Renderer(tokenizer, loss="LastAnswer"), messages) == expected[1:]
    rendered = Renderer(tokenizer, loss="Everything").render(messages)
    assert rendered.learnt == ((0, len(rendered.text)),)


def test_of_several_templates_the_default_one_is_trained_with(tiny_model: Path) -> None:
    template, special, expected = FAMILIES["bare"]
    tokenizer = of_family(tiny_model, template, special)
    tokenizer.chat_template = {"tool_use": "{{ messages }}", "default": template}
    messages = chat("One?", " One.\n", "Two?", "Two")
    assert learnt(Renderer(tokenizer, loss="Answers"), messages) == expected
    assert template_of(tokenizer) == template


def test_reasoning_is_learnt_where_the_template_shows_it(tiny_model: Path) -> None:
    tokenizer = of_family(tiny_model, THINKING, ["<|im_start|>", "<|im_end|>"])
    messages = chat("1?", "<think>\none\n</think>\n\nI", "2?", "<think>\ntwo\n</think>\n\nII")
    assert learnt(Renderer(tokenizer, loss="Answers"), messages) == [
        "I<|im_end|>",
        "<think>\ntwo\n</think>\n\nII<|im_end|>",
    ]


def test_a_system_message_may_stand_anywhere(tiny_model: Path) -> None:
    tokenizer = of_family(tiny_model, MISTRAL, ["<s>", "</s>"])
    messages = chat("One?", "One.", "Two?", "Two", system="Be brief.")
    assert learnt(Renderer(tokenizer, loss="Answers"), messages) == ["One.</s>", "Two</s>"]


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "bare"])
@settings(max_examples=20)
@given(turns=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=3))
def test_nothing_but_answers_is_learnt_whatever_they_say(
    tiny_model: Path, family: str, turns: list[tuple[str, str]]
) -> None:
    template, special, _ = FAMILIES[family]
    tokenizer = _TOKENIZERS.setdefault(family, of_family(tiny_model, template, special))
    answers = [answer.strip() for _, answer in turns]
    messages = chat(*[text for turn in turns for text in turn])
    found = learnt(Renderer(tokenizer, loss="Answers"), messages)
    ends = special[3] if family == "gemma" else special[1]
    assert [
        text.removesuffix(ends).strip().removeprefix("<think>\n\n</think>").strip()
        for text in found
    ] == answers
    assert all(text.endswith(ends) for text in found)


_TOKENIZERS: dict[str, PreTrainedTokenizerBase] = {}


def test_what_a_template_refuses_is_told(tiny_model: Path) -> None:
    tokenizer = of_family(tiny_model, *FAMILIES["gemma"][:2])
    [told] = Encoder(tokenizer, loss="Answers").encode([chat("a", "b", system="c")])
    assert told == "the tokenizer's chat template refuses it: System role not supported"
