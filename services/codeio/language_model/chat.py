"""What a language model is asked, and what it answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping  # noqa: TC003  (dataclass fields are read at run time)
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from codeio.runtime.errors import Rejected


class ContextTooLong(Rejected):
    """The question is longer than the model can take."""

    def __init__(self, detail: str) -> None:
        super().__init__("context_too_long", detail)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Question:
    """A chat that ends where the model is to go on."""

    messages: tuple[Message, ...]
    sample_index: int = 0
    """Which of several answers to the same messages this asks for, from 0."""
    purpose: str = "rationale"
    """What the answer is for, for the report; it does not change the answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model answered, and what that took."""

    content: str
    reasoning: str
    """What a reasoning model thought before it answered, where the endpoint keeps it apart."""
    finish_reason: str
    """In the endpoint's words, such as `stop` or `length`; `refusal` where the model declined."""
    prompt_tokens: int
    completion_tokens: int
    """Those of the reasoning included."""
    cost_usd: float
    """0 when no price is known."""

    def to_text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> Reply:
        """Read what `to_text` gave; fields of later versions are ignored."""
        fields = json.loads(text)
        return cls(**{name: fields[name] for name in cls.__slots__})


class LanguageModel(Protocol):
    """A model with its parameters, wherever it runs."""

    @property
    def name(self) -> str:
        """Name of the model with a hash of its parameters, part of what is made with it."""
        ...

    async def ask(self, question: Question, /) -> Reply:
        """Answer a question.

        Raises:
            ContextTooLong: the question does not fit.
            Rejected: the endpoint refuses this question, and no other.
            TransientError: this question failed too often; it may be answered later.
            Stopped: no question can be answered for now.
        """
        ...


def model_name(model: str, parameters: Mapping[str, Any]) -> str:
    """Return the model's name with a hash of what else shapes its answers."""
    return f"{model}-{hashlib.sha256(_canonical(parameters)).hexdigest()[:8]}"


def question_key(question: Question, *, model: str, parameters: Mapping[str, Any]) -> str:
    """Return the key of a question's answer: of all that matters for it, and nothing else."""
    return hashlib.sha256(
        _canonical(
            {
                "model": model,
                "messages": [asdict(message) for message in question.messages],
                "parameters": parameters,
                "sample_index": question.sample_index,
            }
        )
    ).hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
