"""Renders a chat as text and finds what of it the model should learn.

The text is the tokenizer's chat template's, and it is turned into tokens once, as a whole, so
that training sees the very tokens that inference sees. What is learnt is found in the text, not
in the tokens: each answer is exchanged for a mark that occurs nowhere else, and what changes is
the answer. This asks nothing of the template but to render a chat, so it holds for templates
that strip an answer or leave out the reasoning of earlier ones.

To an answer belong whatever the template puts between the prompt for it and its text, such as
`<think>`, and the token that ends it, or a model would never learn to stop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from jinja2 import TemplateError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from codeio.trainer.data.chats import Chat

PLAIN_TEMPLATE = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}### Answer\n{{ message['content'] }}"
    "{{ eos_token or '' }}\n\n"
    "{% elif message['role'] == 'user' %}### Question\n{{ message['content'] }}\n\n"
    "{% else %}{{ message['content'] }}\n\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}### Answer\n{% endif %}"
)
"""For tokenizers of base models, which bring no chat template."""

Loss = Literal["Answers", "LastAnswer", "Everything"]
Span = tuple[int, int]
"""First character, and the one behind the last."""

# The private use area: a character that a chat does not hold is taken.
_MARKS = range(0xE000, 0xF900)


def template_of(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the chat template that is trained with: the tokenizer's own, else the plain one.

    Of several with names it is the one named `default`, which is for chats without tools.
    The model that is saved should have it too, for whoever asks it something.
    """
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return template if isinstance(template, str) else PLAIN_TEMPLATE


@dataclass(frozen=True)
class Rendered:
    """A chat as text, and what of it is learnt, in order and without overlaps."""

    text: str
    learnt: tuple[Span, ...]


class Renderer:
    """Renders chats with one tokenizer's template."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, loss: Loss) -> None:
        self._tokenizer = tokenizer
        self._template = template_of(tokenizer)
        self._loss = loss
        self._eos = str(tokenizer.eos_token or "")
        self._special = _special(tokenizer)
        alternatives = "|".join(map(re.escape, self._special))
        self._ending = re.compile(rf"\s*(?:{alternatives})" if alternatives else r"(?!)")
        self._answer_prompt: str | None = None

    def render(self, chat: Chat) -> Rendered:
        """Return the text of a chat with at least one answer.

        Raises:
            ValueError: the template refuses it, or answers cannot be told in the text.
        """
        text = self._text(chat)
        answers = [place for place, message in enumerate(chat) if message["role"] == "assistant"]
        wanted = answers[-1:] if self._loss == "LastAnswer" else answers
        spans = [self._answer(chat, place, text) for place in wanted]
        for (_, end), (start, _) in pairwise(spans):
            if start < end:
                raise ValueError("the chat template mingles the answers with one another")
        start, end = spans[-1]
        ended = text.endswith(self._special, start, end)
        if self._eos and answers[-1] == len(chat) - 1 and not ended:
            # The template ends its answers with no token: the model's own takes the place.
            text = text[:end] + self._eos
            spans[-1] = (start, len(text))
        if self._loss == "Everything":
            return Rendered(text, ((0, len(text)),))
        return Rendered(text, tuple(spans))

    def _answer(self, chat: Chat, place: int, text: str) -> Span:
        """Return where an answer stands in the text, with the token that ends it."""
        mark = next((chr(code) for code in _MARKS if chr(code) not in text), None)
        if mark is None:
            raise ValueError("it holds every character of the private use area")
        other = self._text([*chat[:place], {**chat[place], "content": mark}, *chat[place + 1 :]])
        if mark not in other:
            raise ValueError("the chat template leaves out an answer")
        start = _shared(text, other)
        end = max(start, len(text) - _shared(text[::-1], other[::-1]))
        prompt = self._prompt_for_answers()
        prompted = text.rfind(prompt, 0, start) + len(prompt) if prompt in text[:start] else start
        # It is this answer's, unless another one ends in between.
        if not self._ending.search(text, prompted, start):
            start = prompted
        ending = self._ending.match(text, end)
        return start, ending.end() if ending else end

    def _prompt_for_answers(self) -> str:
        """Return what the template puts before an answer that is still to come, if anything."""
        if self._answer_prompt is None:
            question = [{"role": "user", "content": "?"}]
            try:
                asked = self._text(question)
                prompted = self._text(question, add_generation_prompt=True)
            except ValueError:  # a template that takes no lone question
                asked = prompted = ""
            self._answer_prompt = prompted[len(asked) :] if prompted.startswith(asked) else ""
        return self._answer_prompt

    def _text(self, chat: Chat, *, add_generation_prompt: bool = False) -> str:
        try:
            text = self._tokenizer.apply_chat_template(
                chat,
                tokenize=False,
                chat_template=self._template,
                add_generation_prompt=add_generation_prompt,
            )
        except (TemplateError, TypeError, ValueError, LookupError) as error:
            raise ValueError(f"the tokenizer's chat template refuses it: {error}") from error
        assert isinstance(text, str)
        return text


def _special(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    """Return the tokens that can end an answer, longer ones first."""
    special = {str(token) for token in tokenizer.all_special_tokens}
    special |= {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    if tokenizer.bos_token != tokenizer.eos_token:
        special.discard(str(tokenizer.bos_token))
    return tuple(sorted(special - {""}, key=lambda token: (-len(token), token)))


def _shared(one: str, two: str) -> int:
    """Return how many characters two texts begin with in common."""
    low, high = 0, min(len(one), len(two))
    while low < high:
        middle = (low + high + 1) // 2
        if one.startswith(two[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return low
